"""Following the event feed over everything that ends a stream: failures, restarts, connection age."""

import asyncio
import threading
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Generator
from dataclasses import dataclass
from datetime import datetime
from typing import TypeAlias

import grpc
import grpc.aio
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2

from daylily_client.async_client import AsyncClient
from daylily_client.calling import call_metadata, error_from_rpc, new_request_id, serialized
from daylily_client.calls.state import WATCH_EVENTS
from daylily_client.errors import DaylilyError, InternalError, Overloaded, Unavailable
from daylily_client.retries import backoff
from daylily_client.sync_client import SyncClient
from daylily_client.values import timestamp

AsyncStream: TypeAlias = grpc.aio.UnaryStreamCall[
    state_pb2.WatchEventsRequest, state_pb2.WatchEventsResponse
]

# State sends a heartbeat every 20 s, so two of them are missing.
SILENCE = 45.0


@dataclass
class FeedPosition:
    """Where a watch begins, and from where it goes on when its stream has ended.

    Attributes:
        asked_at: when the caller began to watch. A watch from now on that loses its stream before
            it learned a cursor goes on from this time, or it would miss what happened in between.
    """

    asked_at: datetime
    cursor: str = ""
    consumer: str = ""
    since: datetime | None = None
    from_beginning: bool = False
    event_types: tuple["event_pb2.EventType.ValueType", ...] = ()
    workset_id: str = ""
    begun: bool = False

    def __post_init__(self) -> None:
        given = [self.cursor, self.consumer, self.since, self.from_beginning]
        if sum(map(bool, given)) > 1:
            raise ValueError("a watch starts at one of cursor, consumer, since, from_beginning")

    def next_request(self) -> state_pb2.WatchEventsRequest:
        """The request of the next stream."""
        request = state_pb2.WatchEventsRequest(
            event_types=self.event_types, workset_id=self.workset_id
        )
        if self.cursor:
            request.cursor = self.cursor
        elif self.consumer:
            request.consumer = self.consumer
        elif self.from_beginning:
            request.from_beginning = True
        elif self.since or self.begun:
            request.since.CopyFrom(timestamp(self.since or self.asked_at))
        self.begun = True
        return request

    def passed(self, answer: state_pb2.WatchEventsResponse) -> None:
        """Remembers how far the caller has come."""
        if answer.cursor:
            self.cursor = answer.cursor


def goes_on(error: DaylilyError) -> bool:
    """Whether another stream may do better; a refusal of the request itself will not change."""
    if isinstance(error, Unavailable | Overloaded):
        return True
    # Without a reason it is the connection that broke: HTTP/2 resets come as INTERNAL or UNKNOWN.
    return not error.reason and (
        isinstance(error, InternalError) or error.code is grpc.StatusCode.UNKNOWN
    )


async def begins_well(client: AsyncClient, position: FeedPosition) -> None:
    """Asks once whether a watch may begin there, without waiting for what comes.

    Raises:
        DaylilyError: state refuses the start, or does not answer within the client's deadline.
    """
    request_id = new_request_id()
    open_stream: grpc.aio.UnaryStreamMultiCallable[
        state_pb2.WatchEventsRequest, state_pb2.WatchEventsResponse
    ] = client.channel.unary_stream(
        WATCH_EVENTS.path,
        request_serializer=serialized,
        response_deserializer=WATCH_EVENTS.answer.FromString,
    )
    stream = open_stream(
        position.next_request(),
        metadata=call_metadata(client.options, request_id),
        timeout=client.options.timeout,
    )
    try:
        # State sends these once it has taken the request; of a refusal there are none.
        await stream.initial_metadata()
        if stream.done():
            await stream.read()
    except grpc.aio.AioRpcError as failure:
        raise error_from_rpc(failure, rpc=WATCH_EVENTS.label, request_id=request_id) from failure
    finally:
        stream.cancel()


async def watch_async(
    client: AsyncClient, position: FeedPosition
) -> AsyncGenerator[state_pb2.WatchEventsResponse, None]:
    """Yields answers for ever; see `AsyncStateClient.watch_events`."""
    repeats = 0
    while True:
        metadata = call_metadata(client.options, new_request_id())
        open_stream: grpc.aio.UnaryStreamMultiCallable[
            state_pb2.WatchEventsRequest, state_pb2.WatchEventsResponse
        ] = client.channel.unary_stream(
            WATCH_EVENTS.path,
            request_serializer=serialized,
            response_deserializer=WATCH_EVENTS.answer.FromString,
        )
        stream = open_stream(position.next_request(), metadata=metadata)
        try:
            async for answer in _until_silent(stream, client.time.sleep):
                repeats = 0
                position.passed(answer)
                yield answer
        except grpc.aio.AioRpcError as failure:
            _raise_if_final(failure)
        finally:
            stream.cancel()
        await client.time.sleep(backoff(client.options.retry, repeats, client.time.random()))
        repeats += 1


async def _until_silent(
    stream: AsyncStream, sleep: Callable[[float], Awaitable[None]]
) -> AsyncIterator[state_pb2.WatchEventsResponse]:
    """Yields what comes, and ends with the stream or when nothing came for `SILENCE` seconds.

    Keepalive finds a dead machine; this finds a server that answers pings and sends nothing.
    """
    while True:
        reading = asyncio.ensure_future(stream.read())
        silence = asyncio.ensure_future(sleep(SILENCE))
        try:
            await asyncio.wait({reading, silence}, return_when=asyncio.FIRST_COMPLETED)
            if not reading.done():
                return
            answer = reading.result()
        finally:
            reading.cancel()
            silence.cancel()
        if not isinstance(answer, state_pb2.WatchEventsResponse):
            return
        yield answer


def watch_sync(
    client: SyncClient, position: FeedPosition
) -> Generator[state_pb2.WatchEventsResponse, None, None]:
    """Yields answers for ever; see `StateClient.watch_events`."""
    repeats = 0
    while True:
        metadata = call_metadata(client.options, new_request_id())
        open_stream: grpc.UnaryStreamMultiCallable[
            state_pb2.WatchEventsRequest, state_pb2.WatchEventsResponse
        ] = client.channel.unary_stream(
            WATCH_EVENTS.path,
            request_serializer=serialized,
            response_deserializer=WATCH_EVENTS.answer.FromString,
        )
        stream = open_stream(position.next_request(), metadata=metadata)
        watchdog = _Watchdog(stream.cancel)
        try:
            for answer in stream:
                watchdog.rest()
                repeats = 0
                position.passed(answer)
                yield answer
                watchdog.wake()
        except grpc.RpcError as failure:
            _raise_if_final(failure)
        finally:
            watchdog.stop()
            stream.cancel()
        client.time.sleep(backoff(client.options.retry, repeats, client.time.random()))
        repeats += 1


class _Watchdog:
    """Cancels a blocking stream on which nothing came for `SILENCE` seconds.

    It rests while the caller is busy with an answer: then nobody listens, and silence says nothing.
    """

    def __init__(self, cancel: Callable[[], object]) -> None:
        self._cancel = cancel
        self._timer = self._started()

    def _started(self) -> threading.Timer:
        timer = threading.Timer(SILENCE, self._cancel)
        timer.daemon = True
        timer.start()
        return timer

    def rest(self) -> None:
        self._timer.cancel()

    def wake(self) -> None:
        self._timer = self._started()

    def stop(self) -> None:
        self._timer.cancel()


def _raise_if_final(failure: grpc.RpcError) -> None:
    error = error_from_rpc(failure, rpc=WATCH_EVENTS.label, request_id="")
    if not goes_on(error):
        raise error from failure
