"""Compare the scheduler's policy with simple ones on the windows of a trace.

python -m benchmarks.scheduling --trace FILE.swf.gz --prices FILE.txt
"""

import argparse
import sys
from pathlib import Path

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.scheduling import arguments
from benchmarks.scheduling.compare import Comparison, compare, table
from benchmarks.scheduling.platforms import PricesError
from benchmarks.scheduling.plots import draw
from benchmarks.scheduling.policies.table import POLICIES, made
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
from benchmarks.scheduling.swf import TraceError


def main() -> int:
    given = _arguments()
    try:
        return _compare(given)
    except (TraceError, PricesError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2


def _compare(given: argparse.Namespace) -> int:
    source = Source(given.trace, given.prices)
    # Both are read before anything is played: what is wrong with them is said at once.
    rows, _ = source.rows(), source.zone_prices()
    begins = given.start or starts(rows, given.days, given.windows)
    where = "elastic" if given.elastic else "static"
    for load in given.load:
        scenarios = [
            Scenario(start, given.days, load, seed, given.elastic)
            for seed in given.seed
            for start in begins
        ]
        found = _run(source, scenarios, given)
        print(f"\n{where}, load {load}, {len(scenarios)} windows of {given.days:g} days")
        print(table(found))
        if given.each:
            for scenario in scenarios:
                print(f"\n{scenario.name}\n{table(_only(found, scenario))}")
        if given.plots is not None:
            for path in draw(found, given.plots, f"{where}-{load:g}"):
                print(path)
    return 0


def _run(source: Source, scenarios: list[Scenario], given: argparse.Namespace) -> Comparison:
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    with Progress(*columns, transient=True) as progress:
        bar = progress.add_task("simulating", total=None)
        return compare(
            source,
            scenarios,
            given.policies,
            bounds=given.bound,
            estimates=given.estimates,
            processes=given.processes,
            progress=lambda done, of: progress.update(bar, completed=done, total=of),
        )


def _only(found: Comparison, scenario: Scenario) -> Comparison:
    return Comparison([each for each in found.results if each.scenario == scenario], found.bounds)


def _arguments() -> argparse.Namespace:
    parser = arguments.parser("benchmarks.scheduling", __doc__)
    parser.add_argument(
        "--policies", type=_names, default=list(POLICIES), help="names, with commas"
    )
    parser.add_argument(
        "--load", type=arguments.numbers, default=[LOAD], help="offered load; several with commas"
    )
    parser.add_argument("--windows", choices=(ALL, TUNING, REPORTING), default=ALL)
    parser.add_argument(
        "--start", type=arguments.numbers, help="days of the log, instead of --windows"
    )
    parser.add_argument("--days", type=float, default=WINDOW_DAYS, help="length of a window")
    parser.add_argument("--elastic", action="store_true", help="clusters come and go")
    parser.add_argument("--each", action="store_true", help="show every window too")
    parser.add_argument("--plots", type=Path, help="directory for pictures (PNG)")
    parser.add_argument(
        "--no-bound", dest="bound", action="store_false", help="leave out the lower bound"
    )
    parser.add_argument(
        "--estimates", action="store_true", help="put estimates of waits to the test; takes long"
    )
    parser.add_argument("--processes", type=int, default=2)
    return parser.parse_args()


def _names(text: str) -> list[str]:
    names = text.split(",")
    for name in names:
        try:
            made(name)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None
    return names


if __name__ == "__main__":
    sys.exit(main())
