"""Following the feed over everything that ends a stream."""

import asyncio
from contextlib import aclosing
from datetime import UTC, datetime

import grpc
import pytest
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2

from daylily_client import AsyncStateClient, AsyncTime, InvalidCursor, StateClient, SyncTime
from daylily_client.watch import SILENCE
from tests.support.scripted_server import QUICK, refuses, scripted_server

STATE = state_pb2.DESCRIPTOR.services_by_name["StateService"]
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def batch(cursor, *ids):
    events = [event_pb2.Event(event_id=name) for name in ids]
    return state_pb2.WatchEventsResponse(events=events, cursor=cursor)


def sends(*answers, then="stays open"):
    async def stream(request, context):
        for answer in answers:
            yield answer
        if then == "stays open":
            await asyncio.Event().wait()
        if then != "ends":
            await then(request, context)

    return stream


STOPPING = refuses(grpc.StatusCode.UNAVAILABLE, "STOPPING")
RESET = refuses(grpc.StatusCode.INTERNAL, message="Received RST_STREAM with error code 2")


async def first(client, count, **start):
    found = []
    async with aclosing(client.watch_events(**start)) as watch:
        async for answer in watch:
            found.append(answer)
            if len(found) == count:
                return found
    raise AssertionError("the watch ended")


@pytest.mark.parametrize("end", ["ends", STOPPING, RESET])
async def test_a_watch_goes_on_after_the_last_cursor_however_its_stream_ended(end):
    script = {"WatchEvents": [sends(batch("c1", "e1"), then=end), sends(batch("c2", "e2"))]}
    async with (
        scripted_server(STATE, script) as server,
        AsyncStateClient(server.address, QUICK) as client,
    ):
        found = await first(client, 2, from_beginning=True)
        assert [event.event_id for answer in found for event in answer.events] == ["e1", "e2"]
        begin, again = server.requests("WatchEvents")
        assert begin.from_beginning
        assert again.cursor == "c1"


async def test_a_watch_survives_its_server():
    script = {"WatchEvents": [sends(batch("c1", "e1")), sends(batch("c2", "e2"))]}
    async with (
        scripted_server(STATE, script) as server,
        AsyncStateClient(server.address, QUICK) as client,
        aclosing(client.watch_events(consumer="notifier")) as watch,
    ):
        assert (await anext(watch)).cursor == "c1"
        await server.stop()
        await server.start()
        assert (await anext(watch)).cursor == "c2"
        begin, *_, again = server.requests("WatchEvents")
        assert begin.consumer == "notifier"
        assert again.cursor == "c1"


async def test_filters_go_with_every_stream():
    script = {"WatchEvents": [sends(batch("c1"), then="ends"), sends(batch("c2"))]}
    failed = event_pb2.EVENT_TYPE_FAILED
    async with (
        scripted_server(STATE, script) as server,
        AsyncStateClient(server.address, QUICK) as client,
    ):
        await first(client, 2, event_types=[failed], workset_id="ws-1")
        for request in server.requests("WatchEvents"):
            assert list(request.event_types) == [failed]
            assert request.workset_id == "ws-1"


async def test_a_watch_from_now_on_that_never_learned_a_cursor_misses_nothing():
    script = {"WatchEvents": [sends(then=STOPPING), sends(batch("c1"))]}
    time = AsyncTime(now=lambda: NOON)
    async with (
        scripted_server(STATE, script) as server,
        AsyncStateClient(server.address, QUICK, time=time) as client,
    ):
        await first(client, 1)
        begin, again = server.requests("WatchEvents")
        assert begin.WhichOneof("start") is None
        assert again.since.ToDatetime(tzinfo=UTC) == NOON


async def test_a_silent_stream_is_given_up():
    slept: list[float] = []

    async def sleep(seconds: float) -> None:
        slept.append(seconds)
        await asyncio.sleep(0.2 if seconds == SILENCE else 0)

    script = {"WatchEvents": [sends(batch("c1")), sends(batch("c2"))]}
    async with (
        scripted_server(STATE, script) as server,
        AsyncStateClient(server.address, QUICK, time=AsyncTime(sleep=sleep)) as client,
    ):
        assert [answer.cursor for answer in await first(client, 2)] == ["c1", "c2"]
    assert SILENCE in slept


async def test_a_refused_start_ends_the_watch():
    refused = sends(then=refuses(grpc.StatusCode.INVALID_ARGUMENT, "INVALID_CURSOR"))
    async with (
        scripted_server(STATE, {"WatchEvents": [refused]}) as server,
        AsyncStateClient(server.address, QUICK) as client,
    ):
        with pytest.raises(InvalidCursor):
            await first(client, 1, cursor="nonsense")
        assert len(server.seen) == 1


async def test_leaving_a_watch_ends_its_stream():
    gone = asyncio.Event()

    async def noticing(_request, context):
        context.add_done_callback(lambda _: gone.set())
        yield batch("c1")
        await asyncio.Event().wait()

    async with (
        scripted_server(STATE, {"WatchEvents": [noticing]}) as server,
        AsyncStateClient(server.address, QUICK) as client,
    ):
        await first(client, 1)
        await asyncio.wait_for(gone.wait(), 5)


async def test_a_watch_starts_at_one_place_only():
    async with AsyncStateClient("127.0.0.1:1") as client:
        with pytest.raises(ValueError, match="one of"):
            client.watch_events(cursor="c1", from_beginning=True)


async def test_a_thread_follows_the_feed_as_well():
    script = {
        "WatchEvents": [
            sends(batch("c1", "e1"), then=STOPPING),
            sends(batch("c2", "e2"), then="ends"),
            sends(batch("c3", "e3")),
        ]
    }

    def follow(address: str) -> list[str]:
        with StateClient(address, QUICK, time=SyncTime()) as client:
            watch = client.watch_events(from_beginning=True)
            found = [next(watch).cursor for _ in range(3)]
            watch.close()
            return found

    async with scripted_server(STATE, script) as server:
        assert await asyncio.to_thread(follow, server.address) == ["c1", "c2", "c3"]


async def test_a_thread_gives_a_silent_stream_up_as_well(monkeypatch):
    monkeypatch.setattr("daylily_client.watch.SILENCE", 0.2)
    script = {"WatchEvents": [sends(batch("c1")), sends(batch("c2"))]}

    def follow(address: str) -> list[str]:
        with StateClient(address, QUICK) as client:
            watch = client.watch_events()
            found = [next(watch).cursor for _ in range(2)]
            watch.close()
            return found

    async with scripted_server(STATE, script) as server:
        assert await asyncio.to_thread(follow, server.address) == ["c1", "c2"]
