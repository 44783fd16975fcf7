"""The lock keeper against the real state service: leases of 10 s and less than that of waiting."""

import asyncio
from datetime import timedelta

import pytest
from daylily.workset.v1 import workset_pb2

from daylily_client import (
    AsyncStateClient,
    ClientOptions,
    LockKeeper,
    LockLost,
    LockState,
    RetryPolicy,
    StateClient,
    WorksetCancelled,
    duration,
    new_request_id,
)
from tests.support.state_process import StateProcess, state_process

LEASE = timedelta(seconds=10)
OPTIONS = ClientOptions(
    actor="tester", timeout=5, retry=RetryPolicy(first_pause=0.05, longest_pause=0.2)
)


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    with state_process(tmp_path_factory.mktemp("state")) as running:
        yield running


@pytest.fixture
async def state(server: StateProcess):
    async with AsyncStateClient(server.address, OPTIONS) as client:
        yield client


@pytest.fixture
def workset_id(request: pytest.FixtureRequest, server: StateProcess) -> str:
    name = request.node.name.removeprefix("test_")[:100]
    with StateClient(server.address, OPTIONS) as client:
        client.register_workset(workset_id=name, bucket="lab", prefix=f"runs/{name}/")
    return name


async def locked(state: AsyncStateClient, workset_id: str) -> LockKeeper:
    sent_at = state.time.monotonic()
    grant = await state.acquire_lock(
        workset_id=workset_id, owner_id="monitor-1", lease=duration(LEASE)
    )
    return LockKeeper(
        state, workset_id=workset_id, lock_token=grant.lock_token, lease=LEASE, sent_at=sent_at
    )


async def look(state: AsyncStateClient, workset_id: str) -> workset_pb2.Workset:
    return (await state.get_workset(workset_id=workset_id)).workset


async def test_a_gate_makes_the_lock_last_anew_and_brings_progress(state, workset_id):
    async with await locked(state, workset_id) as keeper:
        before = await look(state, workset_id)
        keeper.report(step="run_pipeline", percent=40, message="aligning")
        await keeper.confirmed()
        after = await look(state, workset_id)
        assert after.lock.expires_at.ToNanoseconds() > before.lock.expires_at.ToNanoseconds()
        assert (after.progress.step, after.progress.percent) == ("run_pipeline", 40)
        assert after.version == before.version


async def test_a_run_is_concluded_under_the_lock(state, workset_id):
    async with await locked(state, workset_id) as keeper:
        token, request_id = keeper.lock_token, new_request_id()
        await state.update_state(
            workset_id=workset_id, state=workset_pb2.WORKSET_STATE_IN_PROGRESS, lock_token=token
        )
        ended = await keeper.conclude(
            lambda: state.update_state(
                workset_id=workset_id,
                state=workset_pb2.WORKSET_STATE_COMPLETE,
                lock_token=token,
                request_id=request_id,
            )
        )
        assert ended.workset.state == workset_pb2.WORKSET_STATE_COMPLETE
        assert keeper.state is LockState.ENDED


async def test_a_takeover_by_force_is_found_by_the_next_gate(state, workset_id):
    async with await locked(state, workset_id) as keeper:
        await state.acquire_lock(workset_id=workset_id, owner_id="operator", force=True)
        with pytest.raises(LockLost):
            await keeper.confirmed()
        assert keeper.state is LockState.LOST


async def test_a_cancel_reaches_the_holder_who_acknowledges_it(state, workset_id):
    async with await locked(state, workset_id) as keeper:
        await state.update_state(
            workset_id=workset_id, state=workset_pb2.WORKSET_STATE_IGNORED, reason="wrong samples"
        )
        # The lease is 10 s, so the renewal that finds out is due in about 3.
        assert isinstance(await asyncio.wait_for(keeper.wait_lost(), 8), WorksetCancelled)
        await keeper.release("stopped the run")
        workset = await look(state, workset_id)
        assert workset.state == workset_pb2.WORKSET_STATE_IGNORED
        assert not workset.HasField("lock")


async def test_a_lock_is_given_back(state, workset_id):
    async with await locked(state, workset_id) as keeper:
        await keeper.release("stopping")
        assert keeper.state is LockState.ENDED
    assert (await look(state, workset_id)).state == workset_pb2.WORKSET_STATE_READY


async def test_a_gate_waits_for_a_killed_service_to_come_back(tmp_path):
    with state_process(tmp_path) as server:
        async with AsyncStateClient(server.address, OPTIONS) as state:
            await state.register_workset(workset_id="ws-1", bucket="lab", prefix="runs/ws-1/")
            async with await locked(state, "ws-1") as keeper:
                server.kill()
                gate = asyncio.ensure_future(keeper.confirmed())
                await asyncio.sleep(0.5)
                assert not gate.done()
                await asyncio.to_thread(server.start)
                await asyncio.wait_for(gate, 20)
                assert keeper.state is LockState.HELD
