"""Keeps the book up to date with state.

First where the feed stands, then all rows, then the events since: nothing falls between. The feed is
followed from a minute before the rows were read, because the lists of a store may lag behind its
commits. Whatever comes twice or late is told apart by its version.
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Final

import structlog
from daylily.workset.v1 import event_pb2, workset_pb2

from daylily_client.errors import InvalidCursor
from daylily_client.state import AsyncStateClient
from daylily_runtime.clock import Clock
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.model import Workset
from daylily_scheduler.feed.long_lived import LongLived
from daylily_scheduler.feed.reader import Reader
from daylily_scheduler.feed.refresher import Refresher
from daylily_scheduler.feed.rows import moment

LIST_LAG: Final = timedelta(seconds=60)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_CLUSTER_CHANGED = frozenset(
    {
        event_pb2.EVENT_TYPE_CLUSTER_REGISTERED,
        event_pb2.EVENT_TYPE_CLUSTER_DRAINING,
        event_pb2.EVENT_TYPE_CLUSTER_REMOVED,
        event_pb2.EVENT_TYPE_CLUSTER_REPORTED,
    }
)
_SIGNS_OF_LIFE = frozenset(
    {event_pb2.EVENT_TYPE_CLUSTER_REGISTERED, event_pb2.EVENT_TYPE_CLUSTER_REPORTED}
)
_ENDED = frozenset({workset_pb2.WORKSET_STATE_COMPLETE, workset_pb2.WORKSET_STATE_ERROR})
_RUNNING = frozenset({workset_pb2.WORKSET_STATE_LOCKED, workset_pb2.WORKSET_STATE_IN_PROGRESS})


class Follower:
    """Fills the book and follows the feed into it, for ever.

    Args:
        state: the state service.
        reader: for rows.
        refresher: told of what has to be read anew.
        book: what is kept.
        clock: time.
        settle: called after every change of the book.
    """

    def __init__(
        self,
        state: AsyncStateClient,
        reader: Reader,
        refresher: Refresher,
        book: Book,
        *,
        clock: Clock,
        settle: Callable[[], None],
    ) -> None:
        self._state = state
        self._reader = reader
        self._refresher = refresher
        self._book = book
        self._clock = clock
        self._settle = settle
        self.caught_up = asyncio.Event()
        """Set while the book holds all that was committed before it was filled."""
        self.caught_up_at: datetime | None = None
        self.heard_at: datetime | None = None
        """When the last answer of the feed was applied, a heartbeat too."""
        self._long_lived = LongLived()
        self.cursor = ""
        """Position in the feed that the book stands for."""

    async def run(self) -> None:
        while True:
            since = await self._fill()
            try:
                await self._follow(since)
            except InvalidCursor:
                # The store was set back behind what this process saw of it: begin anew.
                _log.warning("feed_position_refused", cursor=self.cursor)
            self.caught_up.clear()

    async def _fill(self) -> datetime:
        """Reads all rows. Returns the time from which on events have to be followed."""
        since = await self._reader.now() - LIST_LAG
        self._book.clear()
        now = self._clock.now()
        self._book.set_clusters(await self._reader.clusters(), frozenset(), now)
        for state in (workset_pb2.WORKSET_STATE_IN_PROGRESS, workset_pb2.WORKSET_STATE_LOCKED):
            await self._reader.worksets_in(state, lambda row: self._take(row, now))
        # Those that depend on others are not in the queue; the feed tells when they can start.
        await self._reader.queue(lambda row: self._take(row, now))
        # After the worksets that run: what is reserved for them is in these rows already.
        self._book.set_customers(await self._reader.customers())
        _log.info("book_filled", waiting=len(self._book.queue), running=len(self._book.active))
        return since

    def _take(self, row: Workset, now: datetime) -> None:
        self._book.put(row, now)
        self._long_lived.took()

    async def _follow(self, since: datetime) -> None:
        watch = self._state.watch_events(since=since)
        try:
            async for answer in watch:
                await self._apply(answer.events)
                self.cursor = answer.cursor
                self.heard_at = self._clock.now()
                if not answer.events and not self.caught_up.is_set():
                    # State sends an empty answer as soon as it has sent all there is.
                    self.caught_up_at = self.heard_at
                    self.caught_up.set()
                    _log.info("caught_up", cursor=self.cursor)
                self._settle()
        finally:
            await watch.aclose()

    async def _apply(self, events: Sequence[event_pb2.Event]) -> None:
        unknown: dict[str, None] = {}
        for event in events:
            if event.workset_id:
                if self._is_news(event) and not self._apply_to_workset(event):
                    unknown[event.workset_id] = None
            elif event.type in _CLUSTER_CHANGED:
                self._apply_to_cluster(event)
            elif event.type == event_pb2.EVENT_TYPE_CUSTOMER_UPDATED:
                self._refresher.customers()
        if unknown:
            # What left the queue by these events is settled before the others are read.
            self._settle()
            now = self._clock.now()
            rows, _ = await self._reader.worksets(unknown)
            for row in rows:
                self._take(row, now)

    def _is_news(self, event: event_pb2.Event) -> bool:
        known = self._book.known(event.workset_id)
        return known is None or event.version > known.version

    def _apply_to_workset(self, event: event_pb2.Event) -> bool:
        """Applies what the event alone tells. False: the workset's row has to be read."""
        known = self._book.known(event.workset_id)
        if event.to_state in _ENDED:
            # Also of one that is no longer known: its row may have been read after it ended.
            self._refresher.spending(event.customer_id)
            self._book.forget(event.workset_id, event.version, event.cluster_name)
            return True
        if event.to_state == workset_pb2.WORKSET_STATE_IGNORED:
            if event.from_state not in _RUNNING:
                self._book.forget(event.workset_id, event.version, event.cluster_name)
                return True
            # Cancelled while it runs: the lock and its room stay until the holder lets go.
            return known is not None and self._book.cancel(event.workset_id, event.version)
        if event.to_state in _RUNNING and known is not None and event.cluster_name:
            return self._book.run(
                event.workset_id,
                event.cluster_name,
                event.version,
                started=event.to_state == workset_pb2.WORKSET_STATE_IN_PROGRESS,
                at=moment(event.occurred_at),
            )
        return False

    def _apply_to_cluster(self, event: event_pb2.Event) -> None:
        if event.type in _SIGNS_OF_LIFE:
            self._book.hear(event.subject.id, moment(event.occurred_at), self._clock.now())
        self._refresher.clusters(soon=event.type != event_pb2.EVENT_TYPE_CLUSTER_REPORTED)
