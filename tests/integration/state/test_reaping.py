"""What becomes of worksets whose holder is gone, in a time that the test moves."""

import asyncio

import pytest
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import cluster_pb2, event_pb2

from tests.integration.state.asking import (
    COMPLETE,
    ERROR,
    IGNORED,
    IN_PROGRESS,
    INFRASTRUCTURE,
    READY,
    acquire,
    cancel,
    cluster,
    customer,
    events,
    get,
    needs,
    put_cluster,
    register,
    renew,
    restore,
    run,
    seconds,
    set_state,
)
from tests.integration.state.refusals import refused
from tests.integration.state.replicas import replica, settings_on_file

LEASE = seconds(10)


@pytest.fixture
async def lab(file, clock, faults):
    """A replica that has been fit for a lease."""
    async with replica(settings_on_file(file), clock, faults) as made:
        await live(clock, faults, 12)
        yield made.stub


async def live(clock, faults, length):
    """Lets time pass, every heartbeat answered in between."""
    for _ in range(length):
        before = faults.store.beats
        await clock.advance(1)
        async with asyncio.timeout(30):
            while faults.store.beats == before:  # noqa: ASYNC110 - it beats in the test's time
                await asyncio.sleep(0.001)
        for _ in range(3):  # a look at a lock, and what is committed for it
            await clock.settle()
            await faults.store.idle()


async def test_a_dead_holder_loses_its_lock_within_lease_and_5_s(lab, clock, faults):
    await register(lab, "ws-1")
    token = await run(lab, "ws-1", lease=LEASE)
    await live(clock, faults, 10)
    assert (await get(lab, "ws-1")).state == IN_PROGRESS
    await live(clock, faults, 5)
    found = await get(lab, "ws-1")
    assert (found.state, found.infrastructure_failures, found.attempt) == (READY, 1, 1)
    assert (found.error_category, found.HasField("lock")) == (INFRASTRUCTURE, False)
    event = (await events(lab, "ws-1"))[-1]
    assert (event.type, event.actor) == (event_pb2.EVENT_TYPE_LOCK_TIMEOUT, "state")
    assert (event.from_state, event.to_state) == (IN_PROGRESS, READY)
    assert (event.owner_id, event.lock_token) == ("m1", token)
    assert (await refused(renew(lab, "ws-1", token))).reason == "LOCK_LOST"
    assert (await refused(set_state(lab, "ws-1", COMPLETE, token))).reason == "LOCK_LOST"
    assert await acquire(lab, "ws-1") == token + 1


async def test_a_holder_that_renews_is_left_alone(lab, clock, faults):
    await register(lab, "ws-1")
    token = await run(lab, "ws-1", lease=LEASE)
    for _ in range(6):
        await live(clock, faults, 7)
        await renew(lab, "ws-1", token)
    assert (await get(lab, "ws-1")).state == IN_PROGRESS


async def test_a_renewal_in_the_last_moment_counts(lab, clock, faults):
    """Between the expiry and its margin the lock is still the holder's."""
    await register(lab, "ws-1")
    token = await run(lab, "ws-1", lease=LEASE)
    await live(clock, faults, 10)
    clock.tick(0.5)
    await renew(lab, "ws-1", token)
    await live(clock, faults, 9)
    assert (await set_state(lab, "ws-1", COMPLETE, token)).state == COMPLETE


async def test_a_workset_that_kills_every_holder_ends_in_error(lab, clock, faults):
    await register(lab, "ws-1")
    for _ in range(10):
        await acquire(lab, "ws-1", lease=LEASE)
        await live(clock, faults, 15)
        assert (await get(lab, "ws-1")).state == READY
    await acquire(lab, "ws-1", lease=LEASE)
    await live(clock, faults, 15)
    found = await get(lab, "ws-1")
    assert (found.state, found.attempt, found.infrastructure_failures) == (ERROR, 0, 11)
    assert (await restore(lab, "ws-1")).infrastructure_failures == 0


async def test_what_a_dead_holder_had_reserved_is_free_again(lab, clock, faults):
    await put_cluster(lab)
    await lab.PutCustomer(state_pb2.PutCustomerRequest(customer_id="acme", max_concurrent=1))
    await register(
        lab, "ws-1", customer_id="acme", requirements=needs(vcpus=8, estimated_cost_usd=40)
    )
    await run(lab, "ws-1", cluster_name="c1", lease=LEASE)
    assert (await cluster(lab)).reserved.vcpus == 8
    await live(clock, faults, 15)
    assert (await cluster(lab)).reserved == cluster_pb2.Resources()
    used = await customer(lab)
    assert (used.running, used.reserved_usd, used.spent_usd) == (0, 0, 0)
    assert await acquire(lab, "ws-1", cluster_name="c1") == 2


async def test_a_cancelled_run_that_never_answers_is_acknowledged_in_its_stead(lab, clock, faults):
    await put_cluster(lab)
    await register(lab, "ws-1", requirements=needs(vcpus=8))
    await run(lab, "ws-1", cluster_name="c1", lease=LEASE)
    await cancel(lab, "ws-1")
    assert (await refused(restore(lab, "ws-1"))).reason == "LOCK_HELD"
    assert (await cluster(lab)).reserved.vcpus == 8
    await live(clock, faults, 15)
    found = await get(lab, "ws-1")
    assert (found.state, found.HasField("lock")) == (IGNORED, False)
    assert (await cluster(lab)).reserved.vcpus == 0
    event = (await events(lab, "ws-1"))[-1]
    assert (event.from_state, event.to_state) == (IGNORED, IGNORED)
    assert (await restore(lab, "ws-1")).state == READY


async def test_a_replica_that_starts_knows_older_locks_and_gives_them_a_lease(file, clock, faults):
    async with replica(settings_on_file(file), clock) as before:
        await register(before.stub, "ws-1")
        await run(before.stub, "ws-1", lease=LEASE)
    clock.tick(3600)  # the lock ran out while nobody was there
    async with replica(settings_on_file(file), clock, faults) as after:
        await live(clock, faults, 11)
        assert (await get(after.stub, "ws-1")).state == IN_PROGRESS
        await live(clock, faults, 4)
        assert (await get(after.stub, "ws-1")).state == READY


async def test_a_replica_that_stood_still_times_nothing_out_at_once(lab, clock, faults):
    await register(lab, "ws-1")
    token = await run(lab, "ws-1", lease=LEASE)
    clock.tick(60)  # nobody saw the moments between
    await live(clock, faults, 5)
    assert (await renew(lab, "ws-1", token)).token == token
    assert (await get(lab, "ws-1")).state == IN_PROGRESS
