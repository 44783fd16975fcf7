"""Clusters, and what locks reserve on them; no exit of a lock keeps anything back."""

import asyncio

import grpc
import pytest
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import cluster_pb2, event_pb2

from tests.integration.state.asking import (
    COMPLETE,
    DATA,
    ERROR,
    IGNORED,
    IN_PROGRESS,
    LOCKED,
    READY,
    TRANSIENT,
    acquire,
    cancel,
    cluster,
    get,
    needs,
    put_cluster,
    register,
    release,
    resources,
    restore,
    seconds,
    set_state,
)
from tests.integration.state.refusals import refused
from tests.integration.state.watching import watching

NOTHING = cluster_pb2.Resources()
NEEDS = needs(vcpus=16, memory_gb=32.5, storage_gb=100)
HELD = cluster_pb2.Resources(vcpus=16, memory_gb=32.5, storage_gb=100, slots=1)


async def report(stub, cluster_name="c1", **fields):
    answer = await stub.ReportCluster(
        state_pb2.ReportClusterRequest(cluster_name=cluster_name, **fields)
    )
    return answer.cluster


async def delete(stub, cluster_name="c1", **fields):
    await stub.DeleteCluster(state_pb2.DeleteClusterRequest(cluster_name=cluster_name, **fields))


async def names(stub):
    answer = await stub.ListClusters(state_pb2.ListClustersRequest())
    return [found.cluster_name for found in answer.clusters]


async def test_what_was_put_is_what_is_listed(still, clock):
    given = {
        "state": cluster_pb2.CLUSTER_STATE_ACTIVE,
        "region": "us-west-2",
        "availability_zone": "us-west-2a",
        "instance_types": ["c7i.48xlarge"],
        "capacity": resources(storage_gb=1200.5),
        "price_per_vcpu_hour_usd": 0.0125,
        "fixed_cost_per_hour_usd": 1.5,
        "report_interval": seconds(30),
    }
    answered = await put_cluster(still, "c1", **given)
    found = await cluster(still)
    assert found == answered
    for name, value in given.items():
        assert getattr(found, name) == value, name
    assert (found.version, found.reserved, found.foreign) == (1, NOTHING, NOTHING)
    assert not found.HasField("last_reported_at")


async def test_clusters_are_listed_by_name(still):
    for name in ("b", "c", "a"):
        await put_cluster(still, name)
    assert await names(still) == ["a", "b", "c"]


async def test_putting_again_changes_what_it_is_and_keeps_what_is_reported_and_reserved(still):
    await put_cluster(still)
    await report(still, foreign=resources(8, 8, 0, 0), broken=resources(4, 4, 0, 0))
    await register(still, "ws-1", requirements=NEEDS)
    await acquire(still, "ws-1", cluster_name="c1")
    after = await put_cluster(still, capacity=resources(vcpus=640), region="eu-west-1")
    assert (after.capacity.vcpus, after.region) == (640, "eu-west-1")
    assert (after.reserved, after.foreign.vcpus, after.broken.vcpus) == (HELD, 8, 4)
    assert await cluster(still) == after


async def test_a_version_that_is_expected_must_be_the_present_one(still):
    await put_cluster(still)
    await put_cluster(still, expected_version=1)
    for expected in (1, 3):
        refusal = await refused(put_cluster(still, expected_version=expected))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "VERSION_MISMATCH")
        assert refusal.metadata == {"expected": str(expected), "actual": "2"}


async def test_changes_of_clusters_are_on_the_feed(still):
    async with watching(still) as watch:
        await watch.next()
        await put_cluster(still)
        await report(still, foreign=resources())
        await put_cluster(still, state=cluster_pb2.CLUSTER_STATE_DRAINING)
        await delete(still)
        found = await watch.until(4)
    assert [event.type for event in found] == [
        event_pb2.EVENT_TYPE_CLUSTER_REGISTERED,
        event_pb2.EVENT_TYPE_CLUSTER_REPORTED,
        event_pb2.EVENT_TYPE_CLUSTER_DRAINING,
        event_pb2.EVENT_TYPE_CLUSTER_REMOVED,
    ]
    assert {(event.subject.kind, event.subject.id) for event in found} == {
        (event_pb2.SUBJECT_KIND_CLUSTER, "c1")
    }
    assert [event.version for event in found] == [1, 2, 3, 4]


async def test_a_cluster_is_forgotten_when_nothing_is_reserved_on_it(still):
    await put_cluster(still)
    await register(still, "ws-1", requirements=NEEDS)
    token = await acquire(still, "ws-1", cluster_name="c1")
    refusal = await refused(delete(still))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CLUSTER_IN_USE")
    assert refusal.metadata == {"cluster_name": "c1", "slots": "1"}
    await release(still, "ws-1", token)
    await delete(still)
    assert await names(still) == []
    for call in (delete(still), report(still), acquire(still, "ws-1", cluster_name="c1")):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "CLUSTER_NOT_FOUND")
    again = await put_cluster(still)
    assert (again.version, again.reserved) == (3, NOTHING)


WRONG_CLUSTERS = [
    ({"cluster_name": ""}, "cluster_name"),
    ({"cluster_name": "a b"}, "cluster_name"),
    ({"state": 3}, "state"),
    ({"region": "us west"}, "region"),
    ({"availability_zone": "z" * 33}, "availability_zone"),
    ({"instance_types": ["i"] * 65}, "instance_types"),
    ({"instance_types": ["a b"]}, "instance_types[0]"),
    ({"capacity": resources(vcpus=0)}, "capacity.vcpus"),
    ({"capacity": resources(memory_gb=0)}, "capacity.memory_gb"),
    ({"capacity": resources(memory_gb=float("nan"))}, "capacity.memory_gb"),
    ({"capacity": resources(slots=0)}, "capacity.slots"),
    ({"capacity": resources(slots=100_001)}, "capacity.slots"),
    ({"capacity": resources(storage_gb=-1)}, "capacity.storage_gb"),
    ({"price_per_vcpu_hour_usd": float("nan")}, "price_per_vcpu_hour_usd"),
    ({"price_per_vcpu_hour_usd": -1}, "price_per_vcpu_hour_usd"),
    ({"fixed_cost_per_hour_usd": float("inf")}, "fixed_cost_per_hour_usd"),
    ({"report_interval": seconds(0)}, "report_interval"),
    ({"report_interval": seconds(100_000)}, "report_interval"),
    ({"request_id": "a b"}, "request_id"),
]


async def test_a_wrong_cluster_is_refused(still):
    for fields, path in WRONG_CLUSTERS:
        refusal = await refused(put_cluster(still, **fields))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert path in refusal.violations
        assert await names(still) == []


WRONG_REPORTS = [
    ({"cluster_name": "a b"}, "cluster_name"),
    ({"foreign": resources(memory_gb=float("inf"))}, "foreign.memory_gb"),
    ({"broken": resources(vcpus=2**32 - 1)}, "broken.vcpus"),
]


async def test_a_wrong_report_is_refused(still):
    await put_cluster(still)
    for fields, path in WRONG_REPORTS:
        refusal = await refused(report(still, **fields))
        assert set(refusal.violations) == {path}


# --- reservations ---


async def test_a_lock_reserves_what_the_workset_needs_for_as_long_as_it_lasts(still):
    await put_cluster(still)
    await register(still, "ws-1", requirements=NEEDS)
    token = await acquire(still, "ws-1", cluster_name="c1")
    assert (await cluster(still)).reserved == HELD
    assert (await get(still, "ws-1")).cluster_name == "c1"
    await set_state(still, "ws-1", IN_PROGRESS, token)
    assert (await cluster(still)).reserved == HELD
    await set_state(still, "ws-1", COMPLETE, token)
    assert (await cluster(still)).reserved == NOTHING


async def on_release(stub, token):
    await release(stub, "ws-1", token)


async def on_give_back(stub, token):
    await set_state(stub, "ws-1", READY, token)


async def on_complete(stub, token):
    await set_state(stub, "ws-1", IN_PROGRESS, token)
    await set_state(stub, "ws-1", COMPLETE, token)


async def on_failure(stub, token):
    await set_state(stub, "ws-1", ERROR, token, error_category=DATA)


async def on_retry(stub, token):
    await set_state(stub, "ws-1", IN_PROGRESS, token)
    await set_state(stub, "ws-1", ERROR, token, error_category=TRANSIENT)


async def on_cancel_and_acknowledge(stub, token):
    await cancel(stub, "ws-1")
    assert (await cluster(stub)).reserved == HELD  # the old run still uses it
    await release(stub, "ws-1", token)


async def on_takeover_elsewhere(stub, token):
    await acquire(stub, "ws-1", owner_id="boss", force=True)


EXITS = [
    on_release,
    on_give_back,
    on_complete,
    on_failure,
    on_retry,
    on_cancel_and_acknowledge,
    on_takeover_elsewhere,
]


@pytest.mark.parametrize("leave", EXITS)
async def test_every_exit_gives_back_exactly_what_was_taken(still, leave):
    await put_cluster(still)
    await register(still, "other", requirements=needs(vcpus=3))
    await acquire(still, "other", cluster_name="c1")
    before = (await cluster(still)).reserved
    await register(still, "ws-1", requirements=NEEDS)
    token = await acquire(still, "ws-1", cluster_name="c1")
    if leave is on_cancel_and_acknowledge:
        await release(still, "other", 1)
        before = NOTHING
    await leave(still, token)
    assert (await cluster(still)).reserved == before


async def test_what_was_cancelled_by_an_operator_is_given_back_when_it_is_restored(still, clock):
    await put_cluster(still)
    await register(still, "ws-1", requirements=NEEDS)
    await acquire(still, "ws-1", cluster_name="c1", lease=seconds(10))
    await cancel(still, "ws-1")
    clock.tick(60)
    await restore(still, "ws-1")
    assert (await cluster(still)).reserved == NOTHING


async def test_what_changed_about_the_workset_meanwhile_changes_nothing_of_what_is_held(still):
    await put_cluster(still)
    await register(still, "ws-1", requirements=NEEDS)
    token = await acquire(still, "ws-1", cluster_name="c1")
    await still.UpdateWorkset(
        state_pb2.UpdateWorksetRequest(
            workset_id="ws-1", requirements=needs(vcpus=1), update_mask={"paths": ["requirements"]}
        )
    )
    await set_state(still, "ws-1", IN_PROGRESS, token, cluster_name="elsewhere")
    assert (await get(still, "ws-1")).cluster_name == "c1"
    await set_state(still, "ws-1", COMPLETE, token)
    assert (await cluster(still)).reserved == NOTHING


async def test_a_takeover_on_the_same_cluster_takes_the_place_of_the_old_run(still):
    await put_cluster(still, capacity=resources(vcpus=16, slots=1))
    await register(still, "ws-1", requirements=needs(vcpus=16))
    await acquire(still, "ws-1", cluster_name="c1")
    await acquire(still, "ws-1", cluster_name="c1", owner_id="boss", force=True)
    assert (await cluster(still)).reserved == cluster_pb2.Resources(vcpus=16, slots=1)


async def test_a_takeover_may_move_to_another_cluster(still):
    await put_cluster(still, "c1")
    await put_cluster(still, "c2")
    await register(still, "ws-1", requirements=NEEDS)
    await acquire(still, "ws-1", cluster_name="c1")
    await acquire(still, "ws-1", cluster_name="c2", owner_id="boss", force=True)
    assert (await cluster(still, "c1")).reserved == NOTHING
    assert (await cluster(still, "c2")).reserved == HELD


@pytest.mark.parametrize(
    ("wanted", "resource", "need", "have"),
    [
        (needs(vcpus=65), "vcpus", "65", "64"),
        (needs(memory_gb=256.5), "memory_mb", str(256 * 1024 + 512), str(256 * 1024)),
        (needs(storage_gb=101), "storage_mb", str(101 * 1024), str(100 * 1024)),
    ],
)
async def test_a_cluster_gives_no_more_than_it_has(still, wanted, resource, need, have):
    await put_cluster(still, capacity=resources(64, 256, 100, 8))
    await register(still, "ws-1", requirements=wanted)
    refusal = await refused(acquire(still, "ws-1", cluster_name="c1"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.RESOURCE_EXHAUSTED, "CLUSTER_FULL")
    assert refusal.metadata == {
        "cluster_name": "c1",
        "resource": resource,
        "need": need,
        "have": have,
    }
    assert (await get(still, "ws-1")).state == READY


async def test_foreign_use_and_broken_nodes_are_not_free(still):
    await put_cluster(still)
    await report(still, foreign=resources(30, 0, 0, 0), broken=resources(19, 0, 0, 0))
    await register(still, "ws-1", requirements=NEEDS)
    refusal = await refused(acquire(still, "ws-1", cluster_name="c1"))
    assert (refusal.metadata["resource"], refusal.metadata["have"]) == ("vcpus", "15")
    await report(still, foreign=resources(30, 0, 0, 0), broken=resources(18, 0, 0, 0))
    await acquire(still, "ws-1", cluster_name="c1")


async def test_a_draining_cluster_takes_nothing_new_and_keeps_what_it_has(still):
    await put_cluster(still)
    for name in ("ws-1", "ws-2"):
        await register(still, name, requirements=NEEDS)
    token = await acquire(still, "ws-1", cluster_name="c1")
    await put_cluster(still, state=cluster_pb2.CLUSTER_STATE_DRAINING)
    refusal = await refused(acquire(still, "ws-2", cluster_name="c1"))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "CLUSTER_DRAINING",
    )
    assert (await set_state(still, "ws-1", IN_PROGRESS, token)).state == IN_PROGRESS


async def test_a_cluster_that_nobody_registered(still):
    await register(still, "ws-1")
    refusal = await refused(acquire(still, "ws-1", cluster_name="c9"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "CLUSTER_NOT_FOUND")
    assert (await get(still, "ws-1")).state == READY


async def test_locks_at_once_never_book_more_than_there_is(stub):
    await put_cluster(stub, capacity=resources(vcpus=64, slots=3))
    ids = [f"ws-{number}" for number in range(12)]
    for name in ids:
        await register(stub, name, requirements=needs(vcpus=16))
    answers = await asyncio.gather(
        *(acquire(stub, name, cluster_name="c1") for name in ids), return_exceptions=True
    )
    assert sum(not isinstance(answer, Exception) for answer in answers) == 3
    assert (await cluster(stub)).reserved == cluster_pb2.Resources(vcpus=48, slots=3)
    states = [(await get(stub, name)).state for name in ids]
    assert (states.count(LOCKED), states.count(IGNORED)) == (3, 0)
