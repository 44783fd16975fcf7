"""The counts of this replica: folded from the feed, and checkpointed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import structlog

from daylily_runtime import Clock, wait_first
from daylily_state.app.feed import Batch, Feed
from daylily_state.domain import cursor
from daylily_state.domain.counts import Counts, Depth, Image
from daylily_state.domain.errors import (
    InvalidCursorError,
    OutcomeUnknownError,
    StoreUnavailableError,
)
from daylily_state.domain.records import Position, Snapshot
from daylily_state.ports import Store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SNAPSHOT: Final = "state.counts"
_CHECKPOINT_SECONDS: Final = 60.0
_UNIT_BYTES: Final = 1024  # of a write unit of DynamoDB
_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Counted:
    """The counts, exact at a position of the feed."""

    depth: Depth
    position: Position
    at: datetime


class Counting:
    """Counts worksets by following the feed; `run` has to run in the background.

    A replica starts from the last checkpoint that any replica has left and folds what came since.
    A checkpoint holds every READY workset, so it may be large. It is written when as many events came
    since the last one as it took write units: so it adds one unit at most to what an event costs, and
    whoever starts from it has that many events to fold (5 to 12 for a thousand READY worksets), and
    those of a minute.
    """

    def __init__(self, store: Store, feed: Feed, clock: Clock) -> None:
        self._store = store
        self._feed = feed
        self._clock = clock
        self._counts = Counts()
        self._position: Position = cursor.BEGINNING
        self._saved: Position = cursor.BEGINNING
        self._saved_units = 0
        self._caught_up = asyncio.Event()

    async def now(self) -> Counted:
        """The counts as far as this replica has seen the feed; waits until it has seen it whole."""
        await self._caught_up.wait()
        return self._counted()

    def known(self) -> Counted | None:
        """The counts as far as this replica has seen the feed; None until it has seen it whole."""
        return self._counted() if self._caught_up.is_set() else None

    def _counted(self) -> Counted:
        at = self._clock.now()
        return Counted(self._counts.depth(at), self._position, at)

    async def run(self) -> None:
        """Fold the feed for ever. A store that fails is waited for; nothing is counted twice."""
        await self._persistently(self._load)
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._follow_always(), name="counting.follow")
            tasks.create_task(self._checkpoint_always(), name="counting.checkpoint")

    async def _follow_always(self) -> None:
        while True:
            await self._persistently(self._follow)

    async def _persistently(self, work: Callable[[], Awaitable[None]]) -> None:
        while True:
            try:
                return await work()
            except StoreUnavailableError:
                _log.warning("counts_wait_for_store")
                await self._clock.sleep(_PAUSE_SECONDS)

    async def _load(self) -> None:
        found = await self._store.get_snapshot(SNAPSHOT)
        if found is not None:
            await self._take(found)

    async def _take(self, found: Snapshot) -> None:
        """Begin with a checkpoint. One that cannot be read, or is ahead of the feed because the
        tables were restored from different times, is left aside: all of the feed is folded anew.
        """
        heads = await self._store.heads()
        try:
            position = cursor.decode(found.cursor)
            counts = await asyncio.to_thread(_load, found.data)
        except (ValueError, InvalidCursorError) as error:
            _log.warning("counts_checkpoint_unreadable", error=repr(error))
            return
        if any(seq > head for seq, head in zip(position, heads, strict=True)):
            _log.warning("counts_checkpoint_ahead_of_feed", cursor=found.cursor)
            return
        self._counts = counts
        self._position = self._saved = position
        self._saved_units = len(found.data) // _UNIT_BYTES

    async def _follow(self) -> None:
        async for batch in self._batches():
            for event, _ in batch.events:
                self._counts.apply(event)
            self._position = batch.position
            if not batch.events:
                self._caught_up.set()

    def _batches(self) -> AsyncIterator[Batch]:
        return self._feed.follow(self._position)

    async def _checkpoint_always(self) -> None:
        # What a replica has read at its start is kept at once: the next one need not read it again.
        await wait_first(self._caught_up, self._clock.sleep(_CHECKPOINT_SECONDS))
        while True:
            try:
                await self._checkpoint()
            except (StoreUnavailableError, OutcomeUnknownError) as error:
                _log.warning("counts_checkpoint_failed", error=repr(error))
            await self._clock.sleep(_CHECKPOINT_SECONDS)

    async def _checkpoint(self) -> None:
        """Keep what is counted now, in a thread: the feed is followed meanwhile."""
        if sum(self._position) - sum(self._saved) <= self._saved_units:
            return
        position, image = self._position, self._counts.image()
        data = await asyncio.to_thread(image.dump)
        at = self._clock.now()
        await self._store.put_snapshot(Snapshot(SNAPSHOT, cursor.encode(position), data, at))
        self._saved = position
        self._saved_units = len(data) // _UNIT_BYTES


def _load(data: bytes) -> Counts:
    return Counts.of(Image.load(data))
