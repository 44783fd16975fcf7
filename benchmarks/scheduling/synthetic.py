"""A trace for those who have none: arrivals with a day and a week, log-normal run times, powers of
two of processors, and estimates as people give them.

The shapes are those that logs of the Parallel Workloads Archive have in common (Lublin and Feitelson,
The workload on parallel supercomputers, 2003); estimates are round numbers above the run time
(Tsafrir, Etsion and Feitelson, Modeling user runtime estimates, 2005).
"""

import math
import random
from typing import Final

from benchmarks.scheduling.swf import LONGEST_RUN, MOST_VCPUS, VCPUS_PER_PROCESSOR
from benchmarks.scheduling.workload import DAY, HOUR, Raw

JOBS_PER_DAY: Final = 36.0
CUSTOMERS: Final = 60
MEDIAN_RUN: Final = 2.2 * HOUR
RUN_SIGMA: Final = 1.15
SHORTEST_RUN: Final = 0.5 * HOUR
# Hours that people ask for.
ROUND_HOURS: Final = (1, 2, 3, 4, 6, 8, 12, 15, 18, 24, 30, 36, 48)
# One in five names exactly what it takes: pipelines that were run before.
EXACT_SHARE: Final = 0.2
WEEKEND: Final = 0.45
# Relative to the mean, hour by hour: nights are quiet, the afternoon is not.
HOURS_OF_DAY: Final = tuple(
    1 + 0.8 * math.sin((hour - 8.5) / 24 * 2 * math.pi) for hour in range(24)
)


def synthetic(seed: int, days: int) -> list[Raw]:
    """The rows of a log of so many days; the same for the same seed."""
    chance = random.Random(f"synthetic/{seed}")
    rows: list[Raw] = []
    for hour in range(days * 24):
        rate = JOBS_PER_DAY / 24 * HOURS_OF_DAY[hour % 24]
        if hour // 24 % 7 >= 5:
            rate *= WEEKEND
        for _ in range(_poisson(chance, rate)):
            submitted = float(round((hour + chance.random()) * HOUR))
            # Few customers send most of the work, and often the same again.
            customer = min(int(chance.paretovariate(0.7)), CUSTOMERS)
            for repeat in range(1 + int(chance.expovariate(1.0))):
                rows.append(_row(chance, len(rows) + 1, submitted + 60 * repeat, customer))
    return [row for row in rows if row.submitted < days * DAY]


def _row(chance: random.Random, number: int, submitted: float, customer: int) -> Raw:
    run = min(
        max(chance.lognormvariate(math.log(MEDIAN_RUN), RUN_SIGMA), SHORTEST_RUN), LONGEST_RUN
    )
    run = float(round(run))
    processors = 2 ** min(int(chance.expovariate(0.45)), 5)
    return Raw(
        number=number,
        submitted=submitted,
        vcpus=min(VCPUS_PER_PROCESSOR * processors, MOST_VCPUS),
        run=run,
        estimate=_estimate(chance, run),
        customer=f"user-{customer}",
    )


def _estimate(chance: random.Random, run: float) -> float:
    if chance.random() < EXACT_SHARE:
        return run
    wished = run * (1 + chance.expovariate(1.0))
    hours = next((hours for hours in ROUND_HOURS if hours * HOUR >= wished), ROUND_HOURS[-1])
    return max(hours * HOUR, run)


def _poisson(chance: random.Random, mean: float) -> int:
    """Knuth's method: the means are small."""
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count
