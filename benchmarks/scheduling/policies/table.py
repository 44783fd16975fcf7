"""The policies by name."""

from collections.abc import Callable
from typing import Final

from benchmarks.scheduling.policies.base import Inside, Policy
from benchmarks.scheduling.policies.daylily import Daylily
from benchmarks.scheduling.policies.replaced import Replaced
from benchmarks.scheduling.policies.simple import (
    Listed,
    by_arrival,
    by_length,
    by_priority,
    cheapest,
    first_fit,
)

POLICIES: Final[dict[str, Callable[[], Policy]]] = {
    "daylily": Daylily,
    "fifo": lambda: Listed(by_arrival, blocking=True),
    "easy": lambda: Listed(by_arrival, backfill=by_arrival),
    "easy-ff": lambda: Listed(by_arrival, first_fit, backfill=by_arrival),
    "easy-sjbf": lambda: Listed(by_arrival, backfill=by_length),
    "sjf": lambda: Listed(by_length),
    "priority-easy": lambda: Listed(by_priority, cheapest, backfill=by_priority),
    "replaced-shared": lambda: Replaced(Inside.SHARED),
    "replaced-queued": lambda: Replaced(Inside.QUEUED),
}
