"""Notifications: channels, what was sent, and what was given up."""

from typing import Annotated

from daylily.notifier.v1 import notifier_pb2
from daylily.workset.v1 import delivery_pb2
from fastapi import APIRouter, Query, Request, Response

from daylily_gateway.context import Calls
from daylily_gateway.messages import model_of
from daylily_gateway.rest.answers import many, one
from daylily_gateway.rest.bodies import Reason
from daylily_gateway.rest.parameters import Cursor, Limit, Name, Text
from daylily_gateway.rest.words import DeliveryState

router = APIRouter(tags=["notifications"])

_Channel = model_of(notifier_pb2.ChannelStatus)
_Delivery = model_of(delivery_pb2.Delivery)
_States = Annotated[list[DeliveryState], Query(alias="state", default_factory=list)]


@router.get("/channels", response_model=list[_Channel])  # type: ignore[valid-type]
async def list_channels(calls: Calls) -> Response:
    """The configured channels, and how each fares."""
    return many((await calls.notifier.list_channels()).channels)


@router.post("/channels/{channel}/test", response_model=model_of(notifier_pb2.TestChannelResponse))
async def test_channel(channel: Name, calls: Calls) -> Response:
    """Send a marked test message now, and say what the channel answered."""
    return one(await calls.notifier.test_channel(channel=channel))


@router.post("/channels/{channel}/pause", response_model=_Channel)
async def pause(channel: Name, calls: Calls, body: Reason | None = None) -> Response:
    """Hold a channel's messages back; none is lost."""
    reason = body.reason if body else ""
    return one((await calls.notifier.pause_channel(channel=channel, reason=reason)).channel)


@router.post("/channels/{channel}/resume", response_model=_Channel)
async def resume(channel: Name, calls: Calls) -> Response:
    """Send what was held back, and go on."""
    return one((await calls.notifier.resume_channel(channel=channel)).channel)


@router.get("/deliveries", response_model=list[_Delivery])  # type: ignore[valid-type]
async def list_deliveries(
    *,
    request: Request,
    calls: Calls,
    state: _States,
    channel: Text = "",
    workset_id: Text = "",
    limit: Limit = 100,
    cursor: Cursor = "",
) -> Response:
    """What was sent, is due, or was given up, newest first."""
    answer = await calls.notifier.list_deliveries(
        channel=channel,
        states=[one.number for one in state],
        workset_id=workset_id,
        page_size=limit,
        page_token=cursor,
    )
    return many(answer.deliveries, request, answer.next_page_token)


@router.post("/deliveries/{delivery_id}/redeliver", response_model=_Delivery)
async def redeliver(delivery_id: Name, calls: Calls) -> Response:
    """Send a delivery again that ended."""
    return one((await calls.notifier.redeliver(delivery_id=delivery_id)).delivery)


@router.get("/notifier/stats", response_model=model_of(notifier_pb2.GetNotifierStatsResponse))
async def stats(calls: Calls) -> Response:
    """Totals and delays."""
    return one(await calls.notifier.get_notifier_stats())
