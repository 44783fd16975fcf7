"""Claims against a real state service."""

import asyncio
import time

import pytest
from daylily.workset.v1 import workset_pb2

from daylily_client import (
    ClusterDraining,
    ClusterNotFound,
    InvalidField,
    LockLost,
    RequestIdReused,
    duration,
)
from tests.integration.scheduler.asking import (
    LOW,
    URGENT,
    add_cluster,
    claim,
    is_waiting,
    knows,
    register,
    until,
)
from tests.support.hearing import knows_of

pytestmark = pytest.mark.timeout(60)


async def test_claims_come_by_priority_then_age(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "low", priority=LOW)
    await register(system.state, "normal-1")
    await register(system.state, "urgent", priority=URGENT)
    await register(system.state, "normal-2")
    await knows(scheduler, clusters=1, startable=4)
    got = [(await claim(scheduler)).workset.workset_id for _ in range(4)]
    assert got == ["urgent", "normal-1", "normal-2", "low"]


async def test_a_grant_is_a_lock_with_its_reservation(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w", vcpus=32, vcpu_hours=100)
    answer = await claim(scheduler, wait=5, lease=duration(60))
    row = (await system.state.get_workset(workset_id="w")).workset
    assert row.state == workset_pb2.WORKSET_STATE_LOCKED
    assert (row.lock.owner_id, row.lock.token) == ("m1", answer.lock_token)
    assert row.cluster_name == "c1"
    assert answer.placement.cost_usd == pytest.approx(4.0)
    status = (await scheduler.list_clusters()).clusters[0]
    assert (status.free.vcpus, status.free.slots, status.active_worksets) == (64, 7, 1)


async def test_a_claim_that_waits_is_woken_by_a_new_workset(system, scheduler):
    await add_cluster(scheduler, "c1")
    waiting = asyncio.create_task(claim(scheduler, wait=30))
    await until(lambda: is_waiting(scheduler))
    begun = time.monotonic()
    await register(system.state, "w")
    assert (await waiting).workset.workset_id == "w"
    assert time.monotonic() - begun < 2


async def test_a_claim_that_waits_is_woken_by_room(system, scheduler):
    await add_cluster(scheduler, "c1", slots=1)
    await register(system.state, "first")
    await register(system.state, "second")
    await knows_of(scheduler, "first", "second")
    held = await claim(scheduler)
    waiting = asyncio.create_task(claim(scheduler, wait=30))
    await until(lambda: is_waiting(scheduler))
    await system.state.release_lock(workset_id=held.workset.workset_id, lock_token=held.lock_token)
    # What was given back is older than the other one.
    assert (await waiting).workset.workset_id == "first"


async def test_a_claim_that_waits_is_woken_when_a_backoff_is_over(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w")
    held = await claim(scheduler, wait=5)
    token = held.lock_token
    await system.state.update_state(
        workset_id="w", state=workset_pb2.WORKSET_STATE_IN_PROGRESS, lock_token=token
    )
    failed = await system.state.update_state(
        workset_id="w",
        state=workset_pb2.WORKSET_STATE_ERROR,
        lock_token=token,
        error_category=workset_pb2.ERROR_CATEGORY_TRANSIENT,
    )
    assert failed.workset.state == workset_pb2.WORKSET_STATE_READY
    again = await claim(scheduler, wait=20)
    assert again.workset.workset_id == "w"
    assert again.lock_token > token
    assert again.workset.lock.acquired_at.ToNanoseconds() >= (
        failed.workset.available_at.ToNanoseconds()
    )


async def test_a_claim_that_waits_is_woken_when_a_dependency_is_complete(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "first")
    await register(system.state, "second", depends_on=["first"])
    held = await claim(scheduler, wait=5)
    assert held.workset.workset_id == "first"
    waiting = asyncio.create_task(claim(scheduler, wait=30))
    await until(lambda: is_waiting(scheduler))
    for state in (workset_pb2.WORKSET_STATE_IN_PROGRESS, workset_pb2.WORKSET_STATE_COMPLETE):
        await system.state.update_state(workset_id="first", state=state, lock_token=held.lock_token)
    assert (await waiting).workset.workset_id == "second"


async def test_an_empty_answer_says_why(system, scheduler):
    await add_cluster(scheduler, "c1", vcpus=16)
    empty = await claim(scheduler)
    assert not empty.HasField("workset")
    assert [reason.message for reason in empty.reasons] == ["no workset is ready to start"]
    await register(system.state, "big", vcpus=64)
    await knows_of(scheduler, "big")
    empty = await claim(scheduler)
    assert [(r.need, r.have, r.cluster_name) for r in empty.reasons] == [(64, 16, "c1")]


async def test_a_claim_for_a_cluster_that_nobody_knows_or_that_drains_is_refused(scheduler):
    with pytest.raises(ClusterNotFound):
        await claim(scheduler, "nowhere")
    await add_cluster(scheduler, "c1")
    await scheduler.drain_cluster(cluster_name="c1")
    with pytest.raises(ClusterDraining):
        await claim(scheduler)
    await scheduler.drain_cluster(cluster_name="c1", undo=True)
    assert not (await claim(scheduler)).HasField("workset")


@pytest.mark.parametrize(
    ("field", "fields"),
    [
        ("cluster_name", {"name": ""}),
        ("owner_id", {"owner": " "}),
        ("owner_id", {"owner": "x" * 129}),
        ("lease", {"lease": duration(9)}),
        ("lease", {"lease": duration(24 * 3600 + 1)}),
        ("max_wait", {"wait": 46}),
        ("max_wait", {"wait": -1}),
        ("request_id", {"request_id": "r" * 65}),
    ],
)
async def test_a_wrong_field_is_named(scheduler, field, fields):
    with pytest.raises(InvalidField) as refused:
        await claim(scheduler, **fields)
    assert [violation.field for violation in refused.value.violations] == [field]


async def test_a_repeat_gets_the_same_grant_though_other_worksets_wait(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "a")
    await register(system.state, "b")
    await knows_of(scheduler, "a", "b")
    first = await claim(scheduler, request_id="r-1")
    again = await claim(scheduler, request_id="r-1")
    assert (again.workset.workset_id, again.lock_token) == ("a", first.lock_token)
    assert (await claim(scheduler, request_id="r-2")).workset.workset_id == "b"


async def test_a_repeat_through_another_scheduler_gets_the_same_grant(system, scheduler):
    other = await system.scheduler()
    await add_cluster(scheduler, "c1")
    await register(system.state, "only")
    first = await claim(scheduler, wait=5, request_id="r-1")

    async def other_knows_the_cluster():
        return bool((await other.get_scheduler_stats()).total_clusters)

    await until(other_knows_the_cluster)
    # Nothing is left to pick: the grant alone can tell.
    again = await claim(other, wait=5, request_id="r-1")
    assert (again.workset.workset_id, again.lock_token) == ("only", first.lock_token)
    await register(system.state, "another")

    async def other_knows_the_workset():
        return bool((await other.get_scheduler_stats()).queue_normal)

    await until(other_knows_the_workset)
    again = await claim(other, request_id="r-1")
    assert (again.workset.workset_id, again.lock_token) == ("only", first.lock_token)


async def test_a_repeat_of_a_grant_that_is_gone_is_told_so(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w")
    first = await claim(scheduler, wait=5, request_id="r-1")
    await system.state.release_lock(workset_id="w", lock_token=first.lock_token)
    with pytest.raises(LockLost):
        await claim(scheduler, request_id="r-1")


async def test_a_request_id_of_another_owner_is_refused(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w")
    await claim(scheduler, wait=5, request_id="r-1")
    with pytest.raises(RequestIdReused):
        await claim(scheduler, owner="m2", request_id="r-1")


async def test_the_lock_is_given_back_when_the_caller_is_gone(system, scheduler):
    await add_cluster(scheduler, "c1")
    waiting = asyncio.create_task(claim(scheduler, wait=30))
    await until(lambda: is_waiting(scheduler))
    waiting.cancel()
    await until(lambda: is_waiting(scheduler, 0))
    await register(system.state, "w")
    granted = await claim(scheduler, wait=5, owner="m2")
    assert granted.workset.lock.owner_id == "m2"


async def test_a_claim_answers_empty_before_the_callers_deadline(system, scheduler):
    await add_cluster(scheduler, "c1")
    impatient = scheduler.with_timeout(-27)  # and the 30 s of the wait on top
    begun = time.monotonic()
    assert not (await claim(impatient, wait=30)).HasField("workset")
    assert time.monotonic() - begun < 3


async def test_of_two_clusters_that_wait_the_cheaper_gets_the_workset(system, scheduler):
    await add_cluster(scheduler, "dear", price_per_vcpu_hour_usd=0.05)
    await add_cluster(scheduler, "cheap", price_per_vcpu_hour_usd=0.03)
    dear = asyncio.create_task(claim(scheduler, "dear", wait=1.5))
    await until(lambda: is_waiting(scheduler, 1))
    cheap = asyncio.create_task(claim(scheduler, "cheap", wait=30))
    await until(lambda: is_waiting(scheduler, 2))
    await register(system.state, "w", vcpus=8, vcpu_hours=10)
    assert (await cheap).workset.workset_id == "w"
    assert not (await dear).HasField("workset")


async def test_two_schedulers_and_many_claims_lock_each_workset_once(system, scheduler):
    other = await system.scheduler()
    await add_cluster(scheduler, "c1", slots=100)
    for number in range(60):
        await register(system.state, f"w{number}", vcpus=0)

    async def both_know():
        stats = [await one.get_scheduler_stats() for one in (scheduler, other)]
        return all(each.queue_normal == 60 for each in stats)

    await until(both_know)

    async def monitor(number, through):
        got = []
        while (answer := await claim(through, owner=f"m{number}")).HasField("workset"):
            got.append(answer.workset.workset_id)
        return got

    got = await asyncio.gather(
        *(monitor(number, (scheduler, other)[number % 2]) for number in range(8))
    )
    names = [name for each in got for name in each]
    assert sorted(names) == sorted(f"w{number}" for number in range(60))


async def test_two_schedulers_never_overfill_a_cluster(system, scheduler):
    other = await system.scheduler()
    await add_cluster(scheduler, "c1", vcpus=32, slots=100)
    for number in range(12):
        await register(system.state, f"w{number}", vcpus=8)

    async def both_know():
        stats = [await one.get_scheduler_stats() for one in (scheduler, other)]
        return all(each.queue_normal == 12 and each.total_clusters == 1 for each in stats)

    await until(both_know)
    answers = await asyncio.gather(
        *(claim((scheduler, other)[n % 2], owner=f"m{n}") for n in range(12))
    )
    assert sum(answer.HasField("workset") for answer in answers) == 4


async def test_what_it_costs_to_carry_the_input_to_another_region_counts(system, scheduler):
    await add_cluster(scheduler, "far", price_per_vcpu_hour_usd=0.01, region="us-east-1")
    await add_cluster(scheduler, "near", price_per_vcpu_hour_usd=0.02, region="us-west-2")
    # 8 vCPU-hours are 8 cents cheaper there, and 100 GiB cost $2 to carry.
    await register(system.state, "w", vcpus=8, vcpu_hours=8, input_gb=100, input_region="us-west-2")
    await knows(scheduler, clusters=2, startable=1)
    decision = await scheduler.schedule_workset(workset_id="w")
    assert decision.cluster_name == "near"
    items = {
        place.cluster_name: {item.kind: item.usd for item in place.cost_items}
        for place in decision.placements
    }
    assert items["far"] == {"compute": pytest.approx(0.08), "transfer": pytest.approx(2.0)}
    assert items["near"] == {"compute": pytest.approx(0.16)}


@pytest.mark.parametrize(
    ("wish", "elsewhere", "there"),
    [
        (
            {"preferred_availability_zone": "us-west-2b"},
            {"availability_zone": "us-west-2a"},
            {"availability_zone": "us-west-2b"},
        ),
        (
            {"preferred_instance_types": ["c6i.32xlarge"]},
            {"instance_types": ["m6i.large"]},
            {"instance_types": ["m6i.large", "c6i.32xlarge"]},
        ),
        ({"preferred_cluster": "there"}, {}, {}),
    ],
)
async def test_a_wish_is_heeded_by_schedulers_old_and_new(
    system, scheduler, wish, elsewhere, there
):
    await add_cluster(scheduler, "elsewhere", price_per_vcpu_hour_usd=0.01, **elsewhere)
    await add_cluster(scheduler, "there", **there)
    await register(system.state, "w", vcpus=8, **wish)
    await knows(scheduler, clusters=2, startable=1)
    other = await system.scheduler()
    for one in (scheduler, other):
        assert not (await claim(one, "elsewhere")).HasField("workset")
    assert (await claim(other, "there")).workset.workset_id == "w"
