"""The client and the real state service with a network between them that loses and cuts."""

import asyncio
import time
from contextlib import aclosing
from datetime import timedelta

import pytest
from daylily.workset.v1 import event_pb2, workset_pb2

from daylily_client import (
    AsyncStateClient,
    ClientOptions,
    LockKeeper,
    LockState,
    RetryPolicy,
    duration,
)
from tests.support.state_process import StateProcess, state_process
from tests.support.tcp_proxy import TcpProxy, tcp_proxy

OPTIONS = ClientOptions(
    actor="tester",
    timeout=20,
    retry=RetryPolicy(first_pause=0.05, longest_pause=0.2, attempt_timeout=2),
)
REGISTERED = event_pb2.EVENT_TYPE_REGISTERED
LOCK_ACQUIRED = event_pb2.EVENT_TYPE_LOCK_ACQUIRED


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with state_process(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
async def direct(server: StateProcess):
    async with AsyncStateClient(server.address, OPTIONS) as client:
        yield client


@pytest.fixture
async def proxy(server: StateProcess):
    async with tcp_proxy(server.port) as running:
        yield running


@pytest.fixture
async def state(proxy: TcpProxy):
    async with AsyncStateClient(proxy.address, OPTIONS) as client:
        await client.get_queue_depth()  # connected, before anything goes wrong
        yield client


async def register(state: AsyncStateClient, name: str) -> None:
    await state.register_workset(workset_id=name, bucket="lab", prefix=f"runs/{name}/")


async def until_locked(state: AsyncStateClient, name: str) -> None:
    while True:
        answer = await state.get_workset(workset_id=name)
        if answer.workset.state == workset_pb2.WORKSET_STATE_LOCKED:
            return
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("then", ["cut", "silence"])
async def test_a_grant_whose_answer_was_lost_is_found_again(direct, proxy, state, then):
    name = f"lost-answer-{then}"
    await register(direct, name)
    proxy.losing_answers = True
    locking = asyncio.ensure_future(state.acquire_lock(workset_id=name, owner_id="m1"))
    await until_locked(direct, name)
    if then == "cut":
        proxy.cut()
    proxy.losing_answers = False
    grant = await locking
    assert grant.lock_token == 1
    events = (await direct.list_events(workset_id=name)).events
    assert [event.type for event in events] == [REGISTERED, LOCK_ACQUIRED]


async def test_connections_that_break_all_the_time_break_no_call(proxy, state):
    async def cutting() -> None:
        while True:
            await asyncio.sleep(0.05)
            proxy.cut()

    breaking = asyncio.ensure_future(cutting())
    for number in range(20):
        await register(state, f"broken-{number}")
    breaking.cancel()
    for number in range(20):
        answer = await state.list_events(workset_id=f"broken-{number}")
        assert [event.type for event in answer.events] == [REGISTERED]


async def test_a_watch_leaves_a_dead_connection_by_itself(direct, proxy, state):
    async with aclosing(state.watch_events()) as watch:
        opening = asyncio.ensure_future(anext(watch))
        while not opening.done():
            # A watch from now on may begin after an event that is already there.
            await register(direct, f"before-{time.monotonic_ns()}")
            await asyncio.sleep(0.1)
        proxy.silence()
        began = time.monotonic()
        await register(direct, "after-the-silence")
        async for answer in watch:
            if "after-the-silence" in {event.workset_id for event in answer.events}:
                break
        # Pings go every 10 s and are waited for 5 s; silence of the feed itself would take 45 s.
        assert time.monotonic() - began < 30


async def test_a_lock_survives_a_connection_that_went_dead(direct, proxy, state):
    await register(direct, "dead-connection")
    sent_at = state.time.monotonic()
    lease = timedelta(seconds=12)
    grant = await state.acquire_lock(
        workset_id="dead-connection", owner_id="m1", lease=duration(lease)
    )
    async with LockKeeper(
        state,
        workset_id="dead-connection",
        lock_token=grant.lock_token,
        lease=lease,
        sent_at=sent_at,
    ) as keeper:
        proxy.silence()
        await asyncio.wait_for(keeper.confirmed(), 30)
        assert keeper.state is LockState.HELD
