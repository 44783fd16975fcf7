"""How far each constant of the policy matters: every one of them changed alone, on the same windows.

    python -m benchmarks.scheduling.frontier --trace FILE.swf.gz --prices FILE.txt --windows tuning

Cost pulls against waits, and the waits of some against those of others. The table has a line for each
value of each constant; the picture shows what it does to cost, to the longest waits of low priority, and
to fairness.
"""

import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from statistics import fmean
from typing import Any, Final

from matplotlib.figure import Figure as Picture

from benchmarks.scheduling import arguments
from benchmarks.scheduling.bound import lower_bound
from benchmarks.scheduling.compare import build, in_processes
from benchmarks.scheduling.engine import Simulation
from benchmarks.scheduling.figures import Figures, figures, geometric_mean
from benchmarks.scheduling.policies.daylily import Daylily
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
from daylily_scheduler.domain.rules import DEFAULT_RULES, Rules

# Of the default; 1 is measured once for all.
FACTORS: Final = (0.25, 0.5, 2.0, 4.0)
CONSTANTS: Final = (
    "low_rises_after_runs",
    "low_rises_after",
    "normal_rises_after",
    "low_handicap",
    "share_handicap",
    "most_share_handicap",
    "deadline_slack",
    "hours_per_hour",
    "crowding",
)


@dataclass(frozen=True, slots=True)
class Task:
    source: Source
    scenario: Scenario
    rules: Rules | None


@dataclass(frozen=True, slots=True)
class Point:
    """What one setting of the constants costs."""

    constant: str
    factor: float
    ratio: float
    urgent_p95: float
    low_p99: float
    missed: float
    jain: float


def carry_out(task: Task) -> Figures | float:
    platform, jobs = build(task.source, task.scenario)
    if task.rules is None:
        return lower_bound(jobs, platform.sites).usd
    return figures(Simulation(platform, jobs, Daylily(task.rules)).run())


def changed(constant: str, factor: float) -> Rules:
    """The default constants, one of them times a factor.

    Raises:
        ValueError: there is no such constant.
    """
    if constant not in {field.name for field in fields(Rules)}:
        raise ValueError(f"{constant!r} is no constant of the policy")
    value: Any = getattr(DEFAULT_RULES, constant)
    new: Any = {constant: value * factor}
    return replace(DEFAULT_RULES, **new)


def frontier(
    source: Source, scenarios: Sequence[Scenario], constants: Sequence[str], processes: int
) -> list[Point]:
    settings = [("default", 1.0, DEFAULT_RULES)]
    settings += [(name, by, changed(name, by)) for name in constants for by in FACTORS]
    tasks = [Task(source, scenario, None) for scenario in scenarios]
    tasks += [Task(source, each, rules) for _, _, rules in settings for each in scenarios]

    def told(done: int, of: int) -> None:
        print(f"\r{done} of {of}", end="", file=sys.stderr, flush=True)

    found = list(in_processes(carry_out, tasks, processes, told))
    print(file=sys.stderr)
    bounds = [bound for bound in found if isinstance(bound, float)]
    played = [each for each in found if isinstance(each, Figures)]
    count = len(scenarios)
    return [
        _point(name, by, played[at * count : (at + 1) * count], bounds)
        for at, (name, by, _) in enumerate(settings)
    ]


def _point(constant: str, factor: float, found: Sequence[Figures], bounds: list[float]) -> Point:
    return Point(
        constant,
        factor,
        geometric_mean([f.variable / bound for f, bound in zip(found, bounds, strict=True)]),
        fmean(f.urgent_p95 for f in found),
        fmean(f.low_p99 for f in found),
        fmean(f.missed for f in found),
        fmean(f.jain for f in found),
    )


def table(points: Iterable[Point]) -> str:
    head = (
        f"{'constant':<22}{'times':>6}{'/bound':>9}{'urg p95 h':>11}{'low p99 h':>11}"
        f"{'missed':>9}{'Jain':>7}"
    )
    lines = (
        f"{each.constant:<22}{each.factor:>6g}{each.ratio:>9.3f}{each.urgent_p95:>11.2f}"
        f"{each.low_p99:>11.1f}{each.missed:>9.1%}{each.jain:>7.2f}"
        for each in points
    )
    return "\n".join([head, *lines])


def draw(points: Sequence[Point], path: Path) -> None:
    """Cost against the longest waits of low priority, and against fairness; a line a constant."""
    picture = Picture(figsize=(12, 5), dpi=120, layout="constrained")
    left, right = picture.subplots(1, 2)
    left.set(xlabel="low p99, hours", ylabel="(E + WD) / bound", title="Cost against starvation")
    right.set(xlabel="Jain index", ylabel="(E + WD) / bound", title="Cost against fairness")
    default = points[0]
    for name in dict.fromkeys(each.constant for each in points[1:]):
        line = sorted(
            [default, *(each for each in points if each.constant == name)],
            key=lambda each: each.factor,
        )
        left.plot([p.low_p99 for p in line], [p.ratio for p in line], "o-", label=name)
        right.plot([p.jain for p in line], [p.ratio for p in line], "o-")
    for side, x in ((left, default.low_p99), (right, default.jain)):
        side.plot(x, default.ratio, "k*", markersize=14)
        side.grid(visible=True, alpha=0.3)
    left.legend(fontsize="small")
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.savefig(path)


def main() -> int:
    parser = arguments.parser("benchmarks.scheduling.frontier", __doc__)
    parser.add_argument("--windows", choices=(ALL, TUNING, REPORTING), default=TUNING)
    parser.add_argument("--load", type=float, default=LOAD)
    parser.add_argument("--constants", default=",".join(CONSTANTS), help="names, with commas")
    parser.add_argument("--plot", type=Path, help="picture (PNG)")
    parser.add_argument("--processes", type=int, default=2)
    given = parser.parse_args()
    source = Source(given.trace, given.prices)
    begins = starts(source.rows(), WINDOW_DAYS, given.windows)
    scenarios = [
        Scenario(start, load=given.load, seed=seed) for seed in given.seed for start in begins
    ]
    points = frontier(source, scenarios, given.constants.split(","), given.processes)
    print(table(points))
    if given.plot is not None:
        draw(points, given.plot)
    return 0


if __name__ == "__main__":
    sys.exit(main())
