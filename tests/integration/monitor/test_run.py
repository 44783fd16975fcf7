"""One run from its grant to its end, against a real state service and real processes."""

import asyncio
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from daylily.workset.v1 import workset_pb2

from daylily_client import AsyncTime
from daylily_client.monitor.run import Run
from tests.integration.monitor.lab import UNTIL_STOPPED, alive, pids_in, result_file, until

READY = workset_pb2.WORKSET_STATE_READY
IN_PROGRESS = workset_pb2.WORKSET_STATE_IN_PROGRESS
COMPLETE = workset_pb2.WORKSET_STATE_COMPLETE
ERROR = workset_pb2.WORKSET_STATE_ERROR
IGNORED = workset_pb2.WORKSET_STATE_IGNORED


async def run(lab, script, **settings):
    context = lab.context(script, **settings)
    await Run(context, await lab.grant(context)).run()


async def begin(lab, script):
    """Start a run and return once its command is at work."""
    context = lab.context(script)
    one = Run(context, await lab.grant(context))
    task = asyncio.ensure_future(one.run())
    await until(lambda: len(pids_in(lab.work() / "pids")) == 2)
    return context, one, task


async def test_a_command_that_succeeds_completes_the_workset(lab):
    await run(
        lab,
        "echo '::step run_pipeline 40 aligning'; cat $DAYLILY_SAMPLES > /dev/null;"
        "echo chr1 > $DAYLILY_RESULTS_DIR/calls.vcf; echo done;"
        + result_file(metrics={"cost_usd": 3.5}),
    )

    workset = await lab.workset()
    metrics = dict(workset.metrics.items())
    assert workset.state == COMPLETE
    assert metrics["cost_usd"] == 3.5
    assert metrics["results_uri"].endswith("/results/d-HG001/attempt-1-token-1/")
    assert lab.results() == {"d-HG001/attempt-1-token-1/calls.vcf"}
    assert lab.sentinels() == {"daylily.ready", "daylily.complete"}
    assert await lab.log_tail() == "::step run_pipeline 40 aligning\ndone\n"
    assert lab.context("").workdir.open_entries() == []


async def test_steps_are_seen_while_the_command_runs(lab):
    _, _, task = await begin(lab, "echo '::step run_pipeline 40 aligning';" + UNTIL_STOPPED)

    async def seen():
        return (await lab.workset()).progress.step == "run_pipeline"

    await until(seen)
    task.cancel()
    await asyncio.wait({task})
    assert not any(alive(pid) for pid in pids_in(lab.work() / "pids"))


async def test_bad_data_is_an_error_for_good(lab):
    await run(lab, "echo 'R1 and R2 differ' >&2; touch $DAYLILY_RESULTS_DIR/half; exit 65")

    workset = await lab.workset()
    assert workset.state == ERROR
    assert workset.error_category == workset_pb2.ERROR_CATEGORY_DATA
    assert "R1 and R2 differ" in workset.error_details
    assert lab.sentinels() == {"daylily.ready", "daylily.error"}
    assert lab.results() == set()


async def test_a_fault_that_passes_makes_it_ready_for_another_attempt(lab):
    await run(lab, "exit 75")

    workset = await lab.workset()
    assert workset.state == READY
    assert workset.available_at.ToDatetime(UTC) > datetime.now(UTC)
    assert workset.attempt == 1
    assert lab.sentinels() == {"daylily.ready"}


async def test_a_command_that_cannot_be_started_is_a_wrong_configuration(lab):
    await run(lab, "", command=("/no/such/pipeline",))

    workset = await lab.workset()
    assert workset.state == ERROR
    assert workset.error_category == workset_pb2.ERROR_CATEGORY_CONFIGURATION
    assert "/no/such/pipeline" in workset.error_details


async def test_a_command_that_the_machine_kills_costs_no_attempt(lab):
    await run(lab, "kill -9 $$")

    workset = await lab.workset()
    assert workset.state == READY
    assert workset.infrastructure_failures == 1


async def test_a_cancel_stops_the_group_and_is_acknowledged(lab):
    _, one, task = await begin(lab, UNTIL_STOPPED)

    await lab.state.update_state(workset_id=lab.workset_id, state=IGNORED, reason="not needed")
    assert (await lab.workset()).HasField("lock")
    one.check_lock()
    await asyncio.wait_for(task, 15)

    workset = await lab.workset()
    assert not any(alive(pid) for pid in pids_in(lab.work() / "pids"))
    assert workset.state == IGNORED
    assert not workset.HasField("lock")
    assert lab.sentinels() == {"daylily.ready", "daylily.ignore"}


async def test_a_cancel_is_noticed_by_the_next_report(lab):
    script = "echo $$ > pids; sleep 60 & echo $! >> pids; while true; do echo x; sleep 0.1; done"
    _, _, task = await begin(lab, script)

    await lab.state.update_state(workset_id=lab.workset_id, state=IGNORED)

    await asyncio.wait_for(task, 15)
    assert not any(alive(pid) for pid in pids_in(lab.work() / "pids"))


async def test_a_run_whose_lock_was_taken_over_stops_and_publishes_nothing(lab):
    script = f"trap 'touch $DAYLILY_RESULTS_DIR/late; exit 0' TERM; {UNTIL_STOPPED}"
    _, one, task = await begin(lab, script)

    await lab.state.acquire_lock(workset_id=lab.workset_id, owner_id="operator", force=True)
    one.check_lock()
    await asyncio.wait_for(task, 15)

    workset = await lab.workset()
    assert not any(alive(pid) for pid in pids_in(lab.work() / "pids"))
    assert workset.lock.owner_id == "operator"
    assert lab.results() == set()
    assert "daylily.complete" not in lab.sentinels()


async def test_a_run_outlives_an_outage_of_state_and_publishes_after_it(
    lab, state_process, event_log
):
    context = lab.context("touch begun; sleep 1; touch ended; echo 1 > $DAYLILY_RESULTS_DIR/report")
    task = asyncio.ensure_future(Run(context, await lab.grant(context)).run())
    await until((lab.work() / "begun").exists)

    await state_process.stop()
    await until(lambda: event_log.told("command_ended"))
    await asyncio.sleep(0.5)
    assert (lab.work() / "ended").exists()
    assert not task.done()
    assert lab.results() == set()
    assert lab.sentinels() == {"daylily.ready", "daylily.in_progress"}

    await state_process.start()
    await asyncio.wait_for(task, 30)
    assert (await lab.workset()).state == COMPLETE
    assert lab.results() == {"d-HG001/attempt-1-token-1/report"}


async def test_a_run_whose_lease_ran_out_unconfirmed_goes_on_and_publishes_nothing(
    lab, state_process, event_log
):
    passed = 0.0
    script = "touch begun; while ! test -e ended; do sleep 0.05; done; touch $DAYLILY_RESULTS_DIR/r"
    context = replace(
        lab.context(script, lease=timedelta(seconds=10)),
        time=AsyncTime(monotonic=lambda: time.monotonic() + passed),
    )
    run = Run(context, await lab.grant(context))
    task = asyncio.ensure_future(run.run())
    await until((lab.work() / "begun").exists)

    await state_process.stop()
    passed = 60.0
    run.check_lock()
    await until(lambda: event_log.told("lock_unconfirmed"))
    (lab.work() / "ended").touch()
    await until(lambda: event_log.told("command_ended"))
    await asyncio.sleep(0.5)
    assert event_log.told("command_ended")[0]["succeeded"]
    assert lab.results() == set()
    assert lab.sentinels() == {"daylily.ready", "daylily.in_progress"}

    await state_process.start()
    await asyncio.wait_for(task, 30)
    assert event_log.told("lock_confirmed")
    assert (await lab.workset()).state == COMPLETE


async def test_a_full_disk_is_no_fault_of_the_workset(lab):
    context = lab.context("true")
    grant = await lab.grant(context)
    (lab.work().parents[1]).write_text("a file where the directory should be")

    await Run(context, grant).run()

    workset = await lab.workset()
    assert workset.state == READY
    assert workset.infrastructure_failures == 1


async def test_a_grant_that_has_not_begun_when_the_monitor_stops_is_given_back(lab):
    context = lab.context("touch begun")
    grant = await lab.grant(context)
    context.stopping.set()

    await Run(context, grant).run()

    workset = await lab.workset()
    assert workset.state == READY
    assert workset.attempt == 0
    assert context.workdir.open_entries() == []


async def test_a_stop_while_state_was_away_starts_no_command_afterwards(lab, state_process):
    context = lab.context("touch begun")
    context = replace(context, state=lab.state.with_timeout(0.3))
    grant = await lab.grant(lab.context(""))
    await state_process.stop()
    task = asyncio.ensure_future(Run(context, grant).run())
    await asyncio.sleep(0.5)
    context.stopping.set()

    await state_process.start()
    await asyncio.wait_for(task, 30)

    assert (await lab.workset()).state == READY
    assert not lab.work().exists()


async def test_a_run_that_is_given_up_is_stopped_and_given_back(lab):
    context, _, task = await begin(lab, UNTIL_STOPPED)

    context.giving_up.set()
    await asyncio.wait_for(task, 15)

    workset = await lab.workset()
    assert not any(alive(pid) for pid in pids_in(lab.work() / "pids"))
    assert workset.state == READY
    assert not workset.HasField("lock")
    assert lab.sentinels() == {"daylily.ready"}


async def test_a_folder_in_a_bucket_that_is_gone_is_a_wrong_configuration(lab):
    lab.s3.delete_objects(
        Bucket=lab.bucket,
        Delete={
            "Objects": [
                {"Key": entry["Key"]}
                for entry in lab.s3.list_objects_v2(Bucket=lab.bucket)["Contents"]
            ]
        },
    )
    lab.s3.delete_bucket(Bucket=lab.bucket)

    await run(lab, "true")

    workset = await lab.workset()
    assert workset.error_category == workset_pb2.ERROR_CATEGORY_CONFIGURATION
    assert "NoSuchBucket" in workset.error_details


@pytest.mark.parametrize("content", ["{", '{"metrics": 5}'])
async def test_an_unusable_result_file_does_not_undo_a_success(lab, content):
    await run(lab, f"echo '{content}' > $DAYLILY_RESULT_FILE")

    workset = await lab.workset()
    assert workset.state == COMPLETE
    assert "result_file_problem" in dict(workset.metrics.items())
