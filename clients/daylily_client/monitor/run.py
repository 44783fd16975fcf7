"""One workset from its grant to its end."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, TypeVar

from daylily.workset.v1 import workset_pb2

from daylily_client import (
    AsyncStateClient,
    AsyncTime,
    Contention,
    DaylilyError,
    DeadlineExceeded,
    LockKeeper,
    LockLost,
    LockState,
    NotFound,
    Overloaded,
    Unavailable,
    WorksetCancelled,
    new_request_id,
)
from daylily_client.monitor import steps
from daylily_client.monitor.conclusion import write_end
from daylily_client.monitor.environment import command_environment, results_prefix
from daylily_client.monitor.log_file import LogFollower
from daylily_client.monitor.logs import EventLog
from daylily_client.monitor.marks import FolderMarks
from daylily_client.monitor.outcome import Outcome, outcome_of, read_result
from daylily_client.monitor.process import PipelineProcess
from daylily_client.monitor.progress import ProgressReports
from daylily_client.monitor.settings import MonitorSettings
from daylily_client.monitor.steps import Step
from daylily_client.monitor.transfer import TransferError, export, fetch_inputs
from daylily_client.monitor.workdir import AttemptPlace, JournalEntry, Workdir
from daylily_client.spans import NO_SPAN, NO_SPANS, Spans

if TYPE_CHECKING:
    from types_boto3_s3 import S3Client

Answer = TypeVar("Answer")

PASSING = (Unavailable, DeadlineExceeded, Contention, Overloaded)
"""After these a call is worth sending again, with the same request_id."""

_LOOK_AT_LOG_SECONDS = 0.25
_LOG_PIECES_AT_ONCE = 40
"""10 MiB: a command that writes faster than that for long is read with a delay."""
_PAUSE_SECONDS = 2.0
_GIVE_BACK_SECONDS = 20.0


def utc_now() -> datetime:
    return datetime.now(timezone.utc)


@dataclass(frozen=True)
class Grant:
    """A claim that was granted.

    `sent_at` is the reading of the keeper's clock before the claim was first sent: the lease cannot
    have begun earlier.
    """

    entry: JournalEntry
    workset_id: str
    lock_token: int
    sent_at: float


@dataclass(frozen=True)
class RunContext:
    """What all runs of a monitor share.

    `stopping` is set when nothing new is to be started, `giving_up` when what runs is to be
    stopped and given back. `spans` traces claims and runs.
    """

    settings: MonitorSettings
    state: AsyncStateClient
    s3: "S3Client"
    workdir: Workdir
    log: EventLog
    spans: Spans = NO_SPANS
    time: AsyncTime = field(default_factory=AsyncTime)
    stopping: asyncio.Event = field(default_factory=asyncio.Event)
    giving_up: asyncio.Event = field(default_factory=asyncio.Event)


class GivenUpError(Exception):
    """The monitor was told to stop what runs."""


class Run:
    """Runs the command for one grant.

    The pipeline runs on while state is away. It is stopped when state says that the lock is lost
    or the workset cancelled, and when the monitor gives up. Whatever is published waits for a
    renewal that got through.
    """

    def __init__(self, context: RunContext, grant: Grant) -> None:
        self._context = context
        self._settings = context.settings
        self._state = context.state
        self._grant = grant
        self._log = context.log.bind(workset_id=grant.workset_id, token=grant.lock_token)
        self._span = NO_SPAN
        self._entry = grant.entry
        self._settled = True
        self._marks: FolderMarks | None = None
        self._follower: LogFollower | None = None
        self._keeper = LockKeeper(
            context.state,
            workset_id=grant.workset_id,
            lock_token=grant.lock_token,
            lease=context.settings.lease,
            sent_at=grant.sent_at,
            on_change=self._on_lock_change,
            time=context.time,
        )
        self._checks: set[asyncio.Task[None]] = set()
        self._progress = ProgressReports(
            context.state,
            workset_id=grant.workset_id,
            lock_token=grant.lock_token,
            interval=context.settings.progress_interval,
            log_tail=lambda: self._follower.tail if self._follower else "",
            on_loss=self.check_lock,
        )

    def check_lock(self) -> None:
        """Ask state now whether the lock still holds; the keeper acts on the answer."""

        async def ask() -> None:
            with contextlib.suppress(DaylilyError, RuntimeError):
                await self._keeper.confirmed()

        check = asyncio.ensure_future(ask())
        self._checks.add(check)
        check.add_done_callback(self._checks.discard)

    async def run(self) -> None:
        """Run to the end; what is known then, state knows, unless it says the lock is lost."""
        with self._context.spans.work(
            "monitor.run",
            workset_id=self._grant.workset_id,
            lock_token=self._grant.lock_token,
            cluster_name=self._settings.cluster.name,
        ) as self._span:
            self._log = self._log.bind(**self._span.ids)
            await self._keep_and_run()

    async def _keep_and_run(self) -> None:
        async with self._keeper:
            try:
                await self._run()
            except WorksetCancelled:
                await self._acknowledge_cancel()
            except (LockLost, NotFound) as error:
                self._log.warning("lock_lost", answer=error)
            except GivenUpError:
                await self._give_back("the monitor was told to stop")
        if self._settled:
            self._context.workdir.note_end(self._entry)

    async def _run(self) -> None:
        if self._context.stopping.is_set():
            await self._give_back("the monitor stops before the run began")
            return
        workset = await self._begin()
        if self._context.stopping.is_set():
            # State did not answer for long, perhaps. The command has not been started.
            await self._give_back("the monitor stops before the command began")
            return
        self._marks = FolderMarks(self._context.s3, workset, self._log, utc_now)
        await self._marks.begun()
        reports = asyncio.ensure_future(self._progress.send_for_ever())
        try:
            outcome = await self._unless_stopped(self._outcome(workset))
        finally:
            reports.cancel()
        await self._unless_given_up(self._conclude(outcome))

    async def _begin(self) -> workset_pb2.Workset:
        request_id = new_request_id()
        answer = await self._until_answered(
            lambda: self._state.update_state(
                workset_id=self._grant.workset_id,
                state=workset_pb2.WORKSET_STATE_IN_PROGRESS,
                lock_token=self._grant.lock_token,
                request_id=request_id,
            )
        )
        full = await self._until_answered(
            lambda: self._state.get_workset(
                workset_id=self._grant.workset_id, view=workset_pb2.WORKSET_VIEW_FULL
            )
        )
        workset = full.workset
        # A takeover by force may lie between the two answers; the attempt is that of the first.
        workset.attempt = answer.workset.attempt
        self._log.info("started", attempt=workset.attempt)
        return workset

    async def _outcome(self, workset: workset_pb2.Workset) -> Outcome:
        place = self._context.workdir.place(
            workset.workset_id, workset.attempt, self._grant.lock_token
        )
        try:
            self._entry = self._context.workdir.note_begin(self._entry, place)
            place.create()
            self._follower = LogFollower(place.process.log)
            await fetch_inputs(self._context.s3, workset, place.input)
            outcome = await self._run_command(workset, place)
            if outcome.succeeded:
                outcome = await self._export(workset, place, outcome)
        except TransferError as error:
            category = (
                workset_pb2.ERROR_CATEGORY_CONFIGURATION
                if error.lasting
                else workset_pb2.ERROR_CATEGORY_TRANSIENT
            )
            return Outcome(category, str(error), {})
        except OSError as error:
            # The disk is full, or there are no more processes to be had.
            return Outcome(workset_pb2.ERROR_CATEGORY_INFRASTRUCTURE, f"the head node: {error}", {})
        return outcome

    async def _run_command(self, workset: workset_pb2.Workset, place: AttemptPlace) -> Outcome:
        began = time.monotonic()
        process = await PipelineProcess.start(
            self._settings.command,
            files=place.process,
            environment=command_environment(
                workset, self._grant.lock_token, self._settings.cluster.name, place
            ),
            grace=self._settings.grace.total_seconds(),
        )
        ended = asyncio.ensure_future(process.wait())
        try:
            while not ended.done():
                await asyncio.wait({ended}, timeout=_LOOK_AT_LOG_SECONDS)
                self._follow_log()
        finally:
            # Cancelled because the work is to stop: only a group that is gone counts as stopped.
            process.stop()
            while not ended.done():
                await _whatever_happens(ended)
        while self._follower and self._follower.behind:
            self._follow_log()
        outcome = outcome_of(
            ended.result(),
            read_result(_content(place)),
            self._follower.tail if self._follower else "",
        )
        seconds = round(time.monotonic() - began, 1)
        self._log.info("command_ended", succeeded=outcome.succeeded, seconds=seconds)
        return replace(outcome, metrics={"wall_seconds": seconds, **outcome.metrics})

    def _follow_log(self) -> None:
        if self._follower is None:
            return
        for _ in range(_LOG_PIECES_AT_ONCE):
            for line in self._follower.new_lines():
                step = steps.read_step(line, before=self._progress.step)
                if step is not None:
                    self._progress.enter(step)
            if not self._follower.behind:
                return

    async def _export(
        self, workset: workset_pb2.Workset, place: AttemptPlace, outcome: Outcome
    ) -> Outcome:
        uri = results_prefix(workset, self._grant.lock_token)
        if not uri:
            return outcome
        self._progress.enter(Step(steps.EXPORT_RESULTS, max(90, self._progress.step.percent)))
        await self._keeper.confirmed()
        try:
            files = await export(self._context.s3, place.results, uri, self._may_publish)
        except TransferError as error:
            raise TransferError(
                f"{error}; the results are still in {place.results} of the head node",
                lasting=error.lasting,
            ) from error
        self._log.info("exported", files=files, to=uri)
        metrics = {**outcome.metrics, "results_uri": uri} if files else outcome.metrics
        return replace(outcome, metrics=metrics)

    async def _may_publish(self) -> None:
        if self._keeper.state is not LockState.HELD:
            await self._keeper.confirmed()

    async def _conclude(self, outcome: Outcome) -> None:
        if outcome.succeeded:
            self._progress.enter(Step(steps.FINALIZING, 100))
        await self._progress.send()
        if not outcome.succeeded and self._marks:
            await self._keeper.confirmed()
            await self._marks.given_back()
        workset = await write_end(self._state, self._keeper, outcome, self._log)
        state = workset_pb2.WorksetState.Name(workset.state).removeprefix("WORKSET_STATE_")
        self._log.info("ended", state=state, attempt=workset.attempt)
        self._span.note(state=state, attempt=workset.attempt)
        if self._marks and workset.state == workset_pb2.WORKSET_STATE_COMPLETE:
            await self._marks.completed()
        elif self._marks and workset.state == workset_pb2.WORKSET_STATE_ERROR:
            await self._marks.failed(outcome.error_details)

    async def _acknowledge_cancel(self) -> None:
        self._log.warning("cancelled")
        if self._marks:
            await self._marks.cancelled()
        await self._release("stopped after the cancel")

    async def _give_back(self, reason: str) -> None:
        self._log.info("given_back", reason=reason)
        if self._marks and self._keeper.state is LockState.HELD:
            await self._marks.given_back()
        await self._release(reason)

    async def _release(self, reason: str) -> None:
        """Release the lock if state answers soon.

        Otherwise its lease does, or this monitor when it is started again: the claim stays in the
        journal.
        """
        try:
            await asyncio.wait_for(self._keeper.release(reason), _GIVE_BACK_SECONDS)
        except (asyncio.TimeoutError, DaylilyError) as error:
            self._settled = isinstance(error, LockLost | NotFound)
            self._log.warning("not_released", answer=repr(error))

    async def _unless_stopped(self, work: Awaitable[Answer]) -> Answer:
        """Await the work; stop it when the lock is lost or the monitor gives up."""
        working = asyncio.ensure_future(work)
        lost = asyncio.ensure_future(self._keeper.wait_lost())
        giving_up = asyncio.ensure_future(self._context.giving_up.wait())
        try:
            await asyncio.wait({working, lost, giving_up}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            lost.cancel()
            giving_up.cancel()
            if not working.done():
                working.cancel()
                await _whatever_happens(working)
        if self._keeper.lost_by is not None:
            raise self._keeper.lost_by
        if working.cancelled():
            raise GivenUpError
        return working.result()

    async def _unless_given_up(self, work: Awaitable[None]) -> None:
        """Await the last words. When the monitor gives up they have a little time left."""
        working = asyncio.ensure_future(work)
        giving_up = asyncio.ensure_future(self._context.giving_up.wait())
        try:
            await asyncio.wait({working, giving_up}, return_when=asyncio.FIRST_COMPLETED)
            await asyncio.wait({working}, timeout=_GIVE_BACK_SECONDS)
        finally:
            giving_up.cancel()
            if not working.done():
                working.cancel()
                await _whatever_happens(working)
        if working.cancelled():
            raise GivenUpError
        working.result()

    async def _until_answered(self, call: Callable[[], Awaitable[Answer]]) -> Answer:
        while True:
            try:
                return await call()
            except PASSING as error:
                self._log.warning("state_does_not_answer", answer=error)
                if self._context.giving_up.is_set():
                    raise GivenUpError from error
            await asyncio.sleep(_PAUSE_SECONDS)

    def _on_lock_change(self, state: LockState) -> None:
        if state is LockState.UNCONFIRMED:
            self._log.warning("lock_unconfirmed", effect="the run goes on, nothing is published")
        elif state is LockState.HELD:
            self._log.info("lock_confirmed")


async def _whatever_happens(task: "asyncio.Future[Any]") -> None:
    """Wait until a task is done, however it ends, even while this task is cancelled again."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.wait({task})


def _content(place: AttemptPlace) -> bytes | None:
    try:
        return place.result_file.read_bytes()
    except FileNotFoundError:
        return None
