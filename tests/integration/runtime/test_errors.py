"""Every kind of exception, seen from the other end of a real connection."""

import asyncio

import grpc
import pytest
from structlog.testing import capture_logs

from daylily_runtime import running
from tests.integration.runtime.echo_service import (
    Echo,
    Refusal,
    connected,
    echo_server,
    echoing,
    refused,
)

KINDS = ["unary", "stream", "writer", "client stream", "both"]


def call(client, kind, request):
    async def requests():
        yield request

    return {
        "unary": lambda: client.get(request),
        "stream": lambda: client.watch(request),
        "writer": lambda: client.write(request),
        "client stream": lambda: client.collect(requests()),
        "both": lambda: client.chat(requests()),
    }[kind]()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_domain_exception_becomes_the_status_of_its_row(kind):
    async with echoing() as client:
        refusal = await refused(call(client, kind, b"missing"))
    assert refusal.code == grpc.StatusCode.NOT_FOUND
    assert refusal.message == "There is no echo e-1."
    assert refusal.status.code == 5
    assert refusal.status.message == refusal.message
    assert (refusal.info.reason, refusal.info.domain) == ("ECHO_NOT_FOUND", "daylily")
    assert dict(refusal.info.metadata) == {"echo_id": "e-1"}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_unexpected_exception_shows_nothing_but_the_request_id(kind):
    with capture_logs() as logs:
        async with echoing() as client:
            refusal = await refused(call(client, kind, b"crash"))
    assert refusal.code == grpc.StatusCode.INTERNAL
    assert refusal.info.reason == "INTERNAL"
    assert refusal.trailers["x-request-id"] in refusal.message
    assert "hunter2" not in str(refusal.status)
    assert "path.py" not in str(refusal.status)
    logged = next(line for line in logs if line["event"] == "call_failed_unexpectedly")
    assert isinstance(logged["exc_info"], ValueError)


async def test_a_subclass_without_a_row_takes_the_row_of_its_base():
    async with echoing() as client:
        refusal = await refused(client.get(b"missing old"))
    assert refusal.info.metadata["echo_id"] == "e-2"


async def test_a_row_may_be_a_function():
    async with echoing() as client:
        refusal = await refused(client.get(b"vain"))
    assert (refusal.code, refusal.info.reason) == (grpc.StatusCode.ABORTED, "VAIN")


async def test_waiting_helps_is_said_by_retry_info():
    async with echoing() as client:
        refusal = await refused(client.get(b"busy"))
    assert refusal.code == grpc.StatusCode.FAILED_PRECONDITION
    assert refusal.retry.retry_delay.ToMilliseconds() == 12_500


async def test_bad_fields_are_named_each():
    async with echoing() as client:
        refusal = await refused(client.get(b"bad"))
    assert refusal.code == grpc.StatusCode.INVALID_ARGUMENT
    assert [(v.field, v.description) for v in refusal.bad.field_violations] == [
        ("size.vcpus", "must be positive"),
        ("id", "is missing"),
    ]


async def test_an_error_too_large_for_trailers_is_cut_and_still_arrives():
    async with echoing() as client:
        # Many times, as what is a little too large is only sometimes refused.
        refusals = [await refused(client.get(b"long")) for _ in range(50)]
    assert {refusal.code for refusal in refusals} == {grpc.StatusCode.INVALID_ARGUMENT}
    refusal = refusals[0]
    assert refusal.message.endswith("…")
    assert refusal.bad.field_violations[0].field == "f0"
    assert "more fields are wrong" in refusal.bad.field_violations[-1].description


async def test_a_fault_in_the_table_itself_is_internal_and_logged():
    with capture_logs() as logs:
        async with echoing() as client:
            refusal = await refused(client.get(b"broken row"))
    assert refusal.code == grpc.StatusCode.INTERNAL
    assert any(isinstance(line.get("exc_info"), AttributeError) for line in logs)


@pytest.mark.parametrize("kind", ["unary", "stream", "client stream", "both"])
async def test_bytes_that_are_no_request_are_the_callers_fault(kind):
    async with echoing() as client:
        refusal = await refused(call(client, kind, b"\xff\xfe"))
    assert (refusal.code, refusal.info.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_FIELD",
    )


async def test_a_method_nobody_built_yet_says_so():
    async with echoing() as client:
        refusal = await refused(client.later(b""))
    assert (refusal.code, refusal.info.reason) == (
        grpc.StatusCode.UNIMPLEMENTED,
        "NOT_IMPLEMENTED",
    )
    assert refusal.info.metadata["rpc"] == "Later"


async def test_a_method_that_does_not_exist_is_unimplemented():
    async with echoing() as client:
        refusal = await refused(client.channel.unary_unary("/echo.v1.Echo/Nothing")(b""))
    assert refusal.code == grpc.StatusCode.UNIMPLEMENTED


async def test_an_abort_by_hand_passes_through():
    async with echoing() as client:
        refusal = await refused(client.get(b"abort"))
    assert (refusal.code, refusal.message) == (grpc.StatusCode.DATA_LOSS, "by hand")


async def test_an_answer_of_the_wrong_type_is_internal():
    async with echoing() as client:
        refusal = await refused(client.get(b"wrong type"))
    assert (refusal.code, refusal.info.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")


async def test_a_timeout_of_a_library_is_not_the_callers_deadline():
    async with echoing() as client:
        refusal = await refused(client.get(b"timeout"))
    assert refusal.code == grpc.StatusCode.INTERNAL


async def test_something_cancelled_inside_a_handler_still_answers_the_caller():
    async with echoing() as client:
        refusal = await refused(client.get(b"inner cancel", timeout=10))
    assert refusal.code == grpc.StatusCode.INTERNAL


async def test_trailers_of_the_handler_are_kept_beside_the_details():
    async with echoing() as client:
        refusal = await refused(client.get(b"trailers"))
    assert refusal.trailers["x-own"] == "kept"
    assert refusal.info.reason == "LOCK_HELD"


async def test_a_call_that_takes_longer_than_the_server_gives_ends_with_a_reason():
    echo = Echo()
    async with echoing(echo, max_call_seconds=0.1) as client:
        refusal = await refused(client.get(b"held"))
    assert refusal.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert refusal.info.reason == "DEADLINE_EXCEEDED"
    assert "0.1 s" in refusal.message
    assert echo.seen == ["get cancelled"]


async def test_the_callers_deadline_cancels_the_handler_and_is_logged_as_that():
    echo = Echo()
    with capture_logs() as logs:
        async with echoing(echo) as client:
            refusal = await refused(client.get(b"held", timeout=0.2))
    assert refusal.code == grpc.StatusCode.DEADLINE_EXCEEDED
    assert echo.seen == ["get cancelled"]
    assert [line["code"] for line in logs if line["event"] == "call"] == ["DEADLINE_EXCEEDED"]


@pytest.mark.parametrize("request_", [b"for ever", b"endless"])
async def test_a_caller_that_leaves_a_stream_ends_its_handler_without_an_error(request_):
    echo = Echo()
    with capture_logs() as logs:
        async with echoing(echo) as client:
            stream = client.watch(request_)
            await stream.read()
            stream.cancel()
            await asyncio.wait_for(echo.closed.wait(), 5)
    assert [line["code"] for line in logs if line["event"] == "call"] == ["CANCELLED"]
    assert not [line for line in logs if line["log_level"] == "error"]


async def test_a_request_that_is_too_large_is_refused_in_words():
    async with echoing(max_request_bytes=10_000) as client:
        refusal = await refused(client.get(b"x" * 10_001))
        assert await client.get(b"y" * 9_000) == b"y" * 9_000
    assert refusal.code == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "10001" in refusal.message
    assert "10000" in refusal.message


@pytest.mark.parametrize(("kind", "request_"), [("unary", b"size 10001"), ("stream", b"size")])
async def test_an_answer_that_is_too_large_is_an_error_in_words(kind, request_):
    async with echoing(max_response_bytes=10_000) as client:
        refusal = await refused(call(client, kind, request_))
        assert len(await client.get(b"size 10000")) == 10_000
    assert (refusal.code, refusal.info.reason) == (grpc.StatusCode.INTERNAL, "INTERNAL")
    assert "10000" in refusal.message


async def test_two_servers_in_one_loop_have_tables_and_ports_of_their_own():
    first, second = echo_server(Echo()), echo_server(Echo())
    async with running(first, second), connected(first) as one, connected(second) as two:
        assert first.port != second.port
        assert await one.get(b"a") == b"a"
        assert await two.get(b"b") == b"b"


async def test_refusals_carry_the_request_id():
    async with echoing() as client:
        refusal = await refused(client.get(b"missing", metadata=(("x-request-id", "r-77"),)))
    assert isinstance(refusal, Refusal)
    assert refusal.trailers["x-request-id"] == "r-77"
