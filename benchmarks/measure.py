"""Latencies by operation, percentiles, and turns of two things that are compared."""

import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import quantiles
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True)
class Took:
    """What many calls took: each in seconds, and all of them from the first start to the last end."""

    each: Sequence[float]
    seconds: float

    @property
    def per_second(self) -> float:
        return len(self.each) / self.seconds

    def percentile(self, percent: int) -> float:
        """Of what each took, in milliseconds."""
        return percentile([seconds * 1000 for seconds in self.each], percent)


def together(rounds: Iterable[Took]) -> Took:
    """All rounds of one side as one."""
    rounds = list(rounds)
    return Took(
        [seconds for took in rounds for seconds in took.each], sum(took.seconds for took in rounds)
    )


@dataclass
class Measurements:
    """Seconds each operation took, and when it ended."""

    taken: dict[str, list[tuple[float, float]]] = field(default_factory=lambda: defaultdict(list))

    def add(self, operation: str, seconds: float) -> None:
        self.taken[operation].append((time.perf_counter(), seconds))

    @contextmanager
    def timed(self, operation: str) -> Iterator[None]:
        """Measure the block; one that raises is not counted."""
        begun = time.perf_counter()
        yield
        self.add(operation, time.perf_counter() - begun)

    def percentile(self, operation: str, percent: int) -> float:
        """Of what the operation took, in milliseconds."""
        return percentile([seconds * 1000 for _, seconds in self.taken[operation]], percent)

    def per_second(self, operation: str) -> float:
        """How many ended per second, from the first start to the last end."""
        entries = self.taken[operation]
        first = min(ended - took for ended, took in entries)
        return len(entries) / (max(ended for ended, _ in entries) - first)


def percentile(numbers: Sequence[float], percent: int) -> float:
    if len(numbers) == 1:
        return numbers[0]
    return quantiles(numbers, n=100, method="inclusive")[percent - 1]


def in_turns(rounds: int, sides: Mapping[str, Callable[[], T]]) -> dict[str, list[T]]:
    """Every side once a round, A B A B …, so that what else the machine does meets them alike."""
    found: dict[str, list[T]] = {name: [] for name in sides}
    for number in range(1, rounds + 1):
        for name, side in sides.items():
            progress(f"round {number} of {rounds}: {name}")
            found[name].append(side())
    return found


def progress(said: str) -> None:
    """A line for who waits; the table alone goes to stdout."""
    print(f"  {said}", file=sys.stderr, flush=True)
