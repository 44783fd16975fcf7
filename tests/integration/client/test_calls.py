"""Calls over real connections: what is sent, what is repeated, and what a caller is told."""

import asyncio
import time
from dataclasses import replace

import grpc
import pytest
from daylily.scheduler.v1 import scheduler_pb2
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2

from daylily_client import (
    AsyncSchedulerClient,
    AsyncStateClient,
    ClientOptions,
    DaylilyError,
    DeadlineExceeded,
    FieldViolation,
    IllegalTransition,
    InvalidField,
    LockHeld,
    OutcomeUnknown,
    RetryPolicy,
    StoreUnavailable,
    Unavailable,
    WorksetNotFound,
    async_pages,
    duration,
)
from tests.support.ports import free_port
from tests.support.scripted_server import QUICK, answers, hangs, refuses, scripted_server

STATE = state_pb2.DESCRIPTOR.services_by_name["StateService"]
SCHEDULER = scheduler_pb2.DESCRIPTOR.services_by_name["SchedulerService"]
UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
GRANT = state_pb2.AcquireLockResponse(lock_token=7)
BROKEN = refuses(UNAVAILABLE, message="Socket closed")


async def test_arguments_become_the_fields_of_the_request(either):
    async with (
        scripted_server(STATE, {"AcquireLock": [answers(GRANT)]}) as server,
        either(server.address) as caller,
    ):
        answer = await caller.call(
            "acquire_lock", workset_id="ws-1", owner_id="me", lease=duration(900)
        )
        assert answer.lock_token == 7
        (request,) = server.requests("AcquireLock")
        assert (request.workset_id, request.owner_id) == ("ws-1", "me")
        assert request.lease.seconds == 900


async def test_each_call_says_who_calls_and_which_call_it_is(either):
    async with (
        scripted_server(STATE, {"AcquireLock": [answers(GRANT)]}) as server,
        either(server.address) as caller,
    ):
        await caller.call("acquire_lock", workset_id="ws-1", request_id="r-1")
        assert server.seen[0].metadata["x-daylily-actor"] == "tester"
        assert server.seen[0].metadata["x-request-id"] == "r-1"


async def test_a_write_is_repeated_under_one_request_id_until_it_gets_through(either):
    script = {"AcquireLock": [BROKEN, refuses(UNAVAILABLE, "OUTCOME_UNKNOWN"), answers(GRANT)]}
    async with scripted_server(STATE, script) as server, either(server.address) as caller:
        assert (await caller.call("acquire_lock", workset_id="ws-1")).lock_token == 7
        ids = [request.request_id for request in server.requests("AcquireLock")]
        assert len(ids) == 3
        assert len(set(ids)) == 1
        assert ids[0]


async def test_a_request_id_of_the_caller_is_kept(either):
    async with (
        scripted_server(STATE, {"AcquireLock": [BROKEN, answers(GRANT)]}) as server,
        either(server.address) as caller,
    ):
        await caller.call("acquire_lock", workset_id="ws-1", request_id="mine")
        assert [request.request_id for request in server.requests("AcquireLock")] == ["mine"] * 2


async def test_an_answer_lost_with_its_server_is_fetched_from_the_next(either):
    async with scripted_server(STATE, {"AcquireLock": [hangs, answers(GRANT)]}) as server:
        options = replace(QUICK, retry=RetryPolicy(0.01, 0.05, attempt_timeout=5))
        async with either(server.address, options) as caller:
            call = asyncio.ensure_future(caller.call("acquire_lock", workset_id="ws-1"))
            await server.until_called()
            await server.stop()
            await server.start()
            assert (await call).lock_token == 7
            first, *_, last = server.requests("AcquireLock")
            assert first.request_id == last.request_id


async def test_a_call_that_may_not_be_repeated_fails_when_its_fate_is_unknown(either):
    script = {"ClaimDeliveries": [BROKEN, answers(state_pb2.ClaimDeliveriesResponse())]}
    async with scripted_server(STATE, script) as server, either(server.address) as caller:
        with pytest.raises(Unavailable):
            await caller.call("claim_deliveries", channel="sns")
        assert len(server.seen) == 1


async def test_a_call_that_may_not_be_repeated_is_when_nothing_was_changed(either):
    script = {
        "ClaimDeliveries": [
            refuses(UNAVAILABLE, "STORE_UNAVAILABLE"),
            answers(state_pb2.ClaimDeliveriesResponse()),
        ]
    }
    async with scripted_server(STATE, script) as server, either(server.address) as caller:
        await caller.call("claim_deliveries", channel="sns")
        assert len(server.seen) == 2


async def test_contention_is_tried_again_after_the_pause_that_the_service_asks_for(either):
    script = {
        "UpdateState": [
            refuses(grpc.StatusCode.ABORTED, "CONTENTION", retry_after=1.5),
            answers(state_pb2.UpdateStateResponse()),
        ]
    }
    async with scripted_server(STATE, script) as server, either(server.address) as caller:
        await caller.call("update_state", workset_id="ws-1")
        assert 1.5 <= caller.pauses[0] <= 1.5 + QUICK.retry.first_pause


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        (grpc.StatusCode.NOT_FOUND, "WORKSET_NOT_FOUND", WorksetNotFound),
        (grpc.StatusCode.FAILED_PRECONDITION, "LOCK_HELD", LockHeld),
        (grpc.StatusCode.FAILED_PRECONDITION, "ILLEGAL_TRANSITION", IllegalTransition),
    ],
)
async def test_a_refusal_is_final_and_typed(either, code, reason, kind):
    step = refuses(code, reason, message="no", metadata={"a": "b"}, retry_after=3)
    async with (
        scripted_server(STATE, {"UpdateState": [step]}) as server,
        either(server.address) as caller,
    ):
        with pytest.raises(kind) as caught:
            await caller.call("update_state", workset_id="ws-1", request_id="r-9")
        error = caught.value
        assert len(server.seen) == 1
        assert (error.code, error.reason, error.message) == (code, reason, "no")
        assert error.metadata == {"a": "b"}
        assert error.retry_after == 3
        assert (error.rpc, error.request_id) == ("StateService/UpdateState", "r-9")


async def test_wrong_fields_are_named(either):
    step = refuses(
        grpc.StatusCode.INVALID_ARGUMENT,
        "INVALID_FIELD",
        violations={"requirements.vcpus": "at most 100000"},
    )
    async with (
        scripted_server(STATE, {"RegisterWorkset": [step]}) as server,
        either(server.address) as caller,
    ):
        with pytest.raises(InvalidField) as caught:
            await caller.call("register_workset", workset_id="ws-1")
        assert caught.value.violations == (FieldViolation("requirements.vcpus", "at most 100000"),)


async def test_a_hung_server_costs_one_attempt_and_not_the_call(either):
    options = replace(QUICK, retry=RetryPolicy(0.01, 0.05, attempt_timeout=0.3))
    async with (
        scripted_server(STATE, {"AcquireLock": [hangs, answers(GRANT)]}) as server,
        either(server.address, options) as caller,
    ):
        assert (await caller.call("acquire_lock", workset_id="ws-1")).lock_token == 7


async def test_a_call_ends_with_its_deadline(either):
    options = replace(QUICK, timeout=0.4)
    async with (
        scripted_server(STATE, {"GetWorkset": [hangs]}) as server,
        either(server.address, options) as caller,
    ):
        began = time.monotonic()
        with pytest.raises(DeadlineExceeded):
            await caller.call("get_workset", workset_id="ws-1")
        assert time.monotonic() - began < 2


async def test_nobody_listening_is_unavailable_within_the_deadline(either):
    options = replace(QUICK, timeout=1.0)
    async with either(f"127.0.0.1:{free_port()}", options) as caller:
        with pytest.raises(Unavailable) as caught:
            await caller.call("get_workset", workset_id="ws-1")
        assert caught.value.reason == ""


async def test_nothing_was_changed_is_not_said_of_a_write_that_may_have_gone_through(either):
    script = {"AcquireLock": [BROKEN, refuses(UNAVAILABLE, "STORE_UNAVAILABLE", retry_after=60)]}
    options = replace(QUICK, timeout=0.5)
    async with scripted_server(STATE, script) as server, either(server.address, options) as caller:
        with pytest.raises(OutcomeUnknown):
            await caller.call("acquire_lock", workset_id="ws-1")


async def test_a_read_says_plainly_that_the_store_is_away(either):
    script = {"GetWorkset": [BROKEN, refuses(UNAVAILABLE, "STORE_UNAVAILABLE", retry_after=60)]}
    options = replace(QUICK, timeout=0.5)
    async with scripted_server(STATE, script) as server, either(server.address, options) as caller:
        with pytest.raises(StoreUnavailable):
            await caller.call("get_workset", workset_id="ws-1")


async def test_a_claim_gets_its_wait_on_top_of_the_deadline():
    async def slow(request: object, context: grpc.aio.ServicerContext) -> object:
        remaining = context.time_remaining()
        return scheduler_pb2.ClaimNextWorksetResponse(lock_token=int(remaining or 0))

    options = ClientOptions(timeout=5, retry=RetryPolicy(attempt_timeout=3))
    async with (
        scripted_server(SCHEDULER, {"ClaimNextWorkset": [slow]}) as server,
        AsyncSchedulerClient(server.address, options) as client,
    ):
        answer = await client.claim_next_workset(cluster_name="c1", max_wait=duration(30))
        assert 31 <= answer.lock_token <= 33


async def test_another_timeout_shares_the_connection():
    async with (
        scripted_server(STATE, {"GetWorkset": [hangs]}) as server,
        AsyncStateClient(server.address) as client,
    ):
        hasty = client.with_timeout(0.2)
        with pytest.raises(DeadlineExceeded):
            await hasty.get_workset(workset_id="ws-1")
        assert hasty.channel is client.channel
        assert client.options.timeout == 30


async def test_a_service_calls_in_the_name_of_its_own_caller():
    async with (
        scripted_server(STATE, {"AcquireLock": [answers(GRANT)]}) as server,
        AsyncStateClient(server.address, ClientOptions(actor="scheduler")) as client,
    ):
        await client.with_actor("monitor@c1").acquire_lock(workset_id="ws-1")
        await client.acquire_lock(workset_id="ws-1")
        actors = [call.metadata["x-daylily-actor"] for call in server.seen]
        assert actors == ["monitor@c1", "scheduler"]


async def test_a_cancelled_caller_takes_its_call_back():
    gone = asyncio.Event()

    async def noticing(_request: object, context: grpc.aio.ServicerContext) -> object:
        context.add_done_callback(lambda _: gone.set())
        return await hangs(_request, context)

    async with (
        scripted_server(STATE, {"GetWorkset": [noticing]}) as server,
        AsyncStateClient(server.address) as client,
    ):
        call = asyncio.ensure_future(client.get_workset(workset_id="ws-1"))
        await server.until_called()
        call.cancel()
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.wait_for(gone.wait(), 5)


async def test_pages_are_read_to_the_last_empty_ones_included():
    def page(*ids: str, token: str = "") -> object:
        return answers(
            state_pb2.ListWorksetsResponse(
                worksets=[workset_pb2.Workset(workset_id=name) for name in ids],
                next_page_token=token,
            )
        )

    script = {"ListWorksets": [page("a", "b", token="1"), page(token="2"), page("c")]}
    async with (
        scripted_server(STATE, script) as server,
        AsyncStateClient(server.address) as client,
    ):
        found = [
            workset.workset_id
            async for answer in async_pages(client.list_worksets, customer_id="acme")
            for workset in answer.worksets
        ]
        assert found == ["a", "b", "c"]
        assert [request.page_token for request in server.requests("ListWorksets")] == ["", "1", "2"]
        assert {request.customer_id for request in server.requests("ListWorksets")} == {"acme"}


async def test_an_unknown_refusal_is_still_a_daylily_error():
    async with (
        scripted_server(STATE, {"GetWorkset": [refuses(grpc.StatusCode.DATA_LOSS)]}) as server,
        AsyncStateClient(server.address) as client,
    ):
        with pytest.raises(DaylilyError, match="DATA_LOSS"):
            await client.get_workset(workset_id="ws-1")
