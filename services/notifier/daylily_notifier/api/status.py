"""How a channel fares, from what state keeps: the same answer whichever replica is asked."""

from dataclasses import dataclass
from datetime import datetime

from daylily.notifier.v1 import notifier_pb2
from daylily.workset.v1 import delivery_pb2

from daylily_client import AsyncStateClient, async_pages, timestamp
from daylily_notifier.api.convert import moment

_PAGE = 500
_SOME = 50


@dataclass
class Backlog:
    """What waits for a channel, and what was given up."""

    pending: int = 0
    dead: int = 0
    failed_at: datetime | None = None
    """When it last refused one of those that wait."""
    error: str = ""


async def backlog(state: AsyncStateClient, channel: str = "") -> Backlog:
    """Count the unfinished deliveries of a channel, or of all when no name is given.

    Raises:
        DaylilyError: state does not say.
    """
    counted = Backlog()
    states = [
        delivery_pb2.DELIVERY_STATE_PENDING,
        delivery_pb2.DELIVERY_STATE_CLAIMED,
        delivery_pb2.DELIVERY_STATE_DEAD,
    ]
    async for page in async_pages(
        state.list_deliveries, channel=channel, states=states, page_size=_PAGE
    ):
        for delivery in page.deliveries:
            if delivery.state == delivery_pb2.DELIVERY_STATE_DEAD:
                counted.dead += 1
                continue
            counted.pending += 1
            when = moment(delivery.updated_at)
            if delivery.answer and (counted.failed_at is None or when > counted.failed_at):
                counted.failed_at, counted.error = when, delivery.answer
    return counted


async def channel_status(
    state: AsyncStateClient, channel: str, kind: str, *, paused: bool
) -> notifier_pb2.ChannelStatus:
    """The status of one channel.

    Raises:
        DaylilyError: state does not say.
    """
    waiting = await backlog(state, channel)
    delivered_at = await _last_delivered(state, channel)
    failing = waiting.failed_at is not None and (
        delivered_at is None or waiting.failed_at > delivered_at
    )
    status = notifier_pb2.ChannelStatus(
        channel=channel,
        kind=kind,
        paused=paused,
        failing=failing,
        last_error=waiting.error,
        pending=waiting.pending,
        dead=waiting.dead,
    )
    if delivered_at is not None:
        status.last_delivered_at.CopyFrom(timestamp(delivered_at))
    return status


async def _last_delivered(state: AsyncStateClient, channel: str) -> datetime | None:
    """When the newest delivery that got through did."""
    states = [delivery_pb2.DELIVERY_STATE_DELIVERED]
    async for page in async_pages(
        state.list_deliveries, channel=channel, states=states, page_size=_SOME
    ):
        for delivery in page.deliveries:
            return moment(delivery.updated_at)
    return None
