"""NotifierService: each call translates, does one thing, and translates back."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from typing import TypeAlias
from uuid import uuid4

from daylily.notifier.v1 import notifier_pb2, notifier_pb2_grpc
from daylily.workset.v1 import delivery_pb2, event_pb2

from daylily_client import AsyncStateClient, ClaimLost, InvalidArgument, duration, timestamp
from daylily_notifier.api.errors import (
    InvalidFieldError,
    UnfinishedDeliveryError,
    UnknownChannelError,
)
from daylily_notifier.api.status import backlog, channel_status
from daylily_notifier.channels.base import RefusedError
from daylily_notifier.domain.event import Event
from daylily_notifier.domain.message import as_test, render
from daylily_notifier.feed.process import Process
from daylily_notifier.feed.roster import OpenChannel
from daylily_runtime.calls import current_call

SERVICE = "daylily.notifier.v1.NotifierService"

_STATE_SECONDS = 4.0
"""Less than a person waits: then they are told that state does not answer."""

_OUTSIDE = event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_SYSTEM, id="outside")
"""What a message is about that does not say."""

# The generated stubs have a type of their own for it, and only for the type checker.
Context: TypeAlias = "notifier_pb2_grpc._ServicerContext"  # noqa: SLF001


class NotifierServicer(notifier_pb2_grpc.NotifierServiceServicer):
    """The calls of people and of the outside."""

    def __init__(self, process: Process, channels: Mapping[str, OpenChannel]) -> None:
        self._state = process.state.with_timeout(_STATE_SECONDS)
        self._clock = process.clock
        self._pauses = process.pauses
        self._process = process
        self._channels = channels

    async def Notify(
        self, request: notifier_pb2.NotifyRequest, context: Context
    ) -> notifier_pb2.NotifyResponse:
        if not request.message.strip():
            raise InvalidFieldError("message", "say what happened")
        try:
            answer = await self._in_the_name_of(context).publish_event(
                subject=request.subject if request.HasField("subject") else _OUTSIDE,
                type=event_pb2.EVENT_TYPE_EXTERNAL,
                reason=request.message,
                priority=request.priority,
                customer_id=request.customer_id,
                cluster_name=request.cluster_name,
                labels=request.labels,
                details=request.details if request.HasField("details") else None,
                request_id=request.request_id,
            )
        except InvalidArgument as error:
            # What is `reason` to state was `message` to the caller.
            for violation in error.violations:
                if violation.field == "reason":
                    raise InvalidFieldError("message", violation.description) from error
            raise
        return notifier_pb2.NotifyResponse(event_id=answer.event.event_id)

    async def ListChannels(
        self, request: notifier_pb2.ListChannelsRequest, context: Context
    ) -> notifier_pb2.ListChannelsResponse:
        del request, context
        statuses = [await self._status(name) for name in sorted(self._channels)]
        return notifier_pb2.ListChannelsResponse(channels=statuses)

    async def TestChannel(
        self, request: notifier_pb2.TestChannelRequest, context: Context
    ) -> notifier_pb2.TestChannelResponse:
        del context
        channel = self._named(request.channel).channel
        event = Event(
            event_id=f"test-{uuid4().hex}",
            subject_kind="SYSTEM",
            subject_id="notifier",
            type="EXTERNAL",
            occurred_at=self._clock.now(),
            priority="NORMAL",
            reason=f"Channel {request.channel} reaches you",
        )
        message = as_test(render(event, event.event_id))
        begun = self._clock.monotonic()
        try:
            delivered = await channel.send(message)
        except RefusedError as error:
            return notifier_pb2.TestChannelResponse(
                delivered=False,
                answer=error.refusal.answer,
                latency=duration(self._clock.monotonic() - begun),
            )
        return notifier_pb2.TestChannelResponse(
            delivered=True, answer=delivered.answer, latency=duration(delivered.latency)
        )

    async def PauseChannel(
        self, request: notifier_pb2.PauseChannelRequest, context: Context
    ) -> notifier_pb2.PauseChannelResponse:
        del context
        self._named(request.channel)
        await self._pauses.set(self._state, request.channel, request.reason)
        return notifier_pb2.PauseChannelResponse(channel=await self._status(request.channel))

    async def ResumeChannel(
        self, request: notifier_pb2.ResumeChannelRequest, context: Context
    ) -> notifier_pb2.ResumeChannelResponse:
        del context
        worker = self._named(request.channel).worker
        await self._pauses.clear(self._state, request.channel)
        worker.wake()
        return notifier_pb2.ResumeChannelResponse(channel=await self._status(request.channel))

    async def ListDeliveries(
        self, request: notifier_pb2.ListDeliveriesRequest, context: Context
    ) -> notifier_pb2.ListDeliveriesResponse:
        del context
        page = await self._state.list_deliveries(
            channel=request.channel,
            states=request.states,
            workset_id=request.workset_id,
            page_size=request.page_size,
            page_token=request.page_token,
        )
        return notifier_pb2.ListDeliveriesResponse(
            deliveries=page.deliveries, next_page_token=page.next_page_token
        )

    async def Redeliver(
        self, request: notifier_pb2.RedeliverRequest, context: Context
    ) -> notifier_pb2.RedeliverResponse:
        del context
        if not request.delivery_id:
            raise InvalidFieldError("delivery_id", "name a delivery")
        try:
            answer = await self._state.update_delivery(
                delivery_id=request.delivery_id, state=delivery_pb2.DELIVERY_STATE_PENDING
            )
        except ClaimLost as error:
            raise UnfinishedDeliveryError(request.delivery_id) from error
        # A delivery of a channel that was taken out of the configuration waits until it is back.
        if (opened := self._channels.get(answer.delivery.channel)) is not None:
            opened.worker.wake()
        return notifier_pb2.RedeliverResponse(delivery=answer.delivery)

    async def GetNotifierStats(
        self, request: notifier_pb2.GetNotifierStatsRequest, context: Context
    ) -> notifier_pb2.GetNotifierStatsResponse:
        del request, context
        stats = self._process.stats
        return notifier_pb2.GetNotifierStatsResponse(
            active=self._process.active.is_set(),
            events_handled=stats.events_handled,
            events_unrouted=stats.events_unrouted,
            delivered=stats.delivered,
            retried=stats.retried,
            dead=stats.dead,
            pending=(await backlog(self._state)).pending,
            latency_p50=duration(stats.latency(0.5)),
            latency_p99=duration(stats.latency(0.99)),
            started_at=timestamp(stats.started_at),
        )

    def _in_the_name_of(self, context: Context) -> AsyncStateClient:
        """The connection to state, for a call that the event shall say the caller made."""
        del context
        call = current_call()
        client = copy.copy(self._state)
        client.options = replace(client.options, actor=call.actor if call is not None else "")
        return client

    def _named(self, channel: str) -> OpenChannel:
        opened = self._channels.get(channel)
        if opened is None:
            raise UnknownChannelError(channel)
        return opened

    async def _status(self, channel: str) -> notifier_pb2.ChannelStatus:
        pause = await self._pauses.get(self._state, channel)
        kind = self._channels[channel].kind
        return await channel_status(self._state, channel, kind, paused=pause is not None)
