"""The event feed of this replica: one reader of the store's lanes, any number of watchers.

A lane has no gaps and no event ever lands behind a reader, so the position of a reader is a slot per
lane. The tail keeps the last events of each lane in memory; a watcher that is further back reads the
store for itself.
"""

import asyncio
import heapq
import math
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog

from daylily_runtime import Clock, Lifecycle, wait_first
from daylily_state.app.shared_reads import SharedReads
from daylily_state.domain.errors import InvalidCursorError, StoppingError, StoreUnavailableError
from daylily_state.domain.events import Event
from daylily_state.domain.model import LANES
from daylily_state.domain.records import Position
from daylily_state.ports import Store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PROBE_SECONDS: Final = 0.25
HEARTBEAT_SECONDS: Final = 20.0
_LATE_SECONDS: Final = 1.0  # at most, is a heartbeat to who was just busy when it was looked for
_KEPT_PER_LANE: Final = 512
_READ_AT_ONCE: Final = 200
_TOLD_AT_ONCE: Final = 500  # of the largest events: half a megabyte
# Of all watchers that are further back than the tail's memory: the store has others to answer too.
_LANES_AT_ONCE: Final = 8
# More than the clocks of two replicas may differ by: what is looked for by time begins so much earlier.
_CLOCKS_APART: Final = timedelta(seconds=5)
# A store that fails is asked again after this long.
_PAUSE_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Batch:
    """Events in order of each lane, each with the position right after it; none: a heartbeat."""

    events: Sequence[tuple[Event, Position]]
    position: Position


class Feed:
    """Follows the lanes while somebody watches.

    `run` has to run in the background. Events that this process commits reach its watchers at once,
    those of other replicas with the next probe.

    Args:
        store: where the lanes are.
        clock: for probes and heartbeats.
        lifecycle: ends the watches when the server stops.
    """

    def __init__(self, store: Store, clock: Clock, lifecycle: Lifecycle) -> None:
        self._store = store
        self._clock = clock
        self._lifecycle = lifecycle
        self._heads: list[int] = []
        self._recent = [deque[Event](maxlen=_KEPT_PER_LANE) for _ in range(LANES)]
        self._watchers = 0
        self._watched = asyncio.Event()
        self._dirty: set[int] = set()
        self._woken = asyncio.Event()
        self._told = 0
        self._waiting: dict[asyncio.Future[None], float] = {}  # watchers, and when to wake each
        self._reading = asyncio.Semaphore(_LANES_AT_ONCE)
        self._shared = SharedReads()

    @property
    def watchers(self) -> int:
        """How many watch now, this server's own tasks too."""
        return self._watchers

    # --- the tail ---

    def committed(self, event: Event) -> None:
        """Take note of an event that this process has put into the store."""
        if not self._heads:
            return
        if event.seq == self._heads[event.lane] + 1:
            self._append(event)
            self._tell()
        elif event.seq > self._heads[event.lane]:
            self._dirty.add(event.lane)
            self._woken.set()

    async def run(self) -> None:
        """Read what is new, for ever; while nobody watches, nothing is read."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._tail(), name="feed.tail")
            tasks.create_task(self._keep_time(), name="feed.keep_time")
            tasks.create_task(self._say_stopping(), name="feed.say_stopping")

    async def _tail(self) -> None:
        while True:
            await self._watched.wait()
            try:
                await self._look()
            except StoreUnavailableError:
                _log.warning("feed_read_failed")
                await self._clock.sleep(_PAUSE_SECONDS)
            await wait_first(self._woken, self._clock.sleep(PROBE_SECONDS))
            self._woken.clear()

    async def _look(self) -> None:
        if not self._heads:
            self._heads = list(await self._store.heads())
            self._tell()
        dirty, self._dirty = self._dirty, set()
        lanes = dirty | await self._store.probe(tuple(self._heads))
        for lane in sorted(lanes):
            await self._catch_up(lane)

    async def _catch_up(self, lane: int) -> None:
        """Read a lane to its end. A hole is a store that lags: read again strongly, never skipped."""
        strong = False
        while True:
            head = self._heads[lane]
            events = await self._store.read_lane(lane, head, _READ_AT_ONCE, strong=strong)
            for event in events:
                if event.seq == self._heads[lane] + 1:
                    self._append(event)
            if self._heads[lane] > head:
                self._tell()
            whole = bool(events) and self._heads[lane] >= events[-1].seq
            if whole and len(events) == _READ_AT_ONCE:
                continue
            if whole or strong:
                return
            strong = True

    def _append(self, event: Event) -> None:
        self._heads[event.lane] = event.seq
        self._recent[event.lane].append(event)

    # --- waking watchers ---

    # There may be hundreds, and each event wakes them all: one future for each, and not the three
    # tasks that waiting for the first of three things takes.

    def _tell(self) -> None:
        self._told += 1
        for waiter in self._waiting:
            _wake(waiter)

    async def _keep_time(self) -> None:
        """Wake watchers whose heartbeat is due."""
        while True:
            now = self._clock.monotonic()
            for waiter, due in self._waiting.items():
                if due <= now:
                    _wake(waiter)
            dues = (due for waiter, due in self._waiting.items() if not waiter.done())
            await self._clock.sleep(min(min(dues, default=math.inf) - now, _LATE_SECONDS))

    async def _say_stopping(self) -> None:
        await self._lifecycle.stopping.wait()
        self._tell()

    async def _wait(self, told: int, due: float = math.inf) -> None:
        """Until something was told since this count, or the time has come.

        Raises:
            StoppingError: the server stops.
        """
        if self._told == told and not self._lifecycle.is_stopping:
            waiter = asyncio.get_running_loop().create_future()
            self._waiting[waiter] = due
            try:
                await waiter
            finally:
                del self._waiting[waiter]
        if self._lifecycle.is_stopping:
            raise StoppingError

    # --- reading ---

    async def now(self) -> Position:
        """The end of the feed, as the store has it."""
        return await self._store.heads()

    async def position_at(self, moment: datetime) -> Position:
        """A position at or a little before the first event that happened at this time or later."""
        heads = await self._store.heads()
        firsts = await asyncio.gather(
            *(self._slot_before(lane, head, moment) for lane, head in enumerate(heads))
        )
        return tuple(firsts)

    async def _slot_before(self, lane: int, head: int, moment: datetime) -> int:
        """Bisect a lane. Events lie in it by commit, which is by time but for what clocks differ."""
        low, high = 0, head
        while low < high:
            middle = (low + high) // 2
            events = await self._store.read_lane(lane, middle, 1, strong=True)
            if events and events[0].occurred_at + _CLOCKS_APART < moment:
                low = middle + 1
            else:
                high = middle
        return low

    async def watch(
        self, position: Position, wanted: Callable[[Event], bool] = lambda _: True
    ) -> AsyncIterator[Batch]:
        """Batches of wanted events behind a position, and heartbeats: at the end, then every 20 s.

        The position moves on over events that are not wanted; a heartbeat says how far.

        Raises:
            InvalidCursorError: the position lies behind the end of the feed.
            StoreUnavailableError: events that are not in memory cannot be read.
            StoppingError: the server stops; go on at another one.
        """
        self._watchers += 1
        self._watched.set()
        try:
            await self._begun(position)
            beat_due = 0.0  # the first heartbeat comes as soon as the end is reached
            while True:
                told = self._told
                events = await self._behind(position)
                if events:
                    batch = self._batch(position, events, wanted)
                    position = batch.position
                    if batch.events:
                        yield batch
                    continue
                if self._clock.monotonic() >= beat_due:
                    yield Batch((), position)
                    beat_due = self._clock.monotonic() + HEARTBEAT_SECONDS
                await self._wait(told, beat_due)
        finally:
            self._watchers -= 1
            if not self._watchers:
                self._watched.clear()

    async def follow(
        self, position: Position, wanted: Callable[[Event], bool] = lambda _: True
    ) -> AsyncIterator[Batch]:
        """The same for tasks of this server, which are cancelled soon after it begins to stop.

        Raises:
            StoreUnavailableError: events that are not in memory cannot be read.
        """
        try:
            async for batch in self.watch(position, wanted):
                yield batch
        except StoppingError:
            await asyncio.Event().wait()

    async def _begun(self, position: Position) -> None:
        """Wait until the tail knows the heads, and refuse a position that it cannot reach."""
        while not self._heads:
            await self._wait(self._told)
        if any(seq > head for seq, head in zip(position, self._heads, strict=True)):
            heads = await self._store.heads()  # this replica may lag behind the one that gave it
            if any(seq > head for seq, head in zip(position, heads, strict=True)):
                raise InvalidCursorError(field="cursor")

    async def _behind(self, position: Position) -> Sequence[Event]:
        """Some events behind a position, ordered within each lane and roughly by time.

        Of each lane no more is read than is told: who is far behind reads nothing twice.
        """
        behind = [lane for lane, seq in enumerate(position) if self._heads[lane] > seq]
        if not behind:
            return ()
        each = max(_TOLD_AT_ONCE // len(behind), 1)
        found: list[Sequence[Event]] = []
        reads: list[Awaitable[Sequence[Event]]] = []
        for lane in behind:
            recent = self._recent_behind(lane, position[lane], each)
            if recent is None:
                reads.append(self._read_behind(lane, position[lane], each))
            else:
                found.append(recent)
        if reads:
            found += await asyncio.gather(*reads)
        return list(heapq.merge(*found, key=lambda event: event.occurred_at))

    def _recent_behind(self, lane: int, seq: int, limit: int) -> Sequence[Event] | None:
        """Events behind a slot that the tail has in memory; None if it does not have the first."""
        recent = self._recent[lane]
        if not recent or recent[0].seq > seq + 1:
            return None
        start = seq + 1 - recent[0].seq
        return [recent[at] for at in range(start, min(start + limit, len(recent)))]

    async def _read_behind(self, lane: int, seq: int, limit: int) -> Sequence[Event]:
        events = await self._shared.read((lane, seq, limit), self._read_lane)
        return [event for event in events if event.seq <= self._heads[lane]]

    async def _read_lane(self, lane: int, seq: int, limit: int) -> Sequence[Event]:
        async with self._reading:
            return await self._store.read_lane(lane, seq, limit, strong=True)

    @staticmethod
    def _batch(
        position: Position, events: Sequence[Event], wanted: Callable[[Event], bool]
    ) -> Batch:
        at = list(position)
        chosen: list[tuple[Event, Position]] = []
        for event in events:
            at[event.lane] = event.seq
            if wanted(event):
                chosen.append((event, tuple(at)))
        return Batch(chosen, tuple(at))


def _wake(waiter: "asyncio.Future[None]") -> None:
    if not waiter.done():
        waiter.set_result(None)
