"""What the layer around every handler adds to a call that goes well."""

import asyncio
import re

import grpc
import pytest
from google.protobuf.descriptor_pool import DescriptorPool
from google.rpc import error_details_pb2
from grpc_reflection.v1alpha.proto_reflection_descriptor_database import (
    ProtoReflectionDescriptorDatabase,
)
from structlog.testing import capture_logs

from daylily_runtime import running
from tests.integration.runtime.echo_service import Echo, connected, echo_server, echoing


async def trailer(call, key="x-request-id"):
    await call
    return dict(await call.trailing_metadata())[key]


async def test_the_callers_request_id_reaches_the_handler_and_comes_back():
    async with echoing() as client:
        call = client.get(b"request id", metadata=(("x-request-id", "r-1"),))
        assert await call == b"r-1"
        assert await trailer(call) == "r-1"


async def test_a_call_without_a_request_id_gets_one():
    async with echoing() as client:
        call = client.get(b"request id")
        made_up = (await call).decode()
        assert re.fullmatch(r"[0-9a-f]{32}", made_up)
        assert await trailer(call) == made_up


@pytest.mark.parametrize("unfit", ["", "has a space", "x" * 129])
async def test_a_request_id_that_is_no_short_word_is_replaced(unfit):
    async with echoing() as client:
        call = client.get(b"request id", metadata=(("x-request-id", unfit),))
        assert await trailer(call) != unfit


async def test_a_stream_returns_the_request_id_too():
    async with echoing() as client:
        stream = client.watch(b"", metadata=(("x-request-id", "r-2"),))
        assert [message async for message in stream] == [b"0", b"1", b"2"]
        assert dict(await stream.trailing_metadata())["x-request-id"] == "r-2"


async def test_calls_at_the_same_time_keep_their_request_ids_apart():
    async with echoing() as client:
        calls = [
            client.get(b"request id", metadata=(("x-request-id", f"r-{n}"),)) for n in range(50)
        ]
        assert await asyncio.gather(*calls) == [f"r-{n}".encode() for n in range(50)]


async def test_a_handler_knows_how_much_time_it_has():
    async with echoing(max_call_seconds=50) as client:
        with_deadline = float(await client.get(b"remaining", timeout=5))
        without = float(await client.get(b"remaining"))
        longer_than_allowed = float(await client.get(b"remaining", timeout=500))
    assert 4 < with_deadline < 5.5  # the wire rounds it up
    assert 49 < without <= 50
    assert 49 < longer_than_allowed <= 50


async def test_every_call_is_logged_with_what_the_caller_was_answered():
    with capture_logs() as logs:
        async with echoing() as client:
            await client.get(b"hello")
            with pytest.raises(grpc.aio.AioRpcError):
                await client.get(b"missing")
    good, bad = (line for line in logs if line["event"] == "call")
    assert (good["method"], good["code"]) == ("echo.v1.Echo/Get", "OK")
    assert good["ms"] >= 0
    assert good["peer"].startswith("ipv4:127.0.0.1:")
    assert (bad["code"], bad["reason"]) == ("NOT_FOUND", "ECHO_NOT_FOUND")


async def test_every_kind_of_call_passes():
    async def requests():
        yield b"a"
        yield b"b"

    async with echoing() as client:
        assert await client.get(b"hello") == b"hello"
        assert [message async for message in client.write(b"one")] == [b"one"]
        assert await client.collect(requests()) == b"a+b"
        assert [message async for message in client.chat(requests())] == [b"a", b"b"]


async def test_reflection_lists_the_service_and_resolves_error_details():
    server = echo_server(Echo())

    def ask():
        with grpc.insecure_channel(server.address) as channel:
            database = ProtoReflectionDescriptorDatabase(channel)
            pool = DescriptorPool(database)
            names = {
                name.rpartition(".")[2]
                for name in error_details_pb2.DESCRIPTOR.message_types_by_name
            }
            return (
                set(database.get_services()),
                {name: pool.FindMessageTypeByName(f"google.rpc.{name}") for name in names},
                pool.FindMessageTypeByName("google.rpc.Status"),
            )

    async with running(server):
        services, details, status = await asyncio.to_thread(ask)
    assert services == {
        "echo.v1.Echo",
        "grpc.health.v1.Health",
        "grpc.reflection.v1alpha.ServerReflection",
    }
    assert {"ErrorInfo", "BadRequest", "RetryInfo"} <= set(details)
    assert "details" in status.fields_by_name


async def test_calls_after_the_stop_are_unavailable():
    server = echo_server(Echo())
    async with running(server), connected(server) as client:
        await client.get(b"hello")
        await server.stop()
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await client.get(b"hello")
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE
