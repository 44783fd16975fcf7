"""What a monitor that is started again does about the claims of one that was killed."""

import asyncio
import socket
from dataclasses import replace
from datetime import timedelta

from daylily.workset.v1 import workset_pb2

from daylily_client.monitor import recovery
from daylily_client.monitor.recovery import recover
from daylily_client.monitor.run import Run
from daylily_client.monitor.supervisor import boot_id, write_record
from tests.integration.monitor.lab import UNTIL_STOPPED, pids_in, until

READY = workset_pb2.WORKSET_STATE_READY
LOCKED = workset_pb2.WORKSET_STATE_LOCKED
IN_PROGRESS = workset_pb2.WORKSET_STATE_IN_PROGRESS
COMPLETE = workset_pb2.WORKSET_STATE_COMPLETE
IGNORED = workset_pb2.WORKSET_STATE_IGNORED


async def killed_in_the_middle(lab):
    """A run whose monitor is gone: no release, no state, and the supervisor has done its work."""
    context = lab.context(UNTIL_STOPPED)
    task = asyncio.ensure_future(Run(context, await lab.grant(context)).run())
    await until(lambda: len(pids_in(lab.work() / "pids")) == 2)
    task.cancel()
    await asyncio.wait({task})
    return context


async def test_a_claim_that_was_never_granted_is_forgotten(lab):
    context = lab.context("")
    context.workdir.note_claim("never-granted")

    await recover(context)

    assert context.workdir.open_entries() == []


async def test_a_grant_that_never_began_is_given_back(lab):
    context = lab.context("")
    grant = await lab.grant(context)
    # The answer had not even arrived: the journal knows the claim by its request_id alone.
    context.workdir.note_claim(grant.entry.request_id)
    assert (await lab.workset()).state == LOCKED

    await recover(context)

    assert (await lab.workset()).state == READY
    assert context.workdir.open_entries() == []


async def test_a_run_that_ended_with_its_monitor_is_tried_again_at_no_attempt(lab):
    context = await killed_in_the_middle(lab)
    assert (await lab.workset()).state == IN_PROGRESS

    await recover(context)

    workset = await lab.workset()
    assert workset.state == READY
    assert workset.infrastructure_failures == 1
    assert lab.sentinels() == {"daylily.ready"}
    assert context.workdir.open_entries() == []


async def test_a_run_that_was_cancelled_meanwhile_is_acknowledged(lab):
    context = await killed_in_the_middle(lab)
    await lab.state.update_state(workset_id=lab.workset_id, state=IGNORED)

    await recover(context)

    workset = await lab.workset()
    assert workset.state == IGNORED
    assert not workset.HasField("lock")


async def test_a_run_that_may_still_be_alive_is_left_to_its_lease(lab, monkeypatch):
    monkeypatch.setattr(recovery, "_SETTLE_SECONDS", 0.1)
    context = await killed_in_the_middle(lab)
    record = lab.work().parent / "process.json"
    write_record(record, {"group": 2**22, "boot_id": boot_id(), "host": "another machine"})
    context = replace(context, settings=replace(context.settings, grace=timedelta(0)))

    await recover(context)

    assert (await lab.workset()).state == IN_PROGRESS
    assert len(context.workdir.open_entries()) == 1


async def test_a_run_of_this_machine_before_it_was_started_anew_is_over(lab):
    context = await killed_in_the_middle(lab)
    record = lab.work().parent / "process.json"
    write_record(record, {"group": 1, "boot_id": "before", "host": socket.gethostname()})

    await recover(context)

    assert (await lab.workset()).state == READY


async def test_a_workset_that_somebody_else_has_by_now_is_left_alone(lab):
    context = await killed_in_the_middle(lab)
    await lab.state.acquire_lock(workset_id=lab.workset_id, owner_id="operator", force=True)

    await recover(context)

    workset = await lab.workset()
    assert workset.lock.owner_id == "operator"
    assert context.workdir.open_entries() == []


async def test_a_workset_that_completed_gets_the_sentinel_it_lacks(lab):
    context = await killed_in_the_middle(lab)
    await lab.state.update_state(workset_id=lab.workset_id, state=COMPLETE, lock_token=1)
    assert lab.sentinels() == {"daylily.ready", "daylily.in_progress"}

    await recover(context)

    assert lab.sentinels() == {"daylily.ready", "daylily.complete"}


async def test_a_state_service_that_is_away_leaves_the_journal_as_it_is(lab, state_process):
    context = lab.context("")
    grant = await lab.grant(context)
    await state_process.stop()

    await recover(replace(context, state=lab.state.with_timeout(0.3)))

    assert context.workdir.open_entries() == [grant.entry]
