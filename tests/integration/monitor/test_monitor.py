"""Whole monitors in process, against a real state service and a real scheduler."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from daylily.workset.v1 import workset_pb2

from daylily_client import AsyncSchedulerClient, ClientOptions, duration
from daylily_client.monitor.monitor import Monitor
from daylily_scheduler.build import build
from daylily_scheduler.settings import SchedulerSettings
from daylily_standalone.demo.worksets import PREFIX, demo_worksets, put_workset
from tests.integration.monitor.lab import NOW, Lab, until
from tests.support.hearing import knows_of

COMPLETE = workset_pb2.WORKSET_STATE_COMPLETE
READY = workset_pb2.WORKSET_STATE_READY

UNTIL_FREE = (
    "echo $DAYLILY_WORKSET_ID >> ../../../started; until test -e ../../../free; do sleep 0.05; done"
)


@pytest.fixture
async def scheduler(state_process):
    server = build(SchedulerSettings.load(port=0, state_address=state_process.address))
    await server.start()
    await server.wait_serving()
    async with AsyncSchedulerClient(server.address, ClientOptions(timeout=10)) as client:
        yield client
    await server.stop()


@pytest.fixture
def lab(state, s3, bucket, tmp_path, event_log):
    """A lab with the five folders of the demo in its bucket, none of them registered."""
    for workset in demo_worksets("d"):
        put_workset(s3, bucket, workset, NOW)
    return Lab(state, s3, bucket, tmp_path / "monitor", event_log)


def make(lab, scheduler, script, *, name="test", slots=2, directory=None, **settings):
    context = lab.context(script)
    cluster = replace(context.settings.cluster, name=name, slots=slots)
    given = {
        "prefix": PREFIX,
        "cluster": replace(cluster, storage_gb=1200),
        "owner_id": name,
        "scan_interval": timedelta(seconds=0.2),
        "claim_wait": timedelta(seconds=5),
        **settings,
    }
    context = replace(context, settings=replace(context.settings, **given))
    return Monitor(context, scheduler)


def started(lab):
    file = lab.work().parents[2] / "started"
    return file.read_text().split() if file.exists() else []


async def states(lab):
    ids = [workset.workset_id for workset in demo_worksets("d")]
    answer = await lab.state.batch_get_worksets(workset_ids=ids)
    return [workset.state for workset in answer.worksets]


async def test_it_runs_as_many_at_once_as_it_has_slots_the_most_urgent_first(lab, scheduler):
    monitor = make(lab, scheduler, UNTIL_FREE)
    await monitor._register_cluster()
    await monitor._scan()
    await knows_of(scheduler, *(workset.workset_id for workset in demo_worksets("d")))
    task = asyncio.ensure_future(monitor.run())
    await until(lambda: len(started(lab)) == 2)
    await asyncio.sleep(0.5)
    assert sorted(started(lab)) == ["d-HG002", "d-HG005"]

    (lab.work().parents[2] / "free").touch()

    async def all_complete():
        return await states(lab) == [COMPLETE] * 5

    await until(all_complete)
    assert started(lab)[-1] == "d-HG003"
    monitor.stop()
    await asyncio.wait_for(task, 10)
    assert lab.context("").workdir.open_entries() == []


async def test_two_monitors_share_the_work_and_run_nothing_twice(lab, scheduler, tmp_path):
    script = "echo $DAYLILY_WORKSET_ID >> " + str(tmp_path / "runs")
    first = make(lab, scheduler, script, name="one")
    other = Lab(lab.state, lab.s3, lab.bucket, tmp_path / "other", lab.log)
    second = make(other, scheduler, script, name="two")
    tasks = [asyncio.ensure_future(monitor.run()) for monitor in (first, second)]

    async def all_complete():
        return await states(lab) == [COMPLETE] * 5

    await until(all_complete)
    for monitor in (first, second):
        monitor.stop()
    await asyncio.wait_for(asyncio.gather(*tasks), 10)

    runs = (tmp_path / "runs").read_text().split()
    assert sorted(runs) == [f"d-HG00{number}" for number in range(1, 6)]


async def test_a_malformed_folder_is_told_once_and_runs_when_it_is_mended(
    lab, scheduler, event_log
):
    key = f"{PREFIX}d-HG001/daylily_info.yaml"
    good = lab.s3.get_object(Bucket=lab.bucket, Key=key)["Body"].read()
    lab.s3.put_object(
        Bucket=lab.bucket, Key=key, Body=good.replace(b"priority: normal", b"x: y: z")
    )
    monitor = make(lab, scheduler, "true")
    task = asyncio.ensure_future(monitor.run())
    await until(lambda: len(event_log.told("ended")) == 4)
    await asyncio.sleep(0.6)
    assert len(event_log.told("folder_malformed")) == 1

    lab.s3.put_object(Bucket=lab.bucket, Key=key, Body=good)

    await until(lambda: len(event_log.told("ended")) == 5)
    monitor.stop()
    await asyncio.wait_for(task, 10)


async def test_a_claim_whose_answer_did_not_arrive_is_given_back(lab, scheduler, event_log):
    monitor = make(lab, scheduler, "true")
    await monitor._register_cluster()
    await monitor._scan()
    entry = lab.context("").workdir.note_claim("the-claim")
    answer = await scheduler.claim_next_workset(
        cluster_name="test", owner_id="test", request_id="the-claim", max_wait=duration(5)
    )

    await monitor._give_unanswered_claim_back(entry)

    given_back = await lab.state.get_workset(workset_id=answer.workset.workset_id)
    assert given_back.workset.state == READY
    assert lab.context("").workdir.open_entries() == []


async def test_an_idle_monitor_stops_at_once(lab, scheduler, event_log):
    lab.s3.delete_object(Bucket=lab.bucket, Key=f"{PREFIX}d-HG001/daylily.ready")
    monitor = make(lab, scheduler, "true", prefix="nothing/here/")
    task = asyncio.ensure_future(monitor.run())
    await until(lambda: event_log.told("cluster_registered"))
    await asyncio.sleep(0.3)

    monitor.stop()

    await asyncio.wait_for(task, 2)
    assert lab.context("").workdir.open_entries() == []


async def test_a_cluster_that_somebody_removed_registers_again(lab, scheduler, event_log):
    monitor = make(lab, scheduler, "true", prefix="nothing/", report_interval=timedelta(seconds=1))
    task = asyncio.ensure_future(monitor.run())
    await until(lambda: event_log.told("cluster_registered"))

    await scheduler.remove_cluster(cluster_name="test")

    await until(lambda: len(event_log.told("cluster_registered")) >= 2)
    monitor.stop()
    await asyncio.wait_for(task, 10)


async def test_a_fault_of_the_monitor_itself_costs_no_running_pipeline(lab, scheduler, monkeypatch):
    monitor = make(lab, scheduler, UNTIL_FREE, slots=1)
    task = asyncio.ensure_future(monitor.run())
    await until(lambda: len(started(lab)) == 1)

    async def broken():
        raise RuntimeError("a fault of ours")

    monkeypatch.setattr(monitor, "_scan", broken)
    await until(monitor._stopping.is_set)
    await asyncio.sleep(0.3)
    assert not task.done()
    (lab.work().parents[2] / "free").touch()

    with pytest.raises(RuntimeError, match="a fault of ours"):
        await asyncio.wait_for(task, 10)
    answer = await lab.state.get_workset(workset_id=started(lab)[0])
    assert answer.workset.state == COMPLETE
