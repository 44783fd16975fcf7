"""Calls on counts, events and consumers."""

from collections.abc import AsyncIterator, Callable

from daylily.state.v1 import state_pb2

from daylily_state.api import answers, enums
from daylily_state.api.calls import Context, actor, page_size
from daylily_state.api.reading import Reader
from daylily_state.api.telling import Telling
from daylily_state.app.counting import Counting
from daylily_state.app.feed import Feed
from daylily_state.app.pools import Pools
from daylily_state.app.queries import Queries
from daylily_state.app.records import Records
from daylily_state.domain import cursor, limits
from daylily_state.domain.commands import Publish
from daylily_state.domain.events import Event, EventType
from daylily_state.domain.model import Priority, SubjectKind
from daylily_state.domain.records import Position


class EventCalls:
    """GetQueueDepth to AckEvents."""

    queries: Queries
    pools: Pools
    records: Records
    counting: Counting
    feed: Feed
    telling: Telling

    async def GetQueueDepth(
        self, request: state_pb2.GetQueueDepthRequest, context: Context
    ) -> state_pb2.GetQueueDepthResponse:
        del request, context
        counted = await self.counting.now()
        depth = counted.depth
        return state_pb2.GetQueueDepthResponse(
            counts=[
                state_pb2.GetQueueDepthResponse.Count(
                    state=enums.WORKSET_STATE[state],
                    priority=enums.PRIORITY[priority],
                    count=count,
                )
                for (state, priority), count in sorted(depth.counts.items())
            ],
            total=depth.total,
            ready=depth.ready,
            waiting=depth.waiting,
            oldest_ready_age=answers.duration(depth.oldest_ready_age),
            cursor=cursor.encode(counted.position),
            counted_at=answers.timestamp(counted.at),
        )

    async def ListEvents(
        self, request: state_pb2.ListEventsRequest, context: Context
    ) -> state_pb2.ListEventsResponse:
        del context
        read = Reader()
        read.id("workset_id", request.workset_id, limits.WORKSET_ID_BYTES)
        read.done()
        found, token = await self.queries.events(
            request.workset_id, request.page_token, page_size(request.page_size)
        )
        return state_pb2.ListEventsResponse(events=map(answers.event, found), next_page_token=token)

    async def WatchEvents(
        self, request: state_pb2.WatchEventsRequest, context: Context
    ) -> AsyncIterator[state_pb2.WatchEventsResponse]:
        read = Reader()
        types = read.choices(EventType, request.event_types, "event_types")
        read.id("workset_id", request.workset_id, limits.WORKSET_ID_BYTES, needed=False)
        since = read.moment(request, "since")
        if request.WhichOneof("start") == "consumer":
            read.id("consumer", request.consumer, limits.NAME_BYTES)
        read.done()
        if since is not None:
            start = await self.feed.position_at(since)
        else:
            start = await self._start(request)
        # The caller learns that it is served, long before something may happen.
        await context.send_initial_metadata(())  # type: ignore[misc]  # it is a coroutine
        async for batch in self.feed.watch(start, _wanted(types, request.workset_id)):
            yield self.telling.response(batch)

    async def _start(self, request: state_pb2.WatchEventsRequest) -> Position:
        match request.WhichOneof("start"):
            case "cursor":
                return cursor.decode(request.cursor)
            case "consumer":
                return await self.records.consumer_position(request.consumer)
            case "from_beginning" if request.from_beginning:
                return cursor.BEGINNING
            case _:
                return await self.feed.now()

    async def PublishEvent(
        self, request: state_pb2.PublishEventRequest, context: Context
    ) -> state_pb2.PublishEventResponse:
        read = Reader()
        command = Publish(
            subject_kind=read.needed_choice(SubjectKind, request.subject.kind, "subject.kind"),
            subject_id=request.subject.id,
            type=read.needed_choice(EventType, request.type, "type"),
            reason=request.reason,
            priority=read.choice(Priority, request.priority, "priority", Priority.NORMAL)
            if request.priority
            else None,
            customer_id=request.customer_id,
            cluster_name=request.cluster_name,
            labels=dict(request.labels),
            error_details=request.error_details,
            details=read.struct(request.details, "details"),
            request_id=request.request_id,
            actor=actor(context),
        )
        read.done()
        published = await self.pools.publish(command)
        return state_pb2.PublishEventResponse(event=answers.event(published))

    # --- consumers ---

    async def AcquireConsumer(
        self, request: state_pb2.AcquireConsumerRequest, context: Context
    ) -> state_pb2.AcquireConsumerResponse:
        del context
        read = _consumer(request.consumer)
        read.word("owner_id", request.owner_id, limits.OWNER_BYTES)
        read.done()
        acquired = await self.records.acquire_consumer(
            request.consumer, request.owner_id, start_at_end=request.start_at_end
        )
        return state_pb2.AcquireConsumerResponse(
            consumer_token=acquired.token,
            cursor=cursor.encode(acquired.position),
            expires_at=answers.timestamp(acquired.expires_at),
        )

    async def RenewConsumer(
        self, request: state_pb2.RenewConsumerRequest, context: Context
    ) -> state_pb2.RenewConsumerResponse:
        del context
        _consumer(request.consumer).done()
        renewed = await self.records.renew_consumer(request.consumer, request.consumer_token)
        return state_pb2.RenewConsumerResponse(expires_at=answers.timestamp(renewed.expires_at))

    async def ReleaseConsumer(
        self, request: state_pb2.ReleaseConsumerRequest, context: Context
    ) -> state_pb2.ReleaseConsumerResponse:
        del context
        _consumer(request.consumer).done()
        await self.records.release_consumer(request.consumer, request.consumer_token)
        return state_pb2.ReleaseConsumerResponse()

    async def AckEvents(
        self, request: state_pb2.AckEventsRequest, context: Context
    ) -> state_pb2.AckEventsResponse:
        del context
        _consumer(request.consumer).done()
        acknowledged = await self.records.acknowledge(
            request.consumer, request.consumer_token, cursor.decode(request.cursor)
        )
        return state_pb2.AckEventsResponse(cursor=cursor.encode(acknowledged.position))


def _consumer(name: str) -> Reader:
    read = Reader()
    read.own_name("consumer", name)
    return read


def _wanted(types: frozenset[EventType], workset_id: str) -> Callable[[Event], bool]:
    return lambda event: (
        (not types or event.type in types)
        and workset_id
        in {
            "",
            event.workset_id,
        }
    )
