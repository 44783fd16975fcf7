"""Every policy on every window, and the table of what they cost."""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from statistics import fmean
from typing import Final, TypeVar

from benchmarks.scheduling.bound import lower_bound
from benchmarks.scheduling.engine import Run, Simulation
from benchmarks.scheduling.figures import Figures, delays, figures, geometric_mean
from benchmarks.scheduling.platforms import Platform
from benchmarks.scheduling.policies.table import made
from benchmarks.scheduling.scenarios import Scenario, Source
from benchmarks.scheduling.workload import Job, Raw
from daylily_scheduler.domain.model import Priority

T = TypeVar("T")
R = TypeVar("R")
BASELINE: Final = "easy"
ESTIMATE_EVERY: Final = 5


@dataclass(frozen=True, slots=True)
class Task:
    """One policy on one window; without a policy, the lower bound of the window."""

    source: Source
    scenario: Scenario
    policy: str | None
    estimates: bool = False


@dataclass(frozen=True, slots=True)
class Played:
    """What is kept of a simulation. `delays` in hours, by priority; `used` as `Run.used`."""

    figures: Figures
    delays: Mapping[Priority, Sequence[float]]
    used: Sequence[tuple[float, int, int]]


@dataclass(frozen=True, slots=True)
class Result:
    scenario: Scenario
    policy: str
    played: Played

    @property
    def figures(self) -> Figures:
        return self.played.figures


@dataclass(frozen=True, slots=True)
class Comparison:
    """`bounds` in dollars, of the windows for which they were asked."""

    results: Sequence[Result]
    bounds: Mapping[Scenario, float]


@cache
def _inputs(source: Source) -> tuple[list[Raw], dict[str, float]]:
    return source.rows(), source.zone_prices()


def build(source: Source, scenario: Scenario) -> tuple[Platform, list[Job]]:
    rows, prices = _inputs(source)
    return scenario.build(rows, prices)


def carry_out(task: Task) -> Played | float:
    """What the policy did, or the lower bound in dollars."""
    platform, jobs = build(task.source, task.scenario)
    if task.policy is None:
        return lower_bound(jobs, platform.sites).usd
    every = ESTIMATE_EVERY if task.estimates else 0
    return played(
        Simulation(
            platform, jobs, made(task.policy, elastic=task.scenario.elastic), estimate_every=every
        ).run()
    )


def played(run: Run) -> Played:
    return Played(
        figures(run), {each: delays(run.outcomes, each) for each in Priority}, tuple(run.used)
    )


def compare(
    source: Source,
    scenarios: Sequence[Scenario],
    policies: Sequence[str],
    *,
    bounds: bool = True,
    estimates: bool = False,
    processes: int = 1,
    progress: Callable[[int, int], None] | None = None,
) -> Comparison:
    """Plays every policy on every window.

    Args:
        source: of work and prices.
        scenarios: the windows. An elastic one has no lower bound.
        policies: their names.
        bounds: find the lower bounds as well.
        estimates: put estimates of waits to the test, which takes long.
        processes: how many at once.
        progress: told how many parts are done of how many.
    """
    tasks = [Task(source, scenario, name, estimates) for name in policies for scenario in scenarios]
    if bounds:
        bounded = [scenario for scenario in scenarios if not scenario.elastic]
        tasks += [Task(source, scenario, None) for scenario in bounded]
    found = list(zip(tasks, _carry_out_all(tasks, processes, progress), strict=True))
    return Comparison(
        [
            Result(task.scenario, task.policy, what)
            for task, what in found
            if task.policy is not None and isinstance(what, Played)
        ],
        {task.scenario: what for task, what in found if isinstance(what, float)},
    )


def _carry_out_all(
    tasks: Sequence[Task], processes: int, progress: Callable[[int, int], None] | None
) -> Iterable[Played | float]:
    return in_processes(carry_out, tasks, processes, progress)


def in_processes(
    function: Callable[[T], R],
    tasks: Sequence[T],
    processes: int,
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[R]:
    """The answers of a function of this module to each task, in their order."""
    if processes <= 1:
        for done, task in enumerate(tasks, start=1):
            yield function(task)
            if progress is not None:
                progress(done, len(tasks))
        return
    # Idle hands first: whoever else uses the machine goes before.
    with ProcessPoolExecutor(processes, initializer=os.nice, initargs=(10,)) as pool:
        futures = [pool.submit(function, task) for task in tasks]
        for done, _ in enumerate(as_completed(futures), start=1):
            if progress is not None:
                progress(done, len(tasks))
        for future in futures:
            yield future.result()


def table(comparison: Comparison) -> str:
    """A line for each policy: ratios as geometric means over the windows, all else as means."""
    by_policy: dict[str, dict[Scenario, Figures]] = {}
    for result in comparison.results:
        by_policy.setdefault(result.policy, {})[result.scenario] = result.figures
    base = by_policy.get(BASELINE, {})
    head = (
        f"{'policy':<16}{'/bound':>8}{'J/EASY':>8}{'E+WD $':>9}{'E $':>8}{'fixed $':>9}{'WD $':>8}"
        f"{'mean h':>8}{'p95 h':>7}{'urg p95':>9}{'low p99':>9}{'missed':>8}{'Jain':>6}{'over h':>8}{'p90 held':>10}"
    )
    lines = (
        _line(
            name,
            list(found.values()),
            _ratio({at: f.variable for at, f in found.items()}, comparison.bounds),
            _ratio(
                {at: f.total for at, f in found.items()}, {at: f.total for at, f in base.items()}
            ),
        )
        for name, found in by_policy.items()
    )
    return "\n".join([head, *lines])


def _ratio(found: Mapping[Scenario, float], base: Mapping[Scenario, float]) -> str:
    """Geometric mean over the windows; nothing where the base lacks one."""
    if not base.keys() >= found.keys():
        return "-"
    return f"{geometric_mean([found[at] / base[at] for at in found]):.3f}"


def _line(policy: str, each: Sequence[Figures], bound: str, easy: str) -> str:
    def mean(value: Callable[[Figures], float]) -> float:
        return fmean(map(value, each))

    covered = [found.covered for found in each if found.covered is not None]
    held = f"{fmean(covered):.0%}" if covered else "-"
    return (
        f"{policy:<16}{bound:>8}{easy:>8}{mean(lambda f: f.variable):>9.0f}"
        f"{mean(lambda f: f.energy):>8.0f}"
        f"{mean(lambda f: f.fixed):>9.0f}{mean(lambda f: f.delay_usd):>8.0f}"
        f"{mean(lambda f: f.mean):>8.2f}{mean(lambda f: f.p95):>7.1f}"
        f"{mean(lambda f: f.urgent_p95):>9.2f}{mean(lambda f: f.low_p99):>9.1f}"
        f"{mean(lambda f: f.missed):>8.1%}{mean(lambda f: f.jain):>6.2f}"
        f"{mean(lambda f: f.overcommitted):>8.0f}{held:>10}"
    )
