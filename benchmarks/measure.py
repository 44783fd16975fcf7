"""Latencies by operation, and the table of them held against expected figures."""

import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from statistics import quantiles


@dataclass(frozen=True)
class Row:
    """What one operation took.

    Attributes:
        per_second: how many ended per second, from the first start to the last end.
        p50, p99: milliseconds.
        limit: what p99 should stay below, in milliseconds; None where nothing is expected.
    """

    operation: str
    count: int
    per_second: float
    p50: float
    p99: float
    limit: float | None

    @property
    def too_slow(self) -> bool:
        return self.limit is not None and self.p99 > self.limit


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

    def rows(self, limits: dict[str, float]) -> list[Row]:
        return [
            _row(operation, entries, limits.get(operation))
            for operation, entries in self.taken.items()
        ]


def _row(operation: str, entries: list[tuple[float, float]], limit: float | None) -> Row:
    took = [seconds * 1000 for _, seconds in entries]
    percentiles = quantiles(took, n=100, method="inclusive") if len(took) > 1 else took * 99
    elapsed = max(ended for ended, _ in entries) - min(ended - took for ended, took in entries)
    return Row(
        operation=operation,
        count=len(entries),
        per_second=len(entries) / elapsed,
        p50=percentiles[49],
        p99=percentiles[98],
        limit=limit,
    )


def table(rows: list[Row]) -> str:
    lines = [f"{'operation':<24}{'count':>8}{'per s':>10}{'p50 ms':>10}{'p99 ms':>10}{'limit':>8}"]
    for row in rows:
        limit = "" if row.limit is None else f"{row.limit:.0f}"
        line = f"{row.operation:<24}{row.count:>8}{row.per_second:>10.0f}"
        line += f"{row.p50:>10.1f}{row.p99:>10.1f}{limit:>8}"
        lines.append(line + ("  TOO SLOW" if row.too_slow else ""))
    return "\n".join(lines)
