"""No RPC answers UNKNOWN or INTERNAL, and no server falls over, whatever it is sent."""

import asyncio
from datetime import UTC, datetime

import grpc
import pytest
from daylily.state.v1 import state_pb2

from daylily_state.domain import cursor
from tests.integration.state.asking import (
    acquire,
    at,
    register,
    registration,
    seconds,
    struct,
)
from tests.integration.state.every_rpc import (
    GOOD,
    METHODS,
    SERVICE,
    first_answer,
    good,
    prepare,
    request_class,
)
from tests.integration.state.hostile import bad_ones
from tests.integration.state.refusals import refusal, refused
from tests.integration.state.replicas import replica

FAULTS = {
    grpc.StatusCode.UNKNOWN,
    grpc.StatusCode.INTERNAL,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAVAILABLE,
}


async def answered(state, name, request):
    """Why an RPC refuses, None if it does not."""
    try:
        await first_answer(state, name, request)
    except grpc.aio.AioRpcError as error:
        return refusal(error)
    return None


def test_every_rpc_is_tried():
    assert set(GOOD) == set(METHODS)


async def what_passes(state, name, requests):
    """Sends requests of which none may make a fault; those that were not refused as malformed."""
    passed = []
    for start in range(0, len(requests), 20):
        some = requests[start : start + 20]
        answers = await asyncio.gather(*(answered(state, name, request) for request in some))
        for request, answer in zip(some, answers, strict=True):
            if answer is not None:
                shown = f"{name} {str(request)[:300]}"
                assert answer.code not in FAULTS, (answer, shown)
                assert answer.reason, (answer, shown)
            if answer is None or answer.code != grpc.StatusCode.INVALID_ARGUMENT:
                passed.append(request)
    return passed


async def test_no_message_makes_a_fault(state, on_dynamodb):
    """DynamoDB has rules of its own: no empty key, 400 KB an item. It gets what passes the checks."""
    async with replica(on_dynamodb) as other:
        for each in (state, other):
            await prepare(each.stub)
        for name in sorted(METHODS):
            passed = await what_passes(state, name, list(bad_ones(good(name))))
            await what_passes(other, name, passed)
        for each in (state, other):
            await still_works(each)


async def still_works(state):
    assert not state.server._failed.is_set()
    await register(state.stub, "afterwards")
    found = await state.stub.GetQueueDepth(state_pb2.GetQueueDepthRequest(), timeout=5)
    listed, token = 0, ""
    while True:
        page = await state.stub.ListWorksets(
            state_pb2.ListWorksetsRequest(page_size=500, page_token=token)
        )
        listed += len(page.worksets)
        token = page.next_page_token
        if not token:
            break
    assert found.total == listed


NOT_UTF8 = b"\x0a\x04\xff\xfe\xfd\xfc"
CUT_OFF = b"\x0a\x7fabc"
# Ten thousand groups in one another.
TOO_DEEP = b"\x0b" * 10_000


@pytest.mark.parametrize("raw", [NOT_UTF8, CUT_OFF, TOO_DEEP, b"\xff" * 100])
async def test_bytes_that_are_no_message_are_refused(state, raw):
    async def send(name):
        method = f"/{SERVICE.full_name}/{name}"
        if METHODS[name].server_streaming:
            call = state.channel.unary_stream(method)(raw, timeout=10)
            return await refused(anext(aiter(call)))
        return await refused(state.channel.unary_unary(method)(raw, timeout=10))

    for name in sorted(METHODS):
        first = METHODS[name].input_type.fields_by_number.get(1)
        if raw is NOT_UTF8 and (first is None or first.type != first.TYPE_STRING):
            continue
        found = await send(name)
        assert (found.code, found.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")


# What a page token carries, as somebody would write it who has read the source.
FORGED = [
    "",
    "x",
    "-1",
    "9" * 30,
    "9" * 5_000,
    "[" * 100_000,
    "null",
    "[]",
    "[1]",
    '["",""]',
    '[-1,"w"]',
    f'[{"9" * 30},"w"]',
    '[1e400,"w"]',
    '[1,2,"w"]',
    f'[1,{"9" * 30},"w"]',
    f'[{"9" * 30},1,"w"]',
    '[1,-5,"w"]',
    '[0,0,0,"w"]',
    '{"a":1}',
]


async def test_a_forged_page_token_makes_no_fault(shared, monkeypatch):
    """The words of the call are part of a token; these come with the right ones."""
    seen = set()
    encode = cursor.encode_page

    def listen(call, after):
        seen.add(call)
        return encode(call, after)

    monkeypatch.setattr(cursor, "encode_page", listen)
    async with replica(shared) as state:
        await prepare(state.stub)
        for rpc, fields in (
            ("ListWorksets", {}),
            ("ListWorksets", {"states": [2]}),
            ("ListReadyWorksets", {}),
            ("ListEvents", {"workset_id": "held"}),
            ("ListDeliveries", {}),
        ):
            seen.clear()
            kind = request_class(rpc)
            await getattr(state.stub, rpc)(kind(**fields))
            (call,) = seen
            for words in FORGED:
                token = encode(call, words)
                found = await answered(state, rpc, kind(**fields, page_token=token))
                if found is not None:
                    assert found.reason == "INVALID_CURSOR", (rpc, words, found)


@pytest.mark.parametrize(
    "metadata",
    [
        (("x-daylily-actor", "a" * 65),),
        (("x-daylily-actor", "two words"),),
        (("x-request-id", "r" * 5_000),),
    ],
)
async def test_odd_metadata_makes_no_fault(stub, metadata):
    if metadata[0][0] == "x-request-id":
        await stub.RegisterWorkset(registration("ws-1"), metadata=metadata)
        return
    found = await refused(stub.RegisterWorkset(registration("ws-1"), metadata=metadata))
    assert set(found.violations) == {"actor"}


async def test_a_page_of_the_largest_worksets_makes_no_fault(stub):
    """Numbers are what grows most between JSON and protobuf."""
    for number in range(4):
        await register(stub, f"w{number}", metadata=struct(a=[1] * 65_000))
    token, seen = "", 0
    while True:
        page = await stub.ListWorksets(state_pb2.ListWorksetsRequest(view=2, page_token=token))
        seen += len(page.worksets)
        token = page.next_page_token
        if not token:
            break
    assert seen == 4


async def test_times_are_kept_to_the_microsecond(stub):
    deadline = at(datetime(2030, 1, 1, tzinfo=UTC))
    deadline.nanos = 123_456_789
    found = await register(stub, "ws-1", deadline=deadline)
    assert found.deadline.nanos == 123_456_000
    await acquire(stub, "ws-1", lease=seconds(60.5))
