"""The trap that keeps a timeout until its holder has renewed, before real DynamoDB."""

import asyncio
from datetime import timedelta

import pytest

from daylily_state.domain.commit import Committed
from daylily_state.domain.events import EventType
from daylily_state.domain.model import WorksetState
from daylily_state.ports import ProgressPatch, Touch
from tests.chaos.timeouts import Trap
from tests.support.faulty_proxy import run_faulty_proxy
from tests.support.state_rows import LEASE, NOW, change, commit, load, lock, make_workset, register
from tests.support.stores import emptied_replicas

RENEWAL = Touch("ws-1", 1, LEASE, NOW + 2 * LEASE)


@pytest.fixture
def proxy(dynamodb_local):
    with run_faulty_proxy(dynamodb_local.endpoint_url) as running:
        yield running


@pytest.fixture
async def store(dynamodb_local, proxy):
    async with emptied_replicas(dynamodb_local, url=proxy.url) as replicas:
        yield replicas.first


async def timeout(store, *, guarded=True):
    """What ends the lock of m1, as the reaper decided it."""
    held = await lock(store, await register(store, make_workset()))
    return await change(
        store,
        held,
        EventType.LOCK_TIMEOUT,
        expiry_seen=held.lock.expires_at if guarded else None,
        event={"owner_id": "m1.1.7"},
        state=WorksetState.READY,
        lock=None,
    )


@pytest.mark.parametrize("guarded", [True, False])
async def test_a_timeout_lands_after_the_renewal_that_it_did_not_see(store, proxy, guarded):
    made = await timeout(store, guarded=guarded)
    trap = Trap("m1")
    with proxy.watched(trap):
        ending = asyncio.create_task(commit(store, made))
        assert await asyncio.to_thread(trap.caught.wait, 10)
        report = ProgressPatch("run", 1, "", NOW + timedelta(seconds=1))
        await store.touch(Touch("ws-1", 1, progress=report))
        assert not trap.renewed.is_set()
        assert await store.touch(RENEWAL) is not None
        assert trap.renewed.is_set()
        # Without the condition on the expiry, the lock that was renewed is gone.
        assert (await ending == Committed()) is not guarded
    assert ((await load(store, "ws-1")).lock is not None) is guarded


async def test_timeouts_of_others_pass(store, proxy):
    made = await timeout(store)
    trap = Trap("m2")
    with proxy.watched(trap):
        assert await commit(store, made) == Committed()
    assert not trap.caught.is_set()
