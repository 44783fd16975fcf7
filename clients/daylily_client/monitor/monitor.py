"""The monitor: looks for folders, reports its cluster, claims work, and runs it."""

import asyncio
import random
import signal
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from botocore.exceptions import BotoCoreError, ClientError
from daylily.scheduler.v1 import scheduler_pb2
from daylily.workset.v1 import event_pb2

from daylily_client import (
    AsyncSchedulerClient,
    ClusterDraining,
    ClusterNotFound,
    DaylilyError,
    GrantNotFound,
    LockLost,
    NotFound,
    duration,
    new_request_id,
)
from daylily_client.monitor.discovery import Discovery, UnreadableFolder
from daylily_client.monitor.folder import MalformedFolderError
from daylily_client.monitor.recovery import recover
from daylily_client.monitor.registration import Registrar
from daylily_client.monitor.run import PASSING, Grant, Run, RunContext
from daylily_client.monitor.s3 import Bucket
from daylily_client.monitor.workdir import JournalEntry
from daylily_client.spans import Span

Answer = TypeVar("Answer")

_FIRST_PAUSE = 0.5
_LONGEST_PAUSE = 30.0
_DRAINING_SECONDS = 15.0
_THREADS_FOR_THE_REST = 16


class Monitor:
    """One monitor. `run` returns when it was told to stop and everything it began has ended."""

    def __init__(self, context: RunContext, scheduler: AsyncSchedulerClient) -> None:
        self._context = context
        self._settings = context.settings
        self._scheduler = scheduler
        self._log = context.log
        self._stopping = context.stopping
        self._registrar = Registrar(context.state, context.log)
        self._discovery = Discovery(
            Bucket(context.s3, context.settings.bucket), context.settings.prefix
        )
        self._runs: dict[asyncio.Task[None], tuple[str, Run]] = {}
        self._run_ended = asyncio.Event()

    def stop(self) -> None:
        """First call: begin nothing new and wait for what runs. Second: stop and give that back."""
        if self._stopping.is_set():
            self._log.warning("giving_up", runs=len(self._runs))
            self._context.giving_up.set()
        else:
            self._log.info("stopping", runs=len(self._runs))
            self._stopping.set()

    async def run(self) -> None:
        """Work until told to stop.

        Raises:
            WorkdirInUseError: another monitor uses the work directory.
        """
        loop = asyncio.get_running_loop()
        # Exports that take hours must leave threads for discovery and sentinels.
        threads = self._settings.cluster.slots + _THREADS_FOR_THE_REST
        loop.set_default_executor(ThreadPoolExecutor(threads, thread_name_prefix="s3"))
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self.stop)
        with self._context.workdir.hold():
            self._log.info(
                "monitor_started",
                owner_id=self._settings.owner_id,
                cluster=self._settings.cluster.name,
                folders=f"s3://{self._settings.bucket}/{self._settings.prefix}",
            )
            try:
                await self._work()
            finally:
                for number in (signal.SIGTERM, signal.SIGINT):
                    loop.remove_signal_handler(number)
        self._log.info("monitor_ended")

    async def _work(self) -> None:
        await self._until_stopping(recover(self._context))
        await self._until_stopping(self._register_cluster())
        # The folders that are there go into the queue before the first claim looks at it, so that
        # the most urgent of them goes first and not the first that was seen.
        await self._until_stopping(self._scan())
        claiming = asyncio.ensure_future(self._claim_until_stopping())
        others = [
            asyncio.ensure_future(loop)
            for loop in (self._scan_until_stopping(), self._report_for_ever(), self._watch())
        ]
        stopped = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait([claiming, stopped, *others], return_when=asyncio.FIRST_COMPLETED)
            # A loop that ended before has met a fault of ours. Pipelines do not pay for it: what
            # runs is brought to its end all the same, and the fault is raised then.
            self._stopping.set()
            await asyncio.wait({claiming})
            while self._runs:
                await asyncio.wait(list(self._runs))
            for task in (claiming, *others):
                if task.done():
                    task.result()
        finally:
            self._context.giving_up.set()
            for waiting in (claiming, stopped, *others):
                waiting.cancel()
            await asyncio.gather(claiming, stopped, *others, *self._runs, return_exceptions=True)

    # --- discovery ---

    async def _scan_until_stopping(self) -> None:
        while not self._stopping.is_set():
            await self._until_stopping(asyncio.sleep(self._settings.scan_interval.total_seconds()))
            await self._until_stopping(self._scan())

    async def _scan(self) -> None:
        try:
            async for found in self._discovery.scan(self._registrar.registered):
                if isinstance(found, MalformedFolderError):
                    faults = "; ".join(str(problem) for problem in found.problems)
                    self._registrar.tell_once(found.prefix, "folder_malformed", faults)
                elif isinstance(found, UnreadableFolder):
                    self._registrar.tell_once(found.prefix, "folder_unreadable", found.message)
                else:
                    await self._registrar.register(found)
        except (ClientError, BotoCoreError) as error:
            self._log.warning("bucket_not_listed", problem=error)

    # --- the cluster ---

    async def _register_cluster(self) -> None:
        cluster = self._settings.cluster
        request_id = new_request_id()

        async def register() -> scheduler_pb2.RegisterClusterResponse:
            return await self._scheduler.register_cluster(
                cluster_name=cluster.name,
                region=cluster.region,
                availability_zone=cluster.availability_zone,
                instance_types=cluster.instance_types,
                vcpus=cluster.vcpus,
                memory_gb=cluster.memory_gb,
                storage_gb=cluster.storage_gb,
                slots=cluster.slots,
                price_per_vcpu_hour_usd=cluster.price_per_vcpu_hour_usd,
                fixed_cost_per_hour_usd=cluster.fixed_cost_per_hour_usd,
                report_interval=duration(self._settings.report_interval),
                request_id=request_id,
            )

        await self._until_answered("scheduler_does_not_answer", register)
        self._log.info("cluster_registered", cluster=cluster.name, slots=cluster.slots)

    async def _report_for_ever(self) -> None:
        """Say that the cluster lives. What others use of it, this version does not know: nothing."""
        while True:
            await asyncio.sleep(self._settings.report_interval.total_seconds())
            try:
                await self._scheduler.update_cluster_utilization(
                    cluster_name=self._settings.cluster.name
                )
            except ClusterNotFound:
                await self._register_cluster_again()
            except DaylilyError as error:
                self._log.warning("cluster_not_reported", answer=error)

    async def _register_cluster_again(self) -> None:
        """Somebody removed it, but here it is. To keep work away from a cluster, drain it."""
        try:
            await self._register_cluster()
        except DaylilyError as error:
            self._log.error("cluster_refused", answer=error)

    # --- claims and runs ---

    async def _claim_until_stopping(self) -> None:
        while not self._stopping.is_set():
            if len(self._runs) >= self._settings.cluster.slots:
                self._run_ended.clear()
                await self._until_stopping(self._run_ended.wait())
                continue
            entry = self._context.workdir.note_claim(new_request_id())
            # The run is begun inside the claim's span: one trace from the claim to the end.
            with self._context.spans.work(
                "monitor.claim", cluster_name=self._settings.cluster.name
            ) as span:
                grant = await self._until_stopping(self._claim(entry, span))
                span.note(granted=grant is not None)
                if grant is not None:
                    self._begin(grant)
                elif self._stopping.is_set():
                    await self._give_unanswered_claim_back(entry)
                else:
                    self._context.workdir.note_end(entry)

    async def _claim(self, entry: JournalEntry, span: Span) -> Grant | None:
        """One claim, repeated under its id until it is answered; None when no work came."""
        sent_at = self._context.time.monotonic()

        async def claim() -> scheduler_pb2.ClaimNextWorksetResponse:
            return await self._scheduler.claim_next_workset(
                cluster_name=self._settings.cluster.name,
                owner_id=self._settings.owner_id,
                lease=duration(self._settings.lease),
                max_wait=duration(self._settings.claim_wait),
                request_id=entry.request_id,
            )

        try:
            answer = await self._until_answered("claim_not_answered", claim)
        except ClusterNotFound:
            await self._register_cluster_again()
            return None
        except LockLost:
            return None  # granted and, before the answer arrived, taken away again
        except ClusterDraining:
            await asyncio.sleep(_DRAINING_SECONDS)
            return None
        except DaylilyError as error:
            self._log.error("claim_refused", answer=error)
            await asyncio.sleep(_LONGEST_PAUSE)
            return None
        if not answer.HasField("workset"):
            return None
        workset_id, token = answer.workset.workset_id, answer.lock_token
        entry = self._context.workdir.note_grant(entry, workset_id, token)
        span.note(workset_id=workset_id, lock_token=token)
        self._log.info("claimed", workset_id=workset_id, token=token, **span.ids)
        return Grant(entry, workset_id, token, sent_at)

    async def _give_unanswered_claim_back(self, entry: JournalEntry) -> None:
        """A claim that was cut short may have been granted; the scheduler gives it back, or we do."""
        try:
            grant = await self._context.state.get_grant(request_id=entry.request_id)
            await self._context.state.release_lock(
                workset_id=grant.workset.workset_id,
                lock_token=grant.lock_token,
                reason="the monitor stops before the run began",
            )
        except (GrantNotFound, LockLost, NotFound):
            self._context.workdir.note_end(entry)
        except DaylilyError as error:
            self._log.warning("claim_not_settled", request_id=entry.request_id, answer=error)
        else:
            self._log.info("given_back", workset_id=grant.workset.workset_id)
            self._context.workdir.note_end(entry)

    def _begin(self, grant: Grant) -> None:
        run = Run(self._context, grant)
        task = asyncio.ensure_future(run.run())
        self._runs[task] = (grant.workset_id, run)
        task.add_done_callback(self._on_run_ended)

    def _on_run_ended(self, task: "asyncio.Task[None]") -> None:
        workset_id, _ = self._runs.pop(task)
        self._run_ended.set()
        if not task.cancelled() and task.exception() is not None:
            # A fault of ours. The lock is not renewed any more: the lease gives the workset back.
            self._log.error("run_failed", workset_id=workset_id, problem=repr(task.exception()))

    async def _watch(self) -> None:
        """Learn of cancels at once; without this, the next renewal would tell."""
        while True:
            events = self._context.state.watch_events(event_types=[event_pb2.EVENT_TYPE_IGNORED])
            try:
                async for answer in events:
                    cancelled = {event.workset_id for event in answer.events}
                    for workset_id, run in self._runs.values():
                        if workset_id in cancelled:
                            run.check_lock()
            except DaylilyError as error:
                self._log.warning("events_not_watched", answer=error)
            await asyncio.sleep(_LONGEST_PAUSE)

    # --- waiting ---

    async def _until_stopping(self, work: Awaitable[Answer]) -> Answer | None:
        """Await the work, or cut it short when the monitor stops."""
        working = asyncio.ensure_future(work)
        stopping = asyncio.ensure_future(self._stopping.wait())
        try:
            await asyncio.wait({working, stopping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            if not working.done():
                working.cancel()
                await asyncio.wait({working})
        return None if working.cancelled() else working.result()

    async def _until_answered(self, event: str, call: Callable[[], Awaitable[Answer]]) -> Answer:
        """Call until there is an answer, with growing pauses; tell of the first failure."""
        failures = 0
        while True:
            try:
                answer = await call()
            except PASSING as error:
                if not failures:
                    self._log.warning(event, answer=error)
                failures += 1
                pause = min(_FIRST_PAUSE * 2.0 ** min(failures, 10), _LONGEST_PAUSE)
                await asyncio.sleep((error.retry_after or 0.0) + pause * random.random())  # noqa: S311
            else:
                return answer
