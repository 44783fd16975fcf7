"""Stretches of lanes that several watchers read at about the same time, read once.

When a replica starts, its own tasks read the feed from nearly the same position; when another one ends,
all its watchers come with nearly the same cursor. What lies in a slot never changes, so they can share it.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Final

from daylily_state.domain.events import Event

_EVENTS_KEPT: Final = 4_000

Stretch = tuple[int, int, int]
"""A lane, the slot before the first, and how many at most."""


@dataclass(slots=True)
class _Read:
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)
    events: Sequence[Event] | None = None


class SharedReads:
    """The latest stretches that were read whole."""

    def __init__(self) -> None:
        self._reads: dict[Stretch, _Read] = {}

    async def read(
        self, wanted: Stretch, read: Callable[[int, int, int], Awaitable[Sequence[Event]]]
    ) -> Sequence[Event]:
        """The events of a stretch: those that are kept, or what `read` finds.

        Who comes while another reads it waits for that one; should that one fail or be cancelled, it
        reads for itself. A stretch that ends before it is full is not kept: its lane grows.
        """
        kept = self._reads.get(wanted) or self._keep(wanted)
        async with kept.reading:
            if kept.events is not None:
                return kept.events
            events = await read(*wanted)
            if len(events) == wanted[2]:
                kept.events = events
            return events

    def _keep(self, wanted: Stretch) -> _Read:
        kept = self._reads[wanted] = _Read()
        room = _EVENTS_KEPT - sum(limit for _, _, limit in self._reads)
        for oldest in list(self._reads):
            if room >= 0 or oldest == wanted:
                break
            del self._reads[oldest]
            room += oldest[2]
        return kept
