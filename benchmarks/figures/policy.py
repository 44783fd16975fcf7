"""What the scheduler's policy costs and makes people wait, on a log or the built-in trace, against the lower bound.

`python -m benchmarks.scheduling` compares it with other policies; this holds it to what is to be reached.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from statistics import fmean

from benchmarks.measure import progress
from benchmarks.report import Figure, at_least, at_most
from benchmarks.scheduling.compare import compare
from benchmarks.scheduling.figures import geometric_mean
from benchmarks.scheduling.scenarios import (
    ALL,
    LOAD,
    REPORTING,
    TUNING,
    WINDOW_DAYS,
    Scenario,
    Source,
    starts,
)

SMALL = ("--days", "2", "--windows", "reporting")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--trace", type=Path, help="Standard Workload Format, plain or gzipped")
    parser.add_argument("--prices", type=Path, help="table of spot prices by zone")
    parser.add_argument("--windows", choices=(ALL, TUNING, REPORTING), default=REPORTING)
    parser.add_argument("--days", type=float, default=WINDOW_DAYS, help="length of a window")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    source = Source(given.trace, given.prices)
    begins = starts(source.rows(), WINDOW_DAYS, given.windows)
    scenarios = [Scenario(start, given.days, LOAD, given.seed) for start in begins]
    found = compare(
        source,
        scenarios,
        ["daylily"],
        processes=given.processes,
        progress=lambda done, of: progress(f"{done} of {of}"),
    )
    each = [result.figures for result in found.results]
    ratios = [result.figures.variable / found.bounds[result.scenario] for result in found.results]
    yield Figure("(E + WD) / lower bound", geometric_mean(ratios), to_reach=at_most(1.28))
    yield Figure("urgent, p95", fmean(f.urgent_p95 for f in each), "h", to_reach=at_most(1.0))
    yield Figure("low, p99", fmean(f.low_p99 for f in each), "h", to_reach=at_most(24))
    missed = fmean(f.missed for f in each)
    yield Figure("deadlines missed", 100 * missed, "%", to_reach=at_most(3.0))
    yield Figure("Jain index", fmean(f.jain for f in each), to_reach=at_least(0.8))
    over = fmean(f.overcommitted for f in each)
    yield Figure("over-committed cluster-hours", over, "h", to_reach=at_most(0))
