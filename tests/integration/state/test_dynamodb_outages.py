"""Replicas on DynamoDB behind a network that fails, as their callers see it."""

import asyncio
import threading

import grpc
import pytest
from daylily.state.v1 import state_pb2

from tests.integration.state.asking import (
    LOCKED,
    acquire,
    events,
    get,
    register,
    renew,
    run,
)
from tests.integration.state.every_rpc import METHODS, first_answer, good, prepare
from tests.integration.state.refusals import refused
from tests.integration.state.replicas import NOT_SERVING, SERVING, replica, settings_on_dynamodb
from tests.integration.state.watching import watching
from tests.support.faulty_proxy import drop_answer, hold, run_faulty_proxy

TRANSACTION = "TransactWriteItems"
NEEDS_NO_STORE = {"GetQueueDepth"}


@pytest.fixture
def proxy(dynamodb_local):
    with run_faulty_proxy(dynamodb_local.endpoint_url) as made:
        yield made


@pytest.fixture
async def behind(on_dynamodb, dynamodb_local, proxy):
    """A replica that reaches the tables through the proxy."""
    settings = settings_on_dynamodb(dynamodb_local, on_dynamodb.table_prefix, proxy.url)
    async with replica(settings) as made:
        yield made


@pytest.fixture
async def beside(on_dynamodb, behind):
    """A replica on the same tables that sees no faults."""
    async with replica(on_dynamodb) as made:
        yield made


async def until_health(state, status):
    async with asyncio.timeout(30):
        while await state.health() != status:  # noqa: ASYNC110 - as its clients see it
            await asyncio.sleep(0.01)


async def test_a_replica_that_loses_its_tables_says_so_and_others_go_on(behind, beside, proxy):
    await register(behind.stub, "ws-1")
    with proxy.away():
        await until_health(behind, NOT_SERVING)
        assert await beside.health() == SERVING
        token = await run(beside.stub, "ws-1")
        await renew(beside.stub, "ws-1", token)
    await until_health(behind, SERVING)
    assert (await get(behind.stub, "ws-1")).lock.token == token


async def test_no_rpc_says_not_found_or_nothing_there_while_the_tables_are_away(behind, proxy):
    await prepare(behind.stub)
    cursor = (await behind.stub.GetQueueDepth(state_pb2.GetQueueDepthRequest())).cursor
    ack = state_pb2.AckEventsRequest(consumer="reader", consumer_token=1, cursor=cursor)

    async def ask(name):
        return name, await refused(
            first_answer(behind, name, ack if name == "AckEvents" else good(name))
        )

    with proxy.away():
        answers = await asyncio.gather(*map(ask, sorted(METHODS.keys() - NEEDS_NO_STORE)))
    for name, refusal in answers:
        assert refusal.code == grpc.StatusCode.UNAVAILABLE, (name, refusal)
        assert refusal.reason in {"STORE_UNAVAILABLE", "OUTCOME_UNKNOWN"}, (name, refusal)


async def test_tables_that_hang_end_health_and_deadlines_hold(behind, proxy):
    await register(behind.stub, "ws-1")
    gate = threading.Event()
    with proxy.always(hold(gate)):
        await until_health(behind, NOT_SERVING)
        refusal = await refused(
            behind.stub.GetWorkset(state_pb2.GetWorksetRequest(workset_id="ws-1"), timeout=0.5)
        )
        assert refusal.code in {
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.UNAVAILABLE,
        }
        gate.set()
    await until_health(behind, SERVING)


async def test_an_answer_that_is_lost_after_the_commit_is_made_up_for(behind, beside, proxy):
    await register(beside.stub, "ws-1")
    async with watching(beside.stub, workset_id="ws-1", from_beginning=True) as watch:
        await watch.to_the_end()
        proxy.once(drop_answer, operation=TRANSACTION, times=2)
        answer = await behind.stub.AcquireLock(
            state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id="r-1")
        )
        assert (answer.lock_token, answer.workset.state) == (1, LOCKED)
        await watch.until(2)
    assert len(await events(beside.stub, "ws-1")) == 2
    again = await beside.stub.AcquireLock(
        state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id="r-1")
    )
    assert again.lock_token == 1


async def test_a_transaction_that_hangs_past_its_deadline_lands_once_or_not_at_all(
    behind, beside, proxy
):
    """Its caller asks again elsewhere meanwhile; the late one finds its slot taken."""
    await register(beside.stub, "ws-1")
    gate = threading.Event()
    asked = state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id="r-1")
    with proxy.always(hold(gate), operation=TRANSACTION):
        refusal = await refused(behind.stub.AcquireLock(asked, timeout=1))
        assert refusal.code in {
            grpc.StatusCode.DEADLINE_EXCEEDED,
            grpc.StatusCode.UNAVAILABLE,
        }
        answer = await beside.stub.AcquireLock(asked)
        gate.set()
    assert answer.lock_token == 1
    await renew(behind.stub, "ws-1", 1)
    assert await acquire(behind.stub, "ws-1", owner_id="boss", force=True) == 2
    trail = await events(beside.stub, "ws-1")
    assert [event.version for event in trail] == [1, 2, 3]
