"""What monitors and operators do with clusters."""

import asyncio
from datetime import timedelta

import pytest
from daylily.scheduler.v1 import scheduler_pb2
from daylily.workset.v1 import cluster_pb2

from daylily_client import ClusterDraining, ClusterInUse, ClusterNotFound, InvalidField, duration
from tests.integration.scheduler.asking import (
    add_cluster,
    claim,
    is_waiting,
    knows,
    register,
    until,
)

pytestmark = pytest.mark.timeout(60)

DRAINING = cluster_pb2.CLUSTER_STATE_DRAINING
SILENT = scheduler_pb2.WAIT_REASON_CODE_CLUSTER_SILENT


async def test_a_cluster_is_registered_changed_and_listed(scheduler):
    first = await add_cluster(scheduler, "c1", availability_zone="us-west-2a", storage_gb=1200)
    assert first.cluster.cluster.availability_zone == "us-west-2a"
    assert (first.cluster.free.vcpus, first.cluster.free.memory_gb) == (96, 384)
    await add_cluster(scheduler, "c1", vcpus=192)
    await add_cluster(scheduler, "c0")
    listed = (await scheduler.list_clusters()).clusters
    assert [(c.cluster.cluster_name, c.cluster.capacity.vcpus) for c in listed] == [
        ("c0", 96),
        ("c1", 192),
    ]


async def test_a_wrong_field_of_a_cluster_is_named(scheduler):
    with pytest.raises(InvalidField) as refused:
        await add_cluster(scheduler, "")
    assert [violation.field for violation in refused.value.violations] == ["cluster_name"]
    with pytest.raises(InvalidField) as refused:
        await add_cluster(scheduler, "no spaces")
    assert [violation.field for violation in refused.value.violations] == ["cluster_name"]


async def test_reported_use_is_not_free_and_our_own_is_not_counted_twice(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w", vcpus=32)
    await claim(scheduler, wait=5)
    answer = await scheduler.update_cluster_utilization(
        cluster_name="c1", foreign_vcpus=16, broken_vcpus=8
    )
    assert answer.cluster.free.vcpus == 96 - 32 - 16 - 8
    await register(system.state, "big", vcpus=41)
    await knows(scheduler, clusters=1, startable=1, active=1)
    assert not (await claim(scheduler)).HasField("workset")
    await scheduler.update_cluster_utilization(cluster_name="c1", foreign_vcpus=16)
    assert (await claim(scheduler)).workset.workset_id == "big"


async def test_what_one_scheduler_is_told_of_a_cluster_the_others_learn(system, scheduler):
    other = await system.scheduler()
    await add_cluster(scheduler, "c1")
    await knows(other, clusters=1)
    await scheduler.drain_cluster(cluster_name="c1")
    assert (await other.list_clusters()).clusters[0].cluster.state == DRAINING
    await scheduler.remove_cluster(cluster_name="c1")
    await knows(other, clusters=0)


async def test_a_claim_may_go_to_another_scheduler_than_the_registration_did(system, scheduler):
    other = await system.scheduler()
    await add_cluster(scheduler, "c1")
    assert not (await claim(other)).HasField("workset")
    await scheduler.drain_cluster(cluster_name="c1")

    async def refused():
        try:
            await claim(other)
        except ClusterDraining:
            return True
        return False

    await until(refused)
    await scheduler.drain_cluster(cluster_name="c1", undo=True)
    assert not (await claim(other)).HasField("workset")


async def test_a_drain_that_a_scheduler_has_not_heard_of_counts_for_state(system, scheduler):
    other = await system.scheduler()
    await add_cluster(scheduler, "c1")
    await register(system.state, "w")
    await knows(other, clusters=1, startable=1)
    await scheduler.drain_cluster(cluster_name="c1")
    with pytest.raises(ClusterDraining):
        await claim(other)
    assert (await system.state.get_workset(workset_id="w")).workset.version == 1


async def test_a_draining_cluster_stays_so_when_its_monitor_registers_it_again(scheduler):
    await add_cluster(scheduler, "c1")
    await scheduler.drain_cluster(cluster_name="c1")
    again = await add_cluster(scheduler, "c1", vcpus=192)
    assert again.cluster.cluster.state == DRAINING
    assert again.cluster.cluster.capacity.vcpus == 192


async def test_draining_keeps_what_is_known_of_the_cluster(scheduler):
    before = (await add_cluster(scheduler, "c1", instance_types=["c6i"])).cluster.cluster
    after = (await scheduler.drain_cluster(cluster_name="c1")).cluster.cluster
    for row in (before, after):
        for field in ("state", "version", "updated_at"):
            row.ClearField(field)
    assert after == before


async def test_a_cluster_in_use_is_not_removed(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w")
    held = await claim(scheduler, wait=5)
    with pytest.raises(ClusterInUse):
        await scheduler.remove_cluster(cluster_name="c1")
    await system.state.release_lock(workset_id="w", lock_token=held.lock_token)
    await scheduler.remove_cluster(cluster_name="c1")
    assert not (await scheduler.list_clusters()).clusters


@pytest.mark.parametrize("call", ["update_cluster_utilization", "drain_cluster", "remove_cluster"])
async def test_a_cluster_that_nobody_knows_is_not_found(scheduler, call):
    with pytest.raises(ClusterNotFound):
        await getattr(scheduler, call)(cluster_name="nowhere")


async def test_a_silent_cluster_gets_nothing_until_it_reports(system, scheduler):
    await add_cluster(scheduler, "c1", report_interval=duration(60))
    await register(system.state, "w")
    await knows(scheduler, clusters=1, startable=1)
    system.clock.ahead += timedelta(seconds=181)
    empty = await claim(scheduler)
    assert [reason.code for reason in empty.reasons] == [SILENT]
    assert (await scheduler.list_clusters()).clusters[0].silent
    await scheduler.update_cluster_utilization(cluster_name="c1")
    assert (await claim(scheduler)).workset.workset_id == "w"


async def test_a_report_through_another_scheduler_is_a_sign_of_life(system, scheduler):
    other = await system.scheduler()
    await add_cluster(scheduler, "c1")
    await register(system.state, "w")
    await knows(other, clusters=1, startable=1)
    system.clock.ahead += timedelta(seconds=181)
    await scheduler.update_cluster_utilization(cluster_name="c1")
    assert (await claim(other, wait=5)).workset.workset_id == "w"


async def test_no_longer_silent_wakes_the_claims_that_wait(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w")
    await knows(scheduler, clusters=1, startable=1)
    system.clock.ahead += timedelta(seconds=181)
    waiting = asyncio.create_task(claim(scheduler, wait=30))
    await until(lambda: is_waiting(scheduler))
    await scheduler.update_cluster_utilization(cluster_name="c1")
    assert (await waiting).workset.workset_id == "w"
