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
from daylily_notifier.api.convert import event_from_proto
from daylily_notifier.domain.deliveries import delivery_id
from daylily_notifier.domain.routing import Route, channels_for
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
        wake: told the name of a channel for which something was recorded.
    """

    def __init__(
        self, process: Process, routes: tuple[Route, ...], wake: Callable[[str], None]
    ) -> None:
        self._state = process.state
        self._clock = process.clock
        self._stats = process.stats
        self._routes = routes
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
            await self._clock.sleep(_PAUSE)

    async def _record(self, answer: state_pb2.WatchEventsResponse, grant: Grant) -> None:
        """Keep the deliveries of all events of `answer`, then acknowledge them."""
        deliveries = [delivery for event in answer.events for delivery in self._deliveries(event)]
        *first, last = [*batched(deliveries, AT_ONCE)] or [[]]
        for chunk in first:
            await self._state.put_deliveries(deliveries=chunk)
        if last:
            # Only with the last of them: the cursor stands behind all events of the answer.
            await self._state.put_deliveries(
                deliveries=last,
                consumer=CONSUMER,
                consumer_token=grant.token,
                cursor=answer.cursor,
            )
            self._remember(answer.cursor)
        elif self._clock.monotonic() - self._acked_at >= _ACK_EVERY:
            await self._acknowledge(answer.cursor, grant)
        self._stats.events_handled += len(answer.events)
        for channel in {delivery.channel for delivery in deliveries}:
            self._wake(channel)

    def _deliveries(self, event: event_pb2.Event) -> list[delivery_pb2.Delivery]:
        channels = channels_for(event_from_proto(event), self._routes)
        self._stats.events_unrouted += not channels
        made = []
        for channel in channels:
            key = delivery_id(event.event_id, channel)
            made.append(
                delivery_pb2.Delivery(
                    delivery_id=key,
                    channel=channel,
                    event=event,
                    dedup_key=key,
                    # Due since it happened: those recorded together are sent in their order.
                    next_attempt_at=event.occurred_at,
                )
            )
        return made

    async def _acknowledge(self, cursor: str, grant: Grant) -> None:
        if cursor and cursor != self._acked:
            await self._state.ack_events(
                consumer=CONSUMER, consumer_token=grant.token, cursor=cursor
            )
            self._remember(cursor)

    def _remember(self, cursor: str) -> None:
        self._acked = cursor
        self._acked_at = self._clock.monotonic()


def batched(items: Sequence[T], size: int) -> Iterator[list[T]]:
    """`items` in lists of `size`, the last of which may be shorter."""
    rest = iter(items)
    while chunk := list(islice(rest, size)):
        yield chunk
