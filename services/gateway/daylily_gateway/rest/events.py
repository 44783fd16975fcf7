"""The event feed as server-sent events."""

import asyncio
import json
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from functools import partial
from http import HTTPStatus
from typing import Annotated, Any, Final

import anyio
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2
from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import Response, StreamingResponse
from fastapi.sse import format_sse_event
from starlette.types import Receive, Scope, Send

from daylily_client import DaylilyError
from daylily_gateway.context import Context, Ctx
from daylily_gateway.messages import plain
from daylily_gateway.problems import ProblemError
from daylily_gateway.rest.parameters import Text
from daylily_gateway.rest.words import EventType, event_numbers

router = APIRouter(tags=["events"])

_Types = Annotated[
    list[EventType], Query(alias="type", default_factory=list, description="Of these types alone.")
]
_RETRY_MS: Final = 2000
# Proxies close what is silent for a minute; state itself sends a heartbeat every 20 s.
_SILENCE: Final = 15.0
_PING: Final = b": ping\n\n"


@router.get(
    "/events",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
async def events(
    *,
    request: Request,
    context: Ctx,
    kind: _Types,
    workset_id: Text = "",
    cursor: Annotated[str, Query(max_length=4096)] = "",
    last_event_id: Annotated[str, Header(max_length=4096)] = "",
) -> Response:
    """Follow what happens, from now on or from where `Last-Event-ID` (or `cursor`) left off.

    Each event's `id` is its position in the feed: a browser that loses the connection goes on from
    there by itself, and misses nothing. At least once, in order for each workset.
    """
    if context.measures.streams >= context.settings.max_streams:
        raise ProblemError(
            HTTPStatus.TOO_MANY_REQUESTS,
            "OVERLOADED",
            f"{context.settings.max_streams} event streams are open already.",
            headers={"retry-after": "5"},
        )
    state = context.services.state
    start = last_event_id or cursor
    # Once a stream has begun, its status is sent, and a refusal could not be told any more.
    if start:
        await state.may_watch_events(cursor=start)
    else:
        # Now is when it was asked for, not when the feed is opened: nothing falls in between.
        start = (await state.get_queue_depth()).cursor
    request.state.streams = True
    feed = state.watch_events(cursor=start, event_types=event_numbers(kind), workset_id=workset_id)
    return _EventStream(
        _stream(context, feed),
        media_type="text/event-stream",
        headers={"cache-control": "no-store", "x-accel-buffering": "no"},
    )


class _EventStream(StreamingResponse):
    """A response that ends when its reader goes, not only when there is something to send."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until there is no more, or nobody to read it."""
        del scope
        async with anyio.create_task_group() as group:

            async def run(part: Callable[[], Awaitable[None]]) -> None:
                await part()
                group.cancel_scope.cancel()

            group.start_soon(run, partial(self.stream_response, send))
            await run(partial(self.listen_for_disconnect, receive))


async def _stream(
    context: Context, feed: AsyncGenerator[state_pb2.WatchEventsResponse, None]
) -> AsyncIterator[bytes]:
    with context.measures.streaming():
        yield format_sse_event(retry=_RETRY_MS)
        async with aclosing(feed):
            stopping = asyncio.ensure_future(context.lifecycle.stopping.wait())
            try:
                async for block in _blocks(feed, stopping):
                    yield block
            except DaylilyError as error:
                # Such as a token that is good no more. The browser asks again and hears the status.
                detail = {"reason": error.reason, "detail": error.message}
                yield format_sse_event(event="refused", data_str=json.dumps(detail))
            finally:
                stopping.cancel()


async def _blocks(
    feed: AsyncGenerator[state_pb2.WatchEventsResponse, None], stopping: asyncio.Future[Any]
) -> AsyncIterator[bytes]:
    """What goes over the wire, until the server stops."""
    reading: asyncio.Future[Any] = asyncio.ensure_future(anext(feed))
    try:
        while not stopping.done():
            await asyncio.wait(
                {reading, stopping}, timeout=_SILENCE, return_when=asyncio.FIRST_COMPLETED
            )
            if not reading.done():
                yield _PING
                continue
            answer = reading.result()
            yield b"".join(map(_event, answer.events)) or _position(answer.cursor)
            reading = asyncio.ensure_future(anext(feed))
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


def _event(event: event_pb2.Event) -> bytes:
    name = event_pb2.EventType.Name(event.type).removeprefix("EVENT_TYPE_").lower()
    return format_sse_event(event=name, id=event.cursor, data_str=json.dumps(plain(event)))


def _position(cursor: str) -> bytes:
    """A heartbeat: a stream that saw nothing for hours goes on from here, not from hours ago."""
    return format_sse_event(event="position", id=cursor, data_str="{}")
