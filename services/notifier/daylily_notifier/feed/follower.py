"""From events to recorded deliveries."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import aclosing
from datetime import datetime
from itertools import islice
from typing import TypeVar

import structlog
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import delivery_pb2, event_pb2

from daylily_client import ConsumerLost, DaylilyError
from daylily_notifier.api.convert import event_from_proto, part_to_proto
from daylily_notifier.domain.deliveries import delivery_id, episode_id
from daylily_notifier.domain.episodes import Part, decide
from daylily_notifier.domain.event import Event
from daylily_notifier.feed.book import Book
from daylily_notifier.feed.ledger import Ledger
from daylily_notifier.feed.outcomes import FOLDED, PENDING, REPEATED
from daylily_notifier.feed.process import Process
from daylily_notifier.feed.seat import CONSUMER, Grant

T = TypeVar("T")

AT_ONCE = 25
"""Deliveries that PutDeliveries takes."""
_ACK_EVERY = 1.0
"""Seconds between acknowledgements where nothing had to be recorded: reading those events again
after a crash costs nothing but the reading."""
_PAUSE = 1.0

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Follower:
    """Reads the feed from the consumer's position on, and records what is to be delivered.

    Args:
        book: the routes and channels of now.
        wake: told the name of a channel for which something was recorded.
    """

    def __init__(self, process: Process, book: Book, wake: Callable[[str], None]) -> None:
        self._state = process.state
        self._clock = process.clock
        self._stats = process.stats
        self._measures = process.measures
        self._book = book
        self._ledger = Ledger(process.state)
        self._wake = wake
        self._acked = ""
        self._acked_at = 0.0
        self.heard_at: datetime | None = None
        """When state was last heard; None while this process does not follow the feed."""

    async def follow(self, grant: Grant) -> None:
        """Follow the feed for ever.

        Raises:
            ConsumerLost: another notifier has the seat.
        """
        self._ledger.forget()  # another may have written since
        self.heard_at = self._clock.now()
        try:
            await self._follow(grant)
        finally:
            self.heard_at = None

    async def _follow(self, grant: Grant) -> None:
        while True:
            try:
                # From the durable position every time: what was read and not recorded comes again.
                async with aclosing(self._state.watch_events(consumer=CONSUMER)) as answers:
                    async for answer in answers:
                        self.heard_at = self._clock.now()
                        await self._record(answer, grant)
            except ConsumerLost:
                raise
            except DaylilyError as error:
                _log.warning("feed_interrupted", error=str(error))
                self._ledger.forget()
            await self._clock.sleep(_PAUSE)

    async def _record(self, answer: state_pb2.WatchEventsResponse, grant: Grant) -> None:
        """Keep the deliveries of all events of `answer`, then what they changed, then acknowledge.

        In this order: an event is in an episode only when its deliveries are kept, and is
        acknowledged only when it is in its episode.
        """
        events = [event_from_proto(event) for event in answer.events]
        await self._ledger.learn(events)
        deliveries = [
            delivery
            for event, proto in zip(events, answer.events, strict=True)
            for delivery in self._deliveries(event, proto)
        ]
        *first, last = [*batched(deliveries, AT_ONCE)] or [[]]
        for chunk in first:
            await self._state.put_deliveries(deliveries=chunk)
        if last and not self._ledger.changed:
            # Only with the last of them: the cursor stands behind all events of the answer.
            await self._state.put_deliveries(
                deliveries=last,
                consumer=CONSUMER,
                consumer_token=grant.token,
                cursor=answer.cursor,
            )
            self._remember(answer.cursor)
        elif last or self._ledger.changed:
            if last:
                await self._state.put_deliveries(deliveries=last)
            await self._ledger.write()
            await self._acknowledge(answer.cursor, grant)
        elif self._clock.monotonic() - self._acked_at >= _ACK_EVERY:
            await self._acknowledge(answer.cursor, grant)
        self._stats.events_handled += len(answer.events)
        for delivery in deliveries:
            if delivery.state == FOLDED:
                self._measures.folded(delivery.channel)
        for channel in {each.channel for each in deliveries if each.state == PENDING}:
            self._wake(channel)

    def _deliveries(self, event: Event, proto: event_pb2.Event) -> Iterator[delivery_pb2.Delivery]:
        told, changed = decide(
            event, self._book.channels_for(event), self._ledger.of(event), self._book.tracks
        )
        self._ledger.stage(event, proto.subject, changed)
        self._stats.events_unrouted += not told
        for each in told:
            key = delivery_id(event.event_id, each.channel, each.cause if each.extra else "")
            yield delivery_pb2.Delivery(
                delivery_id=key,
                channel=each.channel,
                event=proto,
                dedup_key=key,
                # Due since it happened: those recorded together are sent in their order.
                next_attempt_at=proto.occurred_at,
                episode_id=(
                    episode_id(event.subject_kind, event.subject_id, each.cause)
                    if each.cause
                    else ""
                ),
                episode_part=part_to_proto(each.part),
                opening_event_id=each.opening_event_id,
                # Told by what it repeats: nobody has to look at it again.
                state=FOLDED if each.part is Part.REPEAT else PENDING,
                answer=REPEATED if each.part is Part.REPEAT else "",
            )

    async def _acknowledge(self, cursor: str, grant: Grant) -> None:
        if cursor and cursor != self._acked:
            await self._state.ack_events(
                consumer=CONSUMER, consumer_token=grant.token, cursor=cursor
            )
            self._remember(cursor)

    def _remember(self, cursor: str) -> None:
        self._ledger.acknowledged()
        self._acked = cursor
        self._acked_at = self._clock.monotonic()


def batched(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of `size`, the last of which may be shorter."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
