"""What a monitor does, before it takes new work, about claims that an earlier one left behind.

A monitor that is killed leaves locks that nobody renews. Their leases would end them, which takes
15 minutes by default; where it is certain that no process is left, this monitor ends them now:

- A claim that was sent: state knows by its request_id whether it was granted. A grant for which
  no directory was noted has never started anything: it is given back.
- A run: its supervisor's record says whether its processes are gone (see `process.is_over`). If
  they are, the run failed for the infrastructure's sake, which costs the workset no attempt. A
  supervisor stops its command as soon as the monitor is gone, so this is waited for.
- Everything else, such as a record of another machine, is left to the lease.

Nothing is ever taken over: the run of a dead monitor is not continued, it is run again.
"""

import asyncio
import time
from pathlib import Path

from daylily.workset.v1 import workset_pb2

from daylily_client import (
    DaylilyError,
    GrantNotFound,
    LockLost,
    NotFound,
    WorksetCancelled,
    struct,
)
from daylily_client.monitor.marks import FolderMarks
from daylily_client.monitor.process import is_over, read_record
from daylily_client.monitor.run import RunContext, utc_now
from daylily_client.monitor.workdir import AttemptPlace, JournalEntry

_SETTLE_SECONDS = 10.0
_POLL_SECONDS = 0.2


async def recover(context: RunContext) -> None:
    """Settle what the journal holds. What cannot be settled now stays there for the next start."""
    for entry in context.workdir.open_entries():
        try:
            if entry.directory:
                await _settle_run(context, entry)
            else:
                await _settle_claim(context, entry)
        except DaylilyError as error:
            context.log.warning("claim_not_settled", request_id=entry.request_id, answer=error)


async def _settle_claim(context: RunContext, entry: JournalEntry) -> None:
    try:
        grant = await context.state.get_grant(request_id=entry.request_id)
    except (GrantNotFound, LockLost):
        context.workdir.note_end(entry)
        return
    workset_id = grant.workset.workset_id
    try:
        await context.state.release_lock(
            workset_id=workset_id,
            lock_token=grant.lock_token,
            reason="the monitor ended before the run began",
        )
        context.log.info("given_back", workset_id=workset_id, token=grant.lock_token)
    except (LockLost, NotFound):
        pass  # its lease has ended it
    context.workdir.note_end(entry)


async def _settle_run(context: RunContext, entry: JournalEntry) -> None:
    log = context.log.bind(workset_id=entry.workset_id, token=entry.lock_token)
    if not await _is_over_soon(context, AttemptPlace(Path(entry.directory)).process.record):
        log.warning("left_to_its_lease", why="processes of the run may still be alive")
        return
    answer = await context.state.get_workset(workset_id=entry.workset_id)
    workset = answer.workset
    marks = FolderMarks(context.s3, workset, log, utc_now)
    if workset.lock.token != entry.lock_token:
        # Ended in state, or somebody else's by now. What has ended lacks its sentinel perhaps.
        if workset.state == workset_pb2.WORKSET_STATE_COMPLETE:
            await marks.completed()
        elif workset.state == workset_pb2.WORKSET_STATE_ERROR:
            await marks.failed(workset.error_details)
    else:
        await _end_lock(context, entry, marks)
        log.warning("run_ended_with_its_monitor")
    context.workdir.note_end(entry)


async def _end_lock(context: RunContext, entry: JournalEntry, marks: FolderMarks) -> None:
    try:
        await marks.given_back()
        await context.state.update_state(
            workset_id=entry.workset_id,
            state=workset_pb2.WORKSET_STATE_ERROR,
            lock_token=entry.lock_token,
            error_category=workset_pb2.ERROR_CATEGORY_INFRASTRUCTURE,
            error_details="the monitor ended while the pipeline ran, and the pipeline with it",
            metrics=struct({}),
        )
    except WorksetCancelled:
        await context.state.release_lock(
            workset_id=entry.workset_id,
            lock_token=entry.lock_token,
            reason="the run ended with its monitor",
        )
    except LockLost:
        return


async def _is_over_soon(context: RunContext, record: Path) -> bool:
    give_up = time.monotonic() + context.settings.grace.total_seconds() + _SETTLE_SECONDS
    while not is_over(read_record(record)):
        if time.monotonic() > give_up:
            return False
        await asyncio.sleep(_POLL_SECONDS)
    return True
