"""Waits estimated from what the queue, the clusters and finished runs say, over real services."""

import asyncio
import json
from datetime import timedelta

import pytest

from daylily_client import (
    FailedPrecondition,
    InvalidField,
    SnapshotNotFound,
    WorksetNotFound,
    duration,
)
from daylily_scheduler.feed import learning
from tests.integration.scheduler.asking import (
    COMPLETE,
    ERROR,
    IN_PROGRESS,
    add_cluster,
    claim,
    knows,
    move,
    register,
    until,
)
from tests.integration.scheduler.test_decisions import codes
from tests.integration.scheduler.test_metrics import scraped
from tests.support.hearing import knows_of

pytestmark = pytest.mark.timeout(90)

DAY = duration(24 * 3600)
LIKE = {"pipeline": "germline", "vcpus": 8, "sample_count": 4}


async def finished_runs(system, scheduler, number, hours, **fields):
    """So many worksets that held their locks for so long."""
    grants = []
    for index in range(number):
        await register(system.state, f"done-{hours}-{index}", **{**LIKE, **fields})
        grants.append(await claim(scheduler, wait=5, lease=DAY))
    for grant in grants:
        await move(system.state, grant, IN_PROGRESS)
    system.clock.ahead += timedelta(hours=hours)
    for grant in grants:
        await move(system.state, grant, COMPLETE)
    await scheduler.update_cluster_utilization(cluster_name="c1")


async def learned(system, scheduler, name="probe"):
    """Waits until run times come from history."""

    async def heard():
        answer = await scheduler.estimate_wait(workset_id=name)
        return answer.run_time_basis == "history"

    await until(heard, 20)


async def test_what_could_start_now_waits_for_nothing(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w", vcpus=8, estimated_duration=duration(7200))
    answer = await scheduler.estimate_wait(workset_id="w")
    assert (answer.p50.seconds, answer.p90.seconds) == (0, 0)
    assert (answer.run_time_basis, answer.queue_position) == ("estimate", 0)
    assert 7000 < answer.run_time_p50.seconds < 7400
    assert not answer.reasons


async def test_a_workset_behind_others_waits_for_their_ends(system, scheduler):
    await add_cluster(scheduler, "c1", slots=1)
    await register(system.state, "runs", **LIKE, estimated_duration=duration(7200))
    grant = await claim(scheduler, wait=5, lease=DAY)
    await move(system.state, grant, IN_PROGRESS)
    await register(system.state, "w1", **LIKE)
    await register(system.state, "w2", **LIKE)
    await knows(scheduler, clusters=1, startable=2, active=1)
    first = await scheduler.estimate_wait(workset_id="w1")
    second = await scheduler.estimate_wait(workset_id="w2")
    assert 3600 < first.p50.seconds < 3 * 3600
    assert first.p50.seconds < first.p90.seconds
    assert second.p50.seconds > first.p50.seconds + 3 * 3600
    # Of w1, which goes before w2, nothing is known.
    assert (second.basis, second.queue_position) == ("default", 1)


async def test_run_times_are_learned_from_finished_worksets_and_survive_a_restart(
    system, monkeypatch
):
    monkeypatch.setattr(learning, "KEEP_SECONDS", 0.1)
    scheduler = await system.scheduler()
    await add_cluster(scheduler, "c1")
    await finished_runs(system, scheduler, 5, hours=3)
    await register(system.state, "probe", **LIKE, estimated_duration=duration(60))
    await learned(system, scheduler)
    answer = await scheduler.estimate_wait(workset_id="probe")
    assert (answer.basis, answer.runs_learned_from) == ("history", 5)
    assert 3 * 3600 <= answer.run_time_p50.seconds < 3 * 3600 + 120

    async def kept():
        try:
            snapshot = await system.state.get_snapshot(name=learning.SNAPSHOT)
        except SnapshotNotFound:
            return False
        kinds = json.loads(snapshot.data)["run_times"]["kinds"]
        return [len(hours) for *_, hours in kinds] == [5]

    await until(kept)
    # From here on a scheduler that read the feed again would count them twice.
    another = await system.scheduler()
    await learned(system, another)
    again = await another.estimate_wait(workset_id="probe")
    assert again.runs_learned_from == 5
    assert again.run_time_p90 == answer.run_time_p90


async def test_without_a_checkpoint_the_feed_teaches_the_same(system, scheduler):
    await add_cluster(scheduler, "c1")
    await finished_runs(system, scheduler, 6, hours=2)
    await register(system.state, "probe", **LIKE)
    with pytest.raises(SnapshotNotFound):
        await system.state.get_snapshot(name=learning.SNAPSHOT)
    fresh = await system.scheduler()
    await learned(system, fresh)
    assert (await fresh.estimate_wait(workset_id="probe")).runs_learned_from == 6


async def test_a_checkpoint_of_no_use_is_left_aside(system):
    await system.state.put_snapshot(name=learning.SNAPSHOT, data=b'{"format": 99}')
    scheduler = await system.scheduler()
    await add_cluster(scheduler, "c1")
    await finished_runs(system, scheduler, 5, hours=1)
    await register(system.state, "probe", **LIKE)
    await learned(system, scheduler)


async def test_a_dependent_workset_waits_for_what_it_depends_on(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "first", **LIKE, estimated_duration=duration(7200))
    await register(system.state, "second", depends_on=["first"], **LIKE)
    await knows_of(scheduler, "first")
    answer = await scheduler.estimate_wait(workset_id="second")
    assert 3600 < answer.p50.seconds < 4 * 3600
    grant = await claim(scheduler, wait=5)
    await move(system.state, grant, IN_PROGRESS, ERROR)
    await knows(scheduler, clusters=1, waiting=1)
    hopeless = await scheduler.estimate_wait(workset_id="second")
    assert not hopeless.HasField("p50")
    assert codes(hopeless.reasons) == ["DEPENDENCY_FAILED"]


async def test_what_fits_nowhere_has_no_estimate_but_reasons(system, scheduler):
    await add_cluster(scheduler, "c1", vcpus=16)
    await register(system.state, "w", vcpus=192)
    answer = await scheduler.estimate_wait(workset_id="w")
    assert not answer.HasField("p50")
    assert not answer.HasField("p90")
    assert codes(answer.reasons) == ["NOT_ENOUGH_VCPUS"]


async def test_what_does_not_wait_is_refused_with_its_state(system, scheduler):
    await add_cluster(scheduler, "c1")
    await register(system.state, "w", vcpus=8)
    await claim(scheduler, wait=5)
    with pytest.raises(FailedPrecondition) as refused:
        await scheduler.estimate_wait(workset_id="w")
    assert refused.value.reason == "ILLEGAL_TRANSITION"
    assert "it is LOCKED" in refused.value.message
    with pytest.raises(WorksetNotFound):
        await scheduler.estimate_wait(workset_id="nothing")
    with pytest.raises(InvalidField):
        await scheduler.estimate_wait()


async def test_estimates_are_put_to_the_test_when_worksets_start(system):
    server = await system.scheduler_server(metrics_port=0)
    scheduler = await system.client(server)
    await add_cluster(scheduler, "c1", slots=1)
    await register(system.state, "w1", **LIKE, estimated_duration=duration(3600))
    await register(system.state, "w2", **LIKE)
    await knows(scheduler, clusters=1, startable=2)
    assert (await scheduler.estimate_wait(workset_id="w1")).estimates_scored == 0
    await scheduler.estimate_wait(workset_id="w2")
    assert (await claim(scheduler, lease=DAY)).workset.workset_id == "w1"

    async def scored(number):
        await register_once(system, "probe")
        answer = await scheduler.estimate_wait(workset_id="probe")
        return answer.estimates_scored == number and answer

    await until(lambda: scored(1))
    assert (await scheduler.estimate_wait(workset_id="probe")).p90_coverage == 1.0
    # The time that w2 was promised goes by, and it still waits.
    system.clock.ahead += timedelta(hours=9)
    await until(lambda: scored(2))
    assert (await scheduler.estimate_wait(workset_id="probe")).p90_coverage == 0.5
    stats = await scheduler.get_scheduler_stats()
    assert (stats.p90_coverage, stats.estimates_scored) == (0.5, 2)
    read = await asyncio.to_thread(scraped, server.metrics_port)
    assert (read["estimate_coverage"], read["estimates_scored"]) == (0.5, 2)
    assert read["run_time_kinds"] == 0


async def register_once(system, name):
    try:
        await system.state.get_workset(workset_id=name)
    except WorksetNotFound:
        # Too large for the cluster, so that no estimate of it is ever put to the test.
        await register(system.state, name, vcpus=4000)
