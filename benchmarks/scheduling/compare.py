"""Every policy on every window, and the table of what they cost."""

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache
from statistics import fmean

from benchmarks.scheduling.engine import Simulation
from benchmarks.scheduling.figures import Figures, figures, geometric_mean
from benchmarks.scheduling.platforms import Platform
from benchmarks.scheduling.policies.table import POLICIES
from benchmarks.scheduling.scenarios import Scenario, Source
from benchmarks.scheduling.workload import Job, Raw

BASELINE = "easy"


@dataclass(frozen=True, slots=True)
class Task:
    source: Source
    scenario: Scenario
    policy: str


@dataclass(frozen=True, slots=True)
class Result:
    task: Task
    figures: Figures


@cache
def _inputs(source: Source) -> tuple[list[Raw], dict[str, float]]:
    return source.rows(), source.zone_prices()


def build(source: Source, scenario: Scenario) -> tuple[Platform, list[Job]]:
    rows, prices = _inputs(source)
    return scenario.build(rows, prices)


def simulate(task: Task) -> Result:
    platform, jobs = build(task.source, task.scenario)
    return Result(task, figures(Simulation(platform, jobs, POLICIES[task.policy]()).run()))


def simulate_all(
    tasks: Sequence[Task], processes: int, done: Callable[[Result], None] = lambda _: None
) -> list[Result]:
    """All of them, in the order given; `done` is called as each ends."""
    if processes <= 1:
        return [_told(simulate(task), done) for task in tasks]
    with ProcessPoolExecutor(processes, initializer=os.nice, initargs=(5,)) as pool:
        futures = [pool.submit(simulate, task) for task in tasks]
        for future in as_completed(futures):
            done(future.result())
        return [future.result() for future in futures]


def _told(result: Result, done: Callable[[Result], None]) -> Result:
    done(result)
    return result


def table(results: Iterable[Result]) -> str:
    """A line for each policy: ratios as geometric means over the windows, all else as means."""
    by_policy: dict[str, dict[Scenario, Figures]] = {}
    for result in results:
        by_policy.setdefault(result.task.policy, {})[result.task.scenario] = result.figures
    base = by_policy.get(BASELINE)
    head = (
        f"{'policy':<16}{'J/EASY':>8}{'E+WD $':>9}{'E $':>8}{'fixed $':>9}{'WD $':>8}{'mean h':>8}"
        f"{'p95 h':>7}{'urg p95':>9}{'low p99':>9}{'missed':>8}{'Jain':>6}{'over h':>8}"
    )
    return "\n".join([head, *(_line(name, found, base) for name, found in by_policy.items())])


def _line(policy: str, found: dict[Scenario, Figures], base: dict[Scenario, Figures] | None) -> str:
    each = list(found.values())

    def mean(value: Callable[[Figures], float]) -> float:
        return fmean(map(value, each))

    ratio = "-"
    if base is not None and base.keys() >= found.keys():
        ratio = f"{geometric_mean([found[at].total / base[at].total for at in found]):.3f}"
    return (
        f"{policy:<16}{ratio:>8}{mean(lambda f: f.variable):>9.0f}{mean(lambda f: f.energy):>8.0f}"
        f"{mean(lambda f: f.fixed):>9.0f}{mean(lambda f: f.delay_usd):>8.0f}"
        f"{mean(lambda f: f.mean):>8.2f}{mean(lambda f: f.p95):>7.1f}"
        f"{mean(lambda f: f.urgent_p95):>9.2f}{mean(lambda f: f.low_p99):>9.1f}"
        f"{mean(lambda f: f.missed):>8.1%}{mean(lambda f: f.jain):>6.2f}"
        f"{mean(lambda f: f.overcommitted):>8.0f}"
    )
