"""Pictures of a comparison: cost against delay, waits by priority, use over time."""

from collections.abc import Sequence
from pathlib import Path
from statistics import fmean
from typing import Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Picture
from numpy.typing import NDArray

from benchmarks.scheduling.compare import Comparison, Result
from benchmarks.scheduling.figures import percentile
from benchmarks.scheduling.workload import DAY
from daylily_scheduler.domain.model import Priority

SIZE: Final = (9.0, 5.0)
DOTS_PER_INCH: Final = 120
PERCENTS: Final = (50, 95, 99)
# A wait of a minute or of none: the axis is logarithmic.
SHORTEST_HOURS: Final = 1 / 60
POINTS_OF_USE: Final = 400
HEIGHT_OF_A_ROW: Final = 0.9


def draw(comparison: Comparison, folder: Path, name: str) -> list[Path]:
    """Three pictures as PNG files in the folder, which is made where it is missing."""
    folder.mkdir(parents=True, exist_ok=True)
    by_policy: dict[str, list[Result]] = {}
    for result in comparison.results:
        by_policy.setdefault(result.policy, []).append(result)
    return [
        _saved(_cost_against_delay(by_policy), folder / f"{name}-cost-against-delay.png"),
        _saved(_waits(by_policy), folder / f"{name}-waits.png"),
        _saved(_use(by_policy), folder / f"{name}-use.png"),
    ]


def axes(title: str, x: str, y: str) -> tuple[Picture, Axes]:
    """An empty picture. Not by pyplot, which keeps every picture it ever made."""
    picture = Picture(figsize=SIZE, dpi=DOTS_PER_INCH, layout="constrained")
    found = picture.subplots()
    found.set(title=title, xlabel=x, ylabel=y)
    found.grid(visible=True, alpha=0.3)
    return picture, found


def _saved(picture: Picture, path: Path) -> Path:
    picture.savefig(path)
    return path


def _cost_against_delay(by_policy: dict[str, list[Result]]) -> Picture:
    picture, found = axes(
        "Cost against delay, means over the windows",
        "weighted delay, $",
        "vCPU-hours and clusters, $",
    )
    for name, results in by_policy.items():
        delay = fmean(result.figures.delay_usd for result in results)
        cost = fmean(result.figures.energy + result.figures.fixed for result in results)
        found.scatter(delay, cost, s=60, label=name)
    found.set_xscale("log")
    # Beside the picture: policies that do alike would write over each other.
    picture.legend(loc="outside right upper")
    return picture


def _waits(by_policy: dict[str, list[Result]]) -> Picture:
    picture, found = axes("Delay by priority: p50, p95, p99 of all windows", "", "hours")
    width = 1 / (len(Priority) + 1)
    for shift, priority in enumerate(Priority):
        for at, results in enumerate(by_policy.values()):
            hours = [
                hours for result in results for hours in result.played.delays.get(priority, ())
            ]
            low, high, highest = (
                max(percentile(hours, percent), SHORTEST_HOURS) for percent in PERCENTS
            )
            place, color = at + (shift - 1) * width, f"C{shift}"
            found.vlines(place, low, highest, color=color, linewidth=2)
            found.plot(place, high, "o", color=color, label=priority.name.lower() if not at else "")
    found.set_yscale("log")
    found.set_xticks(range(len(by_policy)), list(by_policy), rotation=30, ha="right")
    picture.legend(title="the dot is p95", loc="outside right upper")
    return picture


def _use(by_policy: dict[str, list[Result]]) -> Picture:
    """A row for each policy, one above the other, so that their valleys can be told apart."""
    first = next(iter(by_policy.values()))[0]
    size = (SIZE[0], HEIGHT_OF_A_ROW * (len(by_policy) + 1))
    picture = Picture(figsize=size, dpi=DOTS_PER_INCH, layout="constrained")
    picture.suptitle(f"Share of the vCPUs that work ({first.scenario.name})")
    rows = picture.subplots(len(by_policy), sharex=True, sharey=True, squeeze=False)[:, 0]
    for row, (name, results) in zip(rows, by_policy.items(), strict=True):
        times, shares = _shares(results[0].played.used)
        row.fill_between(times, shares, step="mid", alpha=0.7)
        row.set(ylim=(0, 1), yticks=(0, 0.5, 1))
        row.set_ylabel(name, rotation=0, ha="right", va="center")
        row.grid(visible=True, alpha=0.3)
    rows[-1].set_xlabel("days")
    return picture


def _shares(used: Sequence[tuple[float, int, int]]) -> tuple[list[float], list[float]]:
    """Means over equal parts of the time: every start and end would be a black bar."""
    times = np.array([at for at, _, _ in used])
    edges = np.linspace(0.0, times[-1], POINTS_OF_USE + 1)
    lengths = np.diff(times)

    def of_each_part(column: int) -> NDArray[np.float64]:
        # What was used until each change, in between it grows evenly.
        until = np.cumsum(np.array([each[column] for each in used][:-1]) * lengths)
        return np.diff(np.interp(edges, times, np.concatenate([[0.0], until])))

    busy, live = of_each_part(1), of_each_part(2)
    shares = np.divide(busy, live, out=np.zeros_like(busy), where=live > 0)
    return list((edges[1:] + edges[:-1]) / 2 / DAY), list(shares)
