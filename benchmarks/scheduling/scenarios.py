"""What is simulated: a window of a trace at a load, with the prices and the chance of a seed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.scheduling import platforms
from benchmarks.scheduling.platforms import SYNTHETIC_PRICES, Platform, read_prices
from benchmarks.scheduling.swf import read_swf
from benchmarks.scheduling.synthetic import synthetic
from benchmarks.scheduling.workload import DAY, Job, Raw, stretched, window

WINDOW_DAYS: Final = 50
SYNTHETIC_DAYS: Final = 340
LOAD: Final = 0.85
# Every second window is for choosing constants, the others for reporting what they are worth.
TUNING: Final = "tuning"
REPORTING: Final = "reporting"
ALL: Final = "all"


@dataclass(frozen=True, slots=True)
class Source:
    """Where work and prices come from; None for the built-in ones."""

    trace: Path | None = None
    prices: Path | None = None
    synthetic_seed: int = 1

    def rows(self) -> list[Raw]:
        if self.trace is None:
            return synthetic(self.synthetic_seed, SYNTHETIC_DAYS)
        return read_swf(self.trace)

    def zone_prices(self) -> dict[str, float]:
        return SYNTHETIC_PRICES if self.prices is None else read_prices(self.prices)


@dataclass(frozen=True, slots=True)
class Scenario:
    """One window.

    Attributes:
        start: the day of the log on which the window begins.
        days: its length in the log; the simulated time is what the load makes of it.
        seed: of priorities and deadlines, and of the zones together with `start`.
    """

    start: float
    days: float = WINDOW_DAYS
    load: float = LOAD
    seed: int = 1
    elastic: bool = False

    @property
    def name(self) -> str:
        return f"day {self.start:g}, seed {self.seed}"

    def build(self, rows: Iterable[Raw], prices: dict[str, float]) -> tuple[Platform, list[Job]]:
        """The clusters and the jobs of the window. The load is measured against the static platform,
        so that an elastic one gets the same work.
        """
        chosen = f"{self.seed}/{self.start:g}"
        static = platforms.static(prices, chosen)
        platform = platforms.elastic(prices, chosen) if self.elastic else static
        found = window(rows, self.start, self.days)
        return platform, stretched(found, self.days, static.vcpus, self.load, self.seed)


def starts(rows: Sequence[Raw], days: float, which: str = ALL) -> list[float]:
    """The days on which the whole windows of a log begin, one after the other, or every second."""
    length = max(row.submitted for row in rows) / DAY
    found = [number * days for number in range(max(int(length / days), 1))]
    if which == ALL or len(found) == 1:
        return found
    return found[which == REPORTING :: 2]
