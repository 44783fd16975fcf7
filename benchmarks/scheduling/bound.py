r"""What no policy can get below: a lower bound on E + WD of any schedule that knows everything.

A real schedule gives each job :math:`j` (v vCPUs for p hours, arrived at r, whose delay costs w an
hour) one contiguous run on one cluster. The bound relaxes that: work is a fluid that may be cut,
interrupted and spread over clusters, at no more than v vCPUs at a time, and time is cut in buckets of L
hours. z[j,t] are the vCPU-hours of job j in bucket t, y[c,t] those that cluster c gives:

    minimise    sum_ct price[c] y[c,t]  +  sum_j w (sum_t mid[j,t] z[j,t] / (v p)  -  p/2 - r - e)
    such that   sum_t z[j,t] = v p,     0 <= z[j,t] <= v (length of t after r),
                sum_j z[j,t] = sum_c y[c,t],     0 <= y[c,t] <= L (vCPUs of c)

where mid[j,t] is the middle of that part of bucket t which lies after r, and e = L^2 / (8 p).

Why it is a lower bound. Take any real schedule and count its work in buckets: z and y are feasible,
and the first sum is its E. A job that runs from s to s + p has its mean busy time at s + p/2, so its
delay s - r is (mean busy time) - p/2 - r. The buckets give the mean busy time but for an error: inside
a bucket that is worked through the middle is exact; in the first one, worked at its end for a hours,
the middle comes too early, which only lowers the sum; in the last one, worked at its beginning for b
hours, it comes (L - b)/2 too late with the share b/p, that is b (L - b) / (2 p) <= L^2 / (8 p) = e. A
job inside one bucket is too late by at most (L - p)/2 <= e, since (L - 2p)^2 >= 0. So no job's delay is
overstated. A delay is never below zero, an interrupted or slowed job ends no earlier than one that ran
at once, and slots, fragments and clusters that are too small only add to the cost of a real schedule.

The number reported does not rest on the solver's tolerances, nor on the columns that it was given. Its
prices lambda[t] of a vCPU-hour in each bucket are put into the Lagrangian dual,

    sum_j min_z (...) + sum_t min_y (...),

which is a bound for every lambda by weak duality and is computed exactly over all buckets, also those
after the last, where a vCPU-hour costs what the cheapest cluster asks. Jobs get columns for a while
after their arrival; where the dual would rather wait longer the while is made longer, and the program is
solved again until the two agree.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linprog
from scipy.sparse import coo_array

from benchmarks.scheduling.platforms import Site
from benchmarks.scheduling.workload import HOUR, Job

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

BUCKET_HOURS: Final = 0.5
# Columns that a job has at first: those of its run time and so many hours, by what its delay costs.
PATIENCE_USD: Final = 6.0
LEAST_PATIENCE_HOURS: Final = 3.0
MOST_PATIENCE_HOURS: Final = 48.0
# With too few columns there may be no way to do all the work. vCPU-hours at this price, as many as
# anybody wants, keep the program solvable until the missing columns are found; the dual, which is what
# counts, knows nothing of them.
EMERGENCY_USD: Final = 5.0
# The dual may stay this far below the program, relative to it.
GAP: Final = 1e-4
MOST_ROUNDS: Final = 12


@dataclass(frozen=True, slots=True)
class Bound:
    """`usd` is certain; `primal_usd` is what the program itself says, above it by the gap."""

    usd: float
    primal_usd: float
    rounds: int


@dataclass(frozen=True, slots=True)
class _Program:
    """Arrays over jobs (r, p, v, w in hours, vCPUs, dollars an hour) and over buckets."""

    arrival: Floats
    run: Floats
    vcpus: Floats
    weight: Floats
    sites: Sequence[Site]
    bucket: float
    buckets: int

    @property
    def begin(self) -> Ints:
        """The bucket in which each job arrives."""
        return (self.arrival / self.bucket).astype(np.int64)

    @property
    def work(self) -> Floats:
        return self.vcpus * self.run

    @property
    def constant(self) -> float:
        late = self.run / 2 + self.arrival + self.bucket**2 / (8 * self.run)
        return -float(self.weight @ late)

    def usable(self, job: Ints | int, bucket: Ints) -> tuple[Floats, Floats]:
        """Length and middle of the part of each bucket that lies after the job's arrival."""
        end = (bucket + 1) * self.bucket
        begin = np.maximum(bucket * self.bucket, self.arrival[job])
        return end - begin, (begin + end) / 2


def lower_bound(
    jobs: Sequence[Job], sites: Sequence[Site], bucket_hours: float = BUCKET_HOURS
) -> Bound:
    """Dollars that E + WD of these jobs on these clusters, all alive throughout, cannot be below.

    Raises:
        RuntimeError: the solver gives up.
    """
    program = _program(jobs, sites, bucket_hours)
    ends = _first_ends(program)
    best, primal, rounds = -np.inf, np.inf, 0
    while rounds < MOST_ROUNDS:
        rounds += 1
        primal, prices = _solve(program, _columns(program, ends))
        dual, wanted = _dual(program, prices)
        best = max(best, dual)
        if primal - best <= GAP * abs(primal):
            break
        # Twice as far: what the dual of too few columns wants is cheap only until all have it.
        longer = np.minimum(2 * ends - program.begin, program.buckets)
        ends = np.where(wanted > ends, longer, ends)
    return Bound(float(best), primal, rounds)


def _program(jobs: Sequence[Job], sites: Sequence[Site], bucket: float) -> _Program:
    arrival = np.array([job.offer.arrival / HOUR for job in jobs])
    run = np.array([job.run / HOUR for job in jobs])
    vcpus = np.array([float(job.offer.vcpus) for job in jobs])
    weight = np.array([job.delay_usd_per_hour for job in jobs])
    # All work fits in: even if it began when the last job arrives.
    end = arrival.max() + run.max() + (vcpus @ run) / sum(site.vcpus for site in sites)
    return _Program(
        arrival, run, vcpus, weight, sites, bucket, int(np.ceil((end + run.max()) / bucket)) + 1
    )


def _first_ends(program: _Program) -> Ints:
    """The first bucket after those that each job has columns for."""
    patience = np.clip(PATIENCE_USD / program.weight, LEAST_PATIENCE_HOURS, MOST_PATIENCE_HOURS)
    hours = program.arrival + program.run + patience
    ends = np.ceil(hours / program.bucket).astype(np.int64) + 1
    return np.minimum(ends, program.buckets)


def _columns(program: _Program, ends: Ints) -> Ints:
    """Pairs of job and bucket, each as job * buckets + bucket."""
    return np.concatenate(
        [
            job * program.buckets + np.arange(begin, end)
            for job, (begin, end) in enumerate(zip(program.begin, ends, strict=True))
        ]
    )


def _solve(program: _Program, columns: Ints) -> tuple[float, Floats]:
    """The value of the program with these columns, and the price of a vCPU-hour in each bucket."""
    job, bucket = columns // program.buckets, columns % program.buckets
    length, middle = program.usable(job, bucket)
    jobs = len(program.run)
    prices_of_bucket = [*(site.price for site in program.sites), EMERGENCY_USD]
    room_of_bucket = [*(site.vcpus * program.bucket for site in program.sites), np.inf]
    given_bucket = np.repeat(np.arange(program.buckets), len(prices_of_bucket))
    price = np.tile(prices_of_bucket, program.buckets)
    room = np.tile(room_of_bucket, program.buckets)
    cost = np.concatenate([program.weight[job] * middle / program.work[job], price])
    upper = np.concatenate([program.vcpus[job] * length, room])
    at = np.arange(len(columns))
    given_at = len(columns) + np.arange(len(price))
    matrix = coo_array(
        (
            np.concatenate([np.ones(2 * len(columns)), -np.ones(len(price))]),
            (
                np.concatenate([job, jobs + bucket, jobs + given_bucket]),
                np.concatenate([at, at, given_at]),
            ),
        ),
        shape=(jobs + program.buckets, len(cost)),
    ).tocsr()
    needed = np.concatenate([program.work, np.zeros(program.buckets)])
    bounds = np.column_stack([np.zeros(len(cost)), upper])
    found = linprog(cost, A_eq=matrix, b_eq=needed, bounds=bounds, method="highs")
    if found.status != 0:
        raise RuntimeError(f"the lower bound was not found: {found.message}")
    # The marginal of a bucket's row is what one more vCPU-hour of supply would save, negated.
    prices: Floats = -np.asarray(found.eqlin.marginals, dtype=np.float64)[jobs:]
    return float(found.fun) + program.constant, prices


def _dual(program: _Program, prices: Floats) -> tuple[float, Ints]:
    """The Lagrangian bound of these prices, and the first bucket after those that each job uses in
    its minimum.
    """
    cheapest = min(site.price for site in program.sites)
    # Room for the longest run after the last bucket, where nothing is ever scarce.
    more = int(np.ceil(program.run.max() / program.bucket)) + 1
    # Below the cheapest price nothing is given anyway: raising prices to it only helps the bound.
    # The solver leaves buckets without columns at any price.
    extended = np.concatenate([np.maximum(prices, cheapest), np.full(more, cheapest)])
    total = program.constant
    for site in program.sites:
        gain = np.maximum(extended - site.price, 0.0)
        total -= float(gain.sum()) * site.vcpus * program.bucket
    ends = np.zeros(len(program.run), dtype=np.int64)
    for job, begin in enumerate(program.begin):
        bucket = np.arange(begin, len(extended))
        length, middle = program.usable(job, bucket)
        cost = program.weight[job] * middle / program.work[job] + extended[bucket]
        order = np.argsort(cost, kind="stable")
        room = program.vcpus[job] * length[order]
        before = np.concatenate([[0.0], np.cumsum(room)[:-1]])
        taken = np.clip(program.work[job] - before, 0.0, room)
        total += float(taken @ cost[order])
        ends[job] = bucket[order][taken > 0].max() + 1
    return total, np.minimum(ends, program.buckets)
