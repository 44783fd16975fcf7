"""The proxies of the chaos runs before a real state service: what they change, and what they do not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from daylily_client import (
    AsyncStateClient,
    ClientOptions,
    DaylilyError,
    RetryPolicy,
    WorksetNotFound,
)
from tests.chaos.call_proxy import CallProxy, Moment, Traps
from tests.chaos.state_proxy import Mode, StateProxy
from tests.support.state_process import StateProcess, state_process

OPTIONS = ClientOptions(
    actor="tester",
    timeout=10,
    retry=RetryPolicy(first_pause=0.05, longest_pause=0.2, attempt_timeout=2),
)
METHOD = "RegisterWorkset"


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with state_process(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
async def direct(server: StateProcess):
    async with AsyncStateClient(server.address, OPTIONS) as client:
        yield client


@pytest.fixture
def traps() -> Traps:
    return Traps()


@pytest.fixture
async def outer() -> AsyncIterator[StateProxy]:
    proxy = StateProxy()
    yield proxy
    await proxy.close()


@pytest.fixture
async def address(server: StateProcess, outer: StateProxy, traps: Traps) -> AsyncIterator[str]:
    """Of state, behind both proxies."""
    calls = CallProxy("notifier-0", server.port, traps)
    await calls.start()
    yield await outer.open_door(calls.port)
    await calls.close()


@pytest.fixture
async def state(address: str):
    async with AsyncStateClient(address, OPTIONS) as client:
        await client.get_queue_depth()
        yield client


async def register(state: AsyncStateClient, name: str) -> None:
    await state.register_workset(workset_id=name, bucket="lab", prefix=f"runs/{name}/")


async def test_calls_errors_and_who_calls_come_through_unchanged(state, direct):
    await register(state, "through")
    with pytest.raises(WorksetNotFound) as refusal:
        await state.get_workset(workset_id="nobody")

    assert refusal.value.reason == "WORKSET_NOT_FOUND"
    (event,) = (await direct.list_events(workset_id="through")).events
    assert event.actor == "tester"


async def test_a_stream_comes_through_and_ends_with_its_reader(state, direct):
    async with aclosing(state.watch_events(from_beginning=True)) as answers:
        await register(direct, "streamed")
        async for answer in answers:
            if any(event.workset_id == "streamed" for event in answer.events):
                break


async def test_a_call_that_is_trapped_when_it_is_asked_never_reaches_state(state, direct, traps):
    with traps.set(METHOD, Moment.ASKED) as trap:
        asking = asyncio.create_task(register(state.with_timeout(0.5), "never"))
        await trap.caught.wait()
        assert trap.caller == "notifier-0"
        with pytest.raises(DaylilyError):
            await asking

    with pytest.raises(WorksetNotFound):
        await direct.get_workset(workset_id="never")


async def test_a_call_that_is_trapped_when_it_is_answered_has_taken_effect(state, direct, traps):
    with traps.set(METHOD, Moment.ANSWERED) as trap:
        asking = asyncio.create_task(register(state.with_timeout(0.5), "done"))
        await trap.caught.wait()
        assert await direct.get_workset(workset_id="done")
        with pytest.raises(DaylilyError):
            await asking


async def test_a_trap_takes_one_call_of_its_method_and_lets_all_others_pass(state, traps):
    with traps.set(METHOD, Moment.ASKED) as trap:
        await state.get_queue_depth()
        asking = asyncio.create_task(register(state, "first"))
        await trap.caught.wait()
        await register(state, "second")
    # It is dropped once the trap is opened; the client sends it again.
    await asking


async def test_every_door_of_a_replica_is_behind_its_fault(state, direct, outer, server):
    async with AsyncStateClient(await outer.open_door(server.port), OPTIONS) as other:
        await other.get_queue_depth()
        async with outer.fault(Mode.HANG):
            for client in (state, other):
                with pytest.raises(DaylilyError):
                    await client.with_timeout(0.3).get_queue_depth()
            await direct.get_queue_depth()
        for client in (state, other):
            await client.get_queue_depth()
        assert outer.met


@pytest.mark.parametrize("mode", [Mode.REFUSE, Mode.ERROR, Mode.DROP])
async def test_what_breaks_connections_fails_calls_and_is_over_afterwards(state, outer, mode):
    async with outer.fault(mode):
        with pytest.raises(DaylilyError):
            await state.with_timeout(0.4).get_queue_depth()
    await state.get_queue_depth()
    assert outer.met
