"""Callers that go away, state that goes away, schedulers that are killed or begin late."""

import asyncio
import contextlib
from datetime import timedelta

import grpc
import pytest

from daylily_client import DaylilyError, Unavailable, duration
from tests.integration.scheduler.asking import (
    COMPLETE,
    ERROR,
    IGNORED,
    IN_PROGRESS,
    add_cluster,
    claim,
    is_waiting,
    knows,
    move,
    register,
    until,
)

pytestmark = pytest.mark.timeout(90)


async def test_a_lock_that_arrives_when_the_caller_is_gone_is_given_back(system):
    server = await system.scheduler_server()
    scheduler = await system.client(server)
    await add_cluster(scheduler, "c1")
    await register(system.state, "w")
    await knows(scheduler, clusters=1, startable=1)
    system.store.open.clear()
    asking = asyncio.create_task(claim(scheduler, owner="gone"))

    async def lock_is_under_way():
        return bool(system.store.held)

    await until(lock_is_under_way)
    asking.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await asking

    async def scheduler_noticed():
        return not any("Claim" in call.method for call in server._calls._tasks)

    await until(scheduler_noticed)
    system.store.open.set()

    async def given_back():
        events = (await system.state.list_events(workset_id="w")).events
        return [event.reason for event in events][2:] == [
            "the caller of the claim was gone when the lock arrived"
        ]

    await until(given_back)
    again = await claim(scheduler, owner="next", wait=5)
    assert again.workset.workset_id == "w"


async def test_a_scheduler_that_stops_answers_the_claims_that_wait(system):
    server = await system.scheduler_server()
    client = await system.client(server)
    await add_cluster(client, "c1")
    asking = asyncio.create_task(claim(client.with_timeout(-27), wait=30))
    await until(lambda: is_waiting(client))
    await server.stop()
    with pytest.raises(Unavailable) as refused:
        await asking
    assert refused.value.code is grpc.StatusCode.UNAVAILABLE


async def test_a_scheduler_does_not_serve_without_state_and_catches_up_with_it(system):
    server = await system.scheduler_server()
    client = await system.client(server)
    await add_cluster(client, "c1")
    await register(system.state, "before")
    await knows(client, clusters=1, startable=1)

    await system.state_service.stop()

    async def not_serving():
        return not server.serving

    await until(not_serving)
    with pytest.raises(DaylilyError) as refused:
        await claim(client.with_timeout(10))
    assert refused.value.code is grpc.StatusCode.UNAVAILABLE

    await system.start_state()
    await register(system.state, "after")
    await server.wait_serving()
    got = [(await claim(client, wait=10)).workset.workset_id for _ in range(2)]
    assert got == ["before", "after"]


async def test_a_new_scheduler_knows_what_waits_what_runs_and_what_is_free(system, scheduler):
    await add_cluster(scheduler, "c1", vcpus=40)
    await register(system.state, "runs", vcpus=16)
    await register(system.state, "locked", vcpus=16)
    await register(system.state, "done", vcpus=4)
    grants = {}
    for _ in range(3):
        grant = await claim(scheduler, wait=5)
        grants[grant.workset.workset_id] = grant
    await move(system.state, grants["runs"], IN_PROGRESS)
    await move(system.state, grants["done"], IN_PROGRESS, COMPLETE)
    await register(system.state, "fits", vcpus=8)
    await register(system.state, "too-big", vcpus=16)
    await register(system.state, "depends", depends_on=["runs"])

    other = await system.scheduler()
    await knows(other, clusters=1, startable=2, waiting=1, active=2)
    assert (await claim(other)).workset.workset_id == "fits"
    assert not (await claim(other)).HasField("workset")
    await move(system.state, grants["runs"], COMPLETE)
    got = {(await claim(other, wait=5)).workset.workset_id for _ in range(2)}
    assert got == {"too-big", "depends"}


async def test_a_scheduler_that_begins_while_things_happen_misses_nothing(system, scheduler):
    await add_cluster(scheduler, "c1", slots=1000)
    stop = asyncio.Event()
    registered = []

    async def keep_registering():
        while not stop.is_set():
            name = f"w{len(registered)}"
            await register(system.state, name)
            registered.append(name)
            if len(registered) % 3 == 0:
                grant = await claim(scheduler, wait=5)
                await move(system.state, grant, IN_PROGRESS, COMPLETE)

    busy = asyncio.create_task(keep_registering())
    late = [await system.scheduler() for _ in range(4)]
    stop.set()
    await busy
    depth = await system.state.get_queue_depth()
    for one in late:
        await knows(one, clusters=1, startable=depth.ready)


async def test_a_cancelled_run_keeps_its_room_until_its_holder_lets_go(system, scheduler):
    await add_cluster(scheduler, "c1", slots=1)
    await register(system.state, "cancelled")
    held = await claim(scheduler, wait=5)
    await system.state.update_state(workset_id="cancelled", state=IGNORED)
    await register(system.state, "next")
    # A scheduler that was not there learns from state that the cluster is full. The last minute's
    # events it would read.
    system.clock.ahead += timedelta(seconds=120)
    other = await system.scheduler()
    assert not (await claim(other, wait=0.5)).HasField("workset")
    assert (await other.get_scheduler_stats()).claims_lost == 1
    assert not (await claim(scheduler, wait=0.5)).HasField("workset")
    waiting = asyncio.create_task(claim(other, wait=30))
    await until(lambda: is_waiting(other))
    await system.state.release_lock(workset_id="cancelled", lock_token=held.lock_token)
    assert (await waiting).workset.workset_id == "next"


async def test_a_repeat_after_an_answer_that_was_lost_gets_the_grant(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w")
    await knows(scheduler, clusters=1, startable=1)
    # The lock is there; the answer of the first call never came.
    await system.state.acquire_lock(
        workset_id="w", owner_id="m1", cluster_name="c1", request_id="r-1", picked=True
    )
    again = await claim(scheduler, wait=2, request_id="r-1")
    assert (again.workset.workset_id, again.lock_token) == ("w", 1)


async def test_a_failed_workset_is_no_longer_offered(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w")
    grant = await claim(scheduler, wait=5, lease=duration(60))
    await move(system.state, grant, IN_PROGRESS, ERROR)
    await knows(scheduler, clusters=1)
    assert not (await claim(scheduler)).HasField("workset")
    await system.state.update_state(workset_id="w", state=1)
    assert (await claim(scheduler, wait=5)).workset.workset_id == "w"
