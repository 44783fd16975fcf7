"""Ends the locks of holders that are gone.

Expiry is no key of an index: a renewal would have to write it. Instead each replica keeps a timer for
every lock, set by the events that grant locks and by one look at all held ones at its start. A timer
that rings reads the row; most of the time the holder has renewed, and the timer is set anew.

What may go wrong is a replica that was away itself (stopped, cut off, restarted) and takes its own
absence for the holder's: see `domain.fitness`.
"""

import asyncio
import heapq
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from itertools import chain, repeat
from typing import Final, TypeVar

import structlog

from daylily_runtime import Clock, wait_first
from daylily_state.app.deciding import Decider
from daylily_state.app.feed import Feed
from daylily_state.domain import lifecycle
from daylily_state.domain.commit import Commit
from daylily_state.domain.errors import (
    ContentionError,
    OutcomeUnknownError,
    StoreUnavailableError,
)
from daylily_state.domain.events import Event, EventType
from daylily_state.domain.fitness import PERIOD, Beat, Fitness, ahead, clock_off
from daylily_state.domain.locking import EXPIRY_MARGIN, expired
from daylily_state.domain.model import Lock, SubjectKind, lane_of
from daylily_state.domain.moment import Moment
from daylily_state.domain.retries import RetryPolicy
from daylily_state.ports import ReadSet, Rows, Store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

T = TypeVar("T")

_HELD_AT_ONCE: Final = 200
_REAPED_AT_ONCE: Final = 8
_LONGEST_SLEEP: Final = 60.0  # the wall clock may be set, so no timer is trusted for longer
_LOOK_AGAIN: Final = timedelta(seconds=1)  # at a lock that ran out, by a replica not fit for it yet
_PAUSE_SECONDS: Final = 0.5
_LOOKS_AFTER_START: Final = (2.0, 10.0, 60.0)
_LOOK_EVERY: Final = 300.0
_STORE_FAILURES: Final = (StoreUnavailableError, OutcomeUnknownError, ContentionError)


class Reaper:
    """Times locks out; `run` has to run in the background.

    Args:
        store: where locks are.
        feed: tells of new locks.
        decider: makes the timeout happen.
        clock: for expiry (wall) and fitness (monotonic).
        policy: what becomes of a workset whose lock ran out.
        replica_id: of this process, for its heartbeat in the store.
    """

    def __init__(
        self,
        store: Store,
        feed: Feed,
        decider: Decider,
        clock: Clock,
        *,
        policy: RetryPolicy,
        replica_id: str,
    ) -> None:
        self._store = store
        self._feed = feed
        self._decider = decider
        self._clock = clock
        self._policy = policy
        self._replica_id = replica_id
        self._fitness = Fitness()
        self._timers: list[tuple[datetime, str]] = []
        self._set_for: dict[
            str, datetime
        ] = {}  # a workset's timer; others of it in the heap are old
        self._earlier = asyncio.Event()

    async def run(self) -> None:
        """Beat, follow the feed and reap, for ever. A store that fails is waited for."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._beat(), name="reaper.beat")
            tasks.create_task(self._watch(), name="reaper.watch")
            tasks.create_task(self._look_again(), name="reaper.look_again")
            tasks.create_task(self._reap(), name="reaper.reap")

    @property
    def fit_seconds(self) -> float:
        """How long this replica has been fit without a break, 0 when it is not."""
        since = self._fitness.since
        return 0.0 if since is None else self._clock.monotonic() - since

    # --- fitness ---

    async def _beat(self) -> None:
        while True:
            due = self._clock.monotonic() + PERIOD
            await self._clock.sleep(PERIOD)
            began, before = self._clock.monotonic(), self._clock.now()
            try:
                said = await self._store.heartbeat(self._replica_id)
            except (StoreUnavailableError, OutcomeUnknownError):
                self._judge(Fitness())
                continue
            after = self._clock.now()
            beat = Beat(
                began=began,
                ended=self._clock.monotonic(),
                late=began - due,
                clock_off=clock_off(before, after, said),
                ahead=ahead(before, after, said),
            )
            self._judge(self._fitness.after(beat))

    def _judge(self, fitness: Fitness) -> None:
        if self._fitness.since is not None and fitness.since != self._fitness.since:
            _log.warning("reaper_not_fit", replica_id=self._replica_id)
        self._fitness = fitness

    def _now(self) -> datetime:
        """The time by which locks run out: never ahead of the store's, as far as this replica knows."""
        return self._clock.now() - timedelta(seconds=max(self._fitness.ahead, 0.0))

    # --- timers ---

    async def _watch(self) -> None:
        position = await self._persistently(self._feed.now)
        await self._persistently(self._find_held)
        while True:
            try:
                async for batch in self._feed.follow(position, _grants):
                    for event, _ in batch.events:
                        self._set_timer(event.subject_id, _expiry(event))
                    position = batch.position
            except StoreUnavailableError:
                await self._clock.sleep(_PAUSE_SECONDS)

    async def _look_again(self) -> None:
        """Find what the first look missed: the index of what is held may lag behind a grant."""
        for pause in chain(_LOOKS_AFTER_START, repeat(_LOOK_EVERY)):
            await self._clock.sleep(pause)
            await self._persistently(self._find_held)

    async def _persistently(self, work: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await work()
            except StoreUnavailableError:
                await self._clock.sleep(_PAUSE_SECONDS)

    async def _find_held(self) -> None:
        """Set timers for every lock there is, those of before this replica's start above all."""
        after: str | None = None
        while True:
            page = await self._store.list_held(after, _HELD_AT_ONCE)
            for workset in page.items:
                if workset.lock is not None:
                    self._set_timer(workset.workset_id, workset.lock.expires_at)
            after = page.next
            if after is None:
                return

    def _set_timer(self, workset_id: str, expires_at: datetime) -> None:
        self._set_for[workset_id] = expires_at
        heapq.heappush(self._timers, (expires_at, workset_id))
        if self._timers[0][1] == workset_id:
            self._earlier.set()

    # --- reaping ---

    async def _reap(self) -> None:
        while True:
            self._earlier.clear()
            due = self._take_due()
            if due:
                await asyncio.gather(*map(self._look_at, due))
            else:
                await wait_first(self._earlier, self._clock.sleep(self._next_in()))

    def _take_due(self) -> list[str]:
        due: list[str] = []
        limit = self._now() - EXPIRY_MARGIN
        while self._timers and self._timers[0][0] < limit and len(due) < _REAPED_AT_ONCE:
            expires_at, workset_id = heapq.heappop(self._timers)
            if self._set_for.get(workset_id) == expires_at:
                del self._set_for[workset_id]
                due.append(workset_id)
        return due

    def _next_in(self) -> float:
        """Seconds to the next timer; a millisecond more, as a lock has to be past its time."""
        if not self._timers:
            return _LONGEST_SLEEP
        rings = self._timers[0][0] + EXPIRY_MARGIN + timedelta(milliseconds=1)
        return min((rings - self._now()).total_seconds(), _LONGEST_SLEEP)

    async def _look_at(self, workset_id: str) -> None:
        """Time a lock out if it ran out and this replica may say so; else set its timer anew."""
        try:
            rows = await self._store.read(ReadSet(worksets=(workset_id,)))
            lock = _lock(rows, workset_id)
            if lock is not None and self._may_end(lock):
                lock = await self._time_out(workset_id)
        except _STORE_FAILURES:
            self._set_timer(workset_id, self._now() + _LOOK_AGAIN - EXPIRY_MARGIN)
            return
        if lock is not None:
            again = self._now() + _LOOK_AGAIN - EXPIRY_MARGIN
            self._set_timer(workset_id, max(lock.expires_at, again))

    def _may_end(self, lock: Lock) -> bool:
        return expired(lock, self._now()) and self._is_fit_for(lock)

    def _is_fit_for(self, lock: Lock) -> bool:
        return self._fitness.fit_for(lock.lease, self._clock.monotonic())

    async def _time_out(self, workset_id: str) -> Lock | None:
        """The lock that is still there afterwards: its holder renewed, or a new one has it."""

        def decide(rows: Rows, moment: Moment) -> Commit | None:
            workset = rows.worksets.get(workset_id)
            if workset is None or workset.lock is None or not self._may_end(workset.lock):
                return None
            details = rows.details[workset_id]
            return lifecycle.time_out(workset, details, moment, policy=self._policy)

        lane = lane_of(SubjectKind.WORKSET, workset_id)
        decided = await self._decider.decide(
            lane, ReadSet(worksets=(workset_id,), details=(workset_id,), lanes=(lane,)), decide
        )
        if decided.commit is None:
            return _lock(decided.rows, workset_id)
        event = decided.commit.event
        _log.info(
            "lock_timed_out",
            workset_id=workset_id,
            owner_id=event.owner_id,
            token=event.lock_token,
            state=event.to_state.name if event.to_state else "",
        )
        return None


def _grants(event: Event) -> bool:
    return event.type is EventType.LOCK_ACQUIRED


def _expiry(event: Event) -> datetime:
    return datetime.fromisoformat(str(event.details["expires_at"]))


def _lock(rows: Rows, workset_id: str) -> Lock | None:
    workset = rows.worksets.get(workset_id)
    return workset.lock if workset else None
