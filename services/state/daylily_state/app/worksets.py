"""Commands on worksets and their locks."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Final

from daylily_runtime import Clock
from daylily_state.app.deciding import Decide, Decided, Decider
from daylily_state.app.queries import View
from daylily_state.app.requests import event_at, served_before, served_by_row
from daylily_state.domain import lifecycle, locking, registering, requests, validation
from daylily_state.domain.answers import answer_again
from daylily_state.domain.commands import (
    Acquire,
    Register,
    Release,
    Renew,
    ReportProgress,
    SetState,
    Update,
)
from daylily_state.domain.commit import Commit, RequestRow
from daylily_state.domain.errors import (
    DomainError,
    GrantNotFoundError,
    WorksetNotFoundError,
)
from daylily_state.domain.events import Event, EventType
from daylily_state.domain.locking import Surroundings
from daylily_state.domain.model import (
    Details,
    Lock,
    Results,
    SubjectKind,
    Workset,
    lane_of,
)
from daylily_state.domain.moment import Moment
from daylily_state.domain.retries import RetryPolicy
from daylily_state.ports import ProgressPatch, ReadSet, Rows, Store, Touch

_NO_RESULTS: Final = Results()
_NO_DETAILS: Final = Details(bucket="", prefix="")


class Worksets:
    """What can be done with worksets and their locks.

    Args:
        store: where they are.
        decider: makes decisions happen.
        clock: what time it is.
        policy: when failed worksets are tried again.
        on_refused_lock: told of every lock that was asked for and not granted, and of the workset
            as it was then, if there was one.
    """

    def __init__(
        self,
        store: Store,
        decider: Decider,
        clock: Clock,
        policy: RetryPolicy,
        *,
        on_refused_lock: Callable[[Workset | None, DomainError], None] = lambda *_: None,
    ) -> None:
        self._store = store
        self._decider = decider
        self._clock = clock
        self._policy = policy
        self._on_refused_lock = on_refused_lock

    async def register(self, command: Register) -> View:
        """Register a workset; see the contract for what is refused."""
        validation.check(command)
        if command.depends_on:
            # Before the commit: once the workset is there, whoever resolves dependencies must find
            # it. An edge to a workset that was refused leads nowhere and is harmless.
            await self._check_dependencies(command)
            await self._store.add_dependents(command.workset_id, command.depends_on)

        def decide(rows: Rows, moment: Moment) -> Commit:
            dependencies = {
                key: rows.worksets[key] for key in command.depends_on if key in rows.worksets
            }
            existing = rows.worksets.get(command.workset_id)
            return registering.register(existing, dependencies, command, moment)

        decided = await self._decider.decide(
            lane_of(SubjectKind.WORKSET, command.workset_id),
            ReadSet(
                worksets=(command.workset_id, *command.depends_on),
                details=(command.workset_id,),
                lanes=(lane_of(SubjectKind.WORKSET, command.workset_id),),
            ),
            decide,
            repeated=lambda rows: served_before(
                self._store, rows.worksets.get(command.workset_id), command
            ),
        )
        view = _decided(decided, command.workset_id)
        return replace(view, metadata=command.metadata)

    async def update(self, command: Update) -> View:
        """Set the named fields; see the contract for what is refused."""
        validation.check(command)

        def decide(rows: Rows, moment: Moment) -> Commit:
            details = rows.details.get(command.workset_id, _NO_DETAILS)
            workset = rows.worksets.get(command.workset_id)
            return registering.update(workset, details, command, moment)

        decided = await self._on_workset(command, decide)
        return _decided(decided, command.workset_id)

    async def acquire(self, command: Acquire) -> View:
        """Take the lock; see the contract for what is refused."""
        validation.check(command)
        seen: list[Workset] = []
        try:
            return await self._acquire(command, seen.append)
        except DomainError as error:
            self._on_refused_lock(seen[-1] if seen else None, error)
            raise

    async def _acquire(self, command: Acquire, see: Callable[[Workset], None]) -> View:
        key = command.workset_id
        lane = lane_of(SubjectKind.WORKSET, key)
        now = self._clock.now()

        async def complete(rows: Rows) -> Rows:
            """The rest of what the decision depends on, which only the workset tells."""
            workset = rows.worksets.get(key)
            if workset is None:
                return rows
            see(workset)
            rows = await self._with_details(rows, key)
            depends_on = () if workset.dependencies_met else rows.details[key].depends_on
            customers = (workset.customer_id,) if workset.customer_id else ()
            if not depends_on and not customers:
                return rows
            more = await self._store.read(ReadSet(worksets=depends_on, customers=customers))
            return replace(
                rows, worksets={**rows.worksets, **more.worksets}, customers=more.customers
            )

        async def repeated(rows: Rows) -> Event | None:
            row = rows.requests.get(command.request_id)
            if row is not None and row.expires_at >= now:
                return await served_by_row(self._store, row, command)
            workset = rows.worksets.get(key)
            if workset is None or requests.recent_seq(workset, command.request_id) is None:
                return None
            return await served_before(self._store, workset, command)

        def decide(rows: Rows, moment: Moment) -> Commit:
            workset = rows.worksets.get(key)
            around = Surroundings(
                dependencies=rows.worksets,
                cluster=rows.clusters.get(command.cluster_name),
                customer=rows.customers.get(workset.customer_id) if workset else None,
            )
            details = rows.details.get(key, _NO_DETAILS)
            commit = locking.acquire(workset, details, around, command, moment)
            if not command.request_id:
                return commit
            row = RequestRow(
                request_id=command.request_id,
                subject_id=key,
                lane=lane,
                seq=moment.seq,
                expires_at=moment.now + requests.REQUEST_ROW_TTL,
            )
            return replace(commit, request=row)

        decided = await self._decider.decide(
            lane,
            ReadSet(
                worksets=(key,),
                details=(key,),
                clusters=(command.cluster_name,) if command.cluster_name else (),
                requests=(command.request_id,) if command.request_id else (),
                lanes=(lane,),
            ),
            decide,
            complete=complete,
            repeated=repeated,
        )
        if decided.repeated is not None:
            return await self._grant(decided.repeated)
        return _decided(decided, key)

    async def grant(self, request_id: str) -> View:
        """The workset whose lock this request id was granted.

        Raises:
            GrantNotFoundError: none was, in the last 24 h.
            LockLostError, WorksetCancelledError: it is gone since.
        """
        rows = await self._store.read(ReadSet(requests=(request_id,)))
        row = rows.requests.get(request_id)
        if row is None or row.expires_at < self._clock.now():
            raise GrantNotFoundError(request_id=request_id)
        event = await event_at(self._store, row.lane, row.seq)
        if event.type is not EventType.LOCK_ACQUIRED:
            raise GrantNotFoundError(request_id=request_id)
        return await self._grant(event)

    async def renew(self, command: Renew) -> Lock:
        """Make the lock last for a lease from now on.

        Raises:
            WorksetNotFoundError, LockLostError, WorksetCancelledError: it is over.
        """
        validation.check(command)
        key = command.workset_id
        lease = command.lease or await self._lease(key, command.lock_token)
        now = self._clock.now()
        progress = command.progress
        patch = (
            ProgressPatch(progress.step, progress.percent, progress.message, now)
            if progress
            else None
        )
        return await self._touch(Touch(key, command.lock_token, lease, now + lease, patch))

    async def report_progress(self, command: ReportProgress) -> None:
        """Keep progress and the end of the log.

        Raises:
            WorksetNotFoundError, LockLostError, WorksetCancelledError: it is over.
        """
        validation.check(command)
        said = command.progress
        patch = ProgressPatch(said.step, said.percent, said.message, self._clock.now())
        await self._touch(Touch(command.workset_id, command.lock_token, progress=patch))
        if command.log_tail:
            await self._store.put_log_tail(command.workset_id, command.lock_token, command.log_tail)

    async def release(self, command: Release) -> View:
        """Give the workset back; see the contract for what is refused."""
        validation.check(command)

        def decide(rows: Rows, moment: Moment) -> Commit:
            details = rows.details.get(command.workset_id, _NO_DETAILS)
            workset = rows.worksets.get(command.workset_id)
            return locking.release(workset, details, command, moment)

        decided = await self._on_workset(command, decide)
        return _decided(decided, command.workset_id)

    async def set_state(self, command: SetState) -> View:
        """Move a workset; see the contract for what is refused."""
        validation.check(command)

        def decide(rows: Rows, moment: Moment) -> Commit:
            return lifecycle.set_state(
                rows.worksets.get(command.workset_id),
                rows.details.get(command.workset_id, _NO_DETAILS),
                rows.results.get(command.workset_id, _NO_RESULTS),
                command,
                moment,
                policy=self._policy,
            )

        decided = await self._on_workset(command, decide)
        return _decided(decided, command.workset_id)

    # --- parts ---

    async def _on_workset(self, command: Update | Release | SetState, decide: Decide) -> Decided:
        key = command.workset_id
        lane = lane_of(SubjectKind.WORKSET, key)

        async def complete(rows: Rows) -> Rows:
            """The parts that the decision builds on, read after the row whose version guards them.

            A batch is no snapshot: parts that came with the row may be older than it, and a write
            built on them would undo a change that no condition tells of.
            """
            if not _builds_on_parts(command):
                return rows
            parts = await self._store.read(ReadSet(details=(key,), results=(key,)))
            return replace(rows, details=parts.details, results=parts.results)

        return await self._decider.decide(
            lane,
            ReadSet(worksets=(key,), details=(key,), results=(key,), lanes=(lane,)),
            decide,
            complete=complete,
            repeated=lambda rows: served_before(self._store, rows.worksets.get(key), command),
        )

    async def _with_details(self, rows: Rows, key: str) -> Rows:
        """The rows with the workset's details, also if it was registered amid a batch of reads."""
        if key in rows.details:
            return rows
        late = await self._store.read(ReadSet(details=(key,)))
        return replace(rows, details=late.details)

    async def _check_dependencies(self, command: Register) -> None:
        rows = await self._store.read(ReadSet(worksets=command.depends_on))
        registering.check_dependencies(command.depends_on, rows.worksets)

    async def _grant(self, event: Event) -> View:
        key = event.subject_id
        rows = await self._store.read(ReadSet(worksets=(key,), details=(key,)))
        if key not in rows.worksets:
            raise WorksetNotFoundError(workset_id=key)
        return View(answer_again(rows.worksets[key], event), rows.details.get(key))

    async def _lease(self, workset_id: str, lock_token: int) -> timedelta:
        """The lease that the lock has."""
        rows = await self._store.read(ReadSet(worksets=(workset_id,)))
        workset = rows.worksets.get(workset_id)
        if workset is None:
            raise WorksetNotFoundError(workset_id=workset_id)
        return locking.check_token(workset, lock_token).lease

    async def _touch(self, touch: Touch) -> Lock:
        after = await self._store.touch(touch)
        if after is None:
            rows = await self._store.read(ReadSet(worksets=(touch.workset_id,)))
            after = rows.worksets.get(touch.workset_id)
            refusal = locking.refused_touch(after, touch.workset_id, touch.lock_token)
            if refusal is not None:
                raise refusal
            if touch.expires_at is not None and touch.progress is not None:
                # The lock lasts longer already; what was said of the run counts all the same.
                return await self._touch(replace(touch, lease=None, expires_at=None))
        if after is None or after.lock is None:
            raise WorksetNotFoundError(workset_id=touch.workset_id)
        return after.lock


def _builds_on_parts(command: Update | Release | SetState) -> bool:
    """Whether what the command writes of the parts depends on what is there."""
    if isinstance(command, SetState):
        return command.metrics != "{}" or bool(command.error_details)
    return isinstance(command, Update)


def _decided(decided: Decided, key: str) -> View:
    """The workset after the decision, or after the first time the request was served."""
    details = decided.rows.details.get(key)
    if decided.repeated is not None:
        return View(answer_again(decided.rows.worksets[key], decided.repeated), details)
    commit = decided.commit
    if commit is None or commit.workset is None:
        return View(decided.rows.worksets[key], details)
    return View(commit.workset.after, commit.details or details)
