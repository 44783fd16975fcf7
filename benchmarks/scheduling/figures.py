"""Figures of merit of one run."""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from benchmarks.scheduling.engine import Outcome, Run
from benchmarks.scheduling.workload import HOUR
from daylily_scheduler.domain.model import Priority


@dataclass(frozen=True, slots=True)
class Figures:
    """Dollars and hours.

    Attributes:
        energy: of the vCPU-hours, at their price.
        fixed: of the live clusters.
        delay_usd: the delays, weighted by priority.
        mean, p95: delay of all; urgent_p95, low_p99: delay of these.
        missed: share of the worksets with a deadline that ended after it.
        jain: index over customers of their mean slowdown; 1 is even.
        overcommitted: cluster-hours during which more vCPUs were promised than there are.
        covered: share of the p90 estimates of waits that held; None where the policy gives none.
    """

    energy: float
    fixed: float
    delay_usd: float
    mean: float
    p95: float
    urgent_p95: float
    low_p99: float
    missed: float
    jain: float
    overcommitted: float
    worksets: int
    covered: float | None = None

    @property
    def variable(self) -> float:
        """E + WD, which the lower bound is for."""
        return self.energy + self.delay_usd

    @property
    def total(self) -> float:
        """J."""
        return self.energy + self.fixed + self.delay_usd


def figures(run: Run) -> Figures:
    outcomes = run.outcomes
    return Figures(
        energy=run.energy_usd,
        fixed=run.fixed_usd,
        delay_usd=math.fsum(o.delay / HOUR * o.job.delay_usd_per_hour for o in outcomes),
        mean=math.fsum(o.delay for o in outcomes) / HOUR / len(outcomes),
        p95=percentile(delays(outcomes), 95),
        urgent_p95=percentile(delays(outcomes, Priority.URGENT), 95),
        low_p99=percentile(delays(outcomes, Priority.LOW), 99),
        missed=_missed(outcomes),
        jain=jain(_slowdowns(outcomes)),
        overcommitted=run.overcommitted_s / HOUR,
        worksets=len(outcomes),
        covered=_covered(outcomes),
    )


def delays(outcomes: Iterable[Outcome], priority: Priority | None = None) -> list[float]:
    """Hours, of all or of one priority."""
    return [
        o.delay / HOUR for o in outcomes if priority is None or o.job.offer.priority is priority
    ]


def percentile(values: Sequence[float], percent: float) -> float:
    """The smallest value that at least so many per cent do not exceed; 0 of nothing."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[max(math.ceil(len(ordered) * percent / 100), 1) - 1]


def jain(values: Sequence[float]) -> float:
    """Jain's index of fairness: 1 when all are equal, 1/n when one has everything."""
    squares = math.fsum(value * value for value in values)
    return math.fsum(values) ** 2 / (len(values) * squares) if squares else 1.0


def geometric_mean(values: Sequence[float]) -> float:
    return math.exp(math.fsum(map(math.log, values)) / len(values))


def _missed(outcomes: Sequence[Outcome]) -> float:
    dated = [(o.ended, o.job.offer.deadline) for o in outcomes]
    late = [ended > deadline for ended, deadline in dated if deadline is not None]
    return sum(late) / len(late) if late else 0.0


def _covered(outcomes: Sequence[Outcome]) -> float | None:
    """A minute late is in time: a monitor asks again no sooner."""
    held = [o.started <= o.promised + 60 for o in outcomes if o.promised is not None]
    return sum(held) / len(held) if held else None


def _slowdowns(outcomes: Iterable[Outcome]) -> list[float]:
    by_customer = defaultdict(list)
    for outcome in outcomes:
        by_customer[outcome.job.offer.customer].append(outcome.slowdown)
    return [math.fsum(values) / len(values) for values in by_customer.values()]
