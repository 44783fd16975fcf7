"""Starting and stopping in one process."""

import asyncio
import time
from contextlib import asynccontextmanager

import grpc
import pytest
from structlog.testing import capture_logs

from daylily_runtime import (
    BackgroundTaskError,
    Server,
    ServerSettings,
    StartError,
    running,
    serve,
)
from tests.integration.runtime.echo_service import (
    NAME,
    Echo,
    add_echo,
    connected,
    echo_server,
    refused,
)


def server_with(build, **settings):
    return Server("echo", ServerSettings.load(**settings), build)


def recorder(seen):
    @asynccontextmanager
    async def resource(name):
        seen.append(f"{name} opens")
        try:
            yield name
        finally:
            seen.append(f"{name} closes")

    return resource


async def test_resources_close_in_reverse_order_after_the_last_call():
    echo, seen = Echo(), []
    echo.seen = seen
    resource = recorder(seen)

    async def task():
        try:
            await asyncio.sleep(3600)
        finally:
            seen.append("task ends")

    async def build(server):
        await server.open("store", resource("store"))
        server.background("task", task)
        await server.open("cache", resource("cache"))
        server.add_service(NAME, add_echo, echo)

    server = server_with(build)
    await server.start()
    async with connected(server) as client:
        held = asyncio.ensure_future(client.get(b"held"))
        await echo.arrived.wait()
        stop = asyncio.create_task(server.stop())
        await server.lifecycle.stopping.wait()
        echo.release.set()
        assert await held == b"held"
        await stop
    assert seen == [
        "store opens",
        "cache opens",
        "held call ends",
        "cache closes",
        "task ends",
        "store closes",
    ]


async def test_streams_and_long_polls_end_first_and_by_themselves():
    echo = Echo()
    server = echo_server(echo)
    async with running(server), connected(server) as client:
        poll = asyncio.ensure_future(client.get(b"poll"))
        stream = client.watch(b"for ever")
        await stream.read()
        begun = time.monotonic()
        await server.stop()
        assert time.monotonic() - begun < 1.5
        assert await poll == b"poll"
        assert [await stream.read() for _ in range(3)] == [b"1", b"2", grpc.aio.EOF]
    assert sorted(echo.seen) == ["long poll ends", "stream ends"]


async def test_a_stream_that_does_not_end_is_cut_off_with_a_reason():
    server = echo_server(Echo(), drain_seconds=0.3)
    async with running(server), connected(server) as client:
        stream = client.watch(b"stubborn")
        for _ in range(3):
            await stream.read()
        _, refusal = await asyncio.gather(server.stop(), refused(stream))
    assert (refusal.code, refusal.info.reason) == (grpc.StatusCode.UNAVAILABLE, "STOPPING")


async def test_a_call_that_outlasts_the_drain_is_cut_off_with_a_reason():
    echo = Echo()
    server = echo_server(echo, drain_seconds=0.3)
    async with running(server), connected(server) as client:
        held = asyncio.ensure_future(refused(client.get(b"held")))
        await echo.arrived.wait()
        begun = time.monotonic()
        await server.stop()
        assert 0.2 < time.monotonic() - begun < 2
        refusal = await held
    assert (refusal.code, refusal.info.reason) == (grpc.StatusCode.UNAVAILABLE, "STOPPING")
    assert echo.seen == ["get cancelled"]


async def test_stop_is_safe_before_start_and_twice_and_at_the_same_time():
    server = echo_server(Echo())
    await asyncio.gather(server.stop(), server.stop())
    await server.stop()
    with pytest.raises(RuntimeError, match="started or stopped before"):
        await server.start()

    other = echo_server(Echo())
    await other.start()
    await asyncio.gather(other.stop(), other.stop())
    await other.stop()


async def test_a_server_starts_once():
    server = echo_server(Echo())
    async with running(server):
        with pytest.raises(RuntimeError, match="started or stopped before"):
            await server.start()
        async with connected(server) as client:
            assert await client.get(b"still here") == b"still here"


async def test_a_stop_during_the_start_closes_what_was_open():
    seen, opened = [], asyncio.Event()

    async def build(server):
        await server.open("store", recorder(seen)("store"))
        opened.set()
        await asyncio.sleep(3600)

    server = server_with(build)
    start = asyncio.create_task(server.start())
    await opened.wait()
    await server.stop()
    assert seen == ["store opens", "store closes"]
    with pytest.raises(StartError, match="stopped while it started"):
        await start


async def test_a_cancelled_start_closes_what_was_open():
    seen, opened = [], asyncio.Event()

    async def build(server):
        await server.open("store", recorder(seen)("store"))
        opened.set()
        await asyncio.sleep(3600)

    start = asyncio.create_task(server_with(build).start())
    await opened.wait()
    start.cancel()
    with pytest.raises(asyncio.CancelledError):
        await start
    assert seen == ["store opens", "store closes"]


async def test_a_build_that_fails_closes_what_was_open():
    seen = []

    async def build(server):
        await server.open("store", recorder(seen)("store"))
        raise ConnectionError("no store")

    server = server_with(build)
    with pytest.raises(ConnectionError):
        await server.start()
    assert seen == ["store opens", "store closes"]


async def test_a_resource_that_hangs_or_fails_does_not_keep_the_others_open():
    seen = []

    async def hang():
        await asyncio.sleep(3600)

    async def fail():
        raise ConnectionError("gone")

    async def build(server):
        await server.open("store", recorder(seen)("store"))
        server.on_close("hangs", hang)
        server.on_close("fails", fail)

    server = server_with(build, close_seconds=0.1)
    with capture_logs() as logs:
        async with running(server):
            pass
    assert seen == ["store opens", "store closes"]
    assert {(line["event"], line["resource"]) for line in logs if "resource" in line} == {
        ("close_timed_out", "hangs"),
        ("close_failed", "fails"),
    }


@pytest.mark.parametrize("way", ["crashes", "ends", "is cancelled from inside"])
async def test_a_background_task_that_is_gone_ends_the_process_with_a_failure(way):
    async def task():
        if way == "crashes":
            raise ValueError("bug")
        if way == "is cancelled from inside":
            inner = asyncio.ensure_future(asyncio.sleep(3600))
            inner.cancel()
            await inner

    async def build(server):
        server.background("reaper", task)

    server = server_with(build)
    with capture_logs() as logs:
        assert await asyncio.wait_for(serve(server), 10) == 1
    failure = await server.failed()
    assert isinstance(failure, BackgroundTaskError)
    assert "reaper" in str(failure)
    assert any(line["event"] == "background_task_failed" for line in logs)
    assert logs[-1]["event"] == "stopped"


async def test_one_failing_server_stops_all_of_them_in_reverse_order():
    async def build_good(server):
        server.on_close("good", lambda: record("first closes"))

    async def build_bad(server):
        server.on_close("bad", lambda: record("second closes"))
        server.background("reaper", crash)

    async def record(what):
        seen.append(what)

    async def crash():
        raise ValueError("bug")

    seen = []
    first, second = server_with(build_good), server_with(build_bad)
    assert await asyncio.wait_for(serve(first, second), 10) == 1
    assert seen == ["second closes", "first closes"]


async def test_a_later_server_finds_the_port_of_an_earlier_one_in_its_build():
    found = []
    first = echo_server(Echo())

    async def build(server):
        found.append(first.port)

    async with running(first, server_with(build)):
        assert found == [first.port]
        assert first.port > 0


async def test_a_taken_port_ends_the_process_with_a_failure_and_a_sentence():
    first = echo_server(Echo())
    async with running(first):
        with capture_logs() as logs:
            assert await serve(echo_server(Echo(), port=first.port)) == 1
    assert any("is taken" in line.get("error", "") for line in logs)


async def test_cancelling_serve_stops_in_order():
    seen = []
    ready = asyncio.Event()

    async def build(server):
        await server.open("store", recorder(seen)("store"))

    task = asyncio.create_task(serve(server_with(build), ready=ready.set))
    await ready.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert seen == ["store opens", "store closes"]
