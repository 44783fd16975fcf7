"""Moving a workset by UpdateState, as its holder or as an operator, and timing a lock out."""

import json
from dataclasses import replace
from datetime import datetime

from daylily_state.domain import limits, retries, transitions
from daylily_state.domain.commands import SetState
from daylily_state.domain.commit import Commit
from daylily_state.domain.errors import (
    InvalidFieldError,
    LockRequiredError,
    Violation,
    WorksetNotFoundError,
)
from daylily_state.domain.events import ACTOR_STATE, cut, size, to_json
from daylily_state.domain.locking import check_token, expired, held, leave
from daylily_state.domain.model import (
    Details,
    ErrorCategory,
    Failure,
    Results,
    Workset,
    WorksetState,
)
from daylily_state.domain.moment import Asked, Moment, Note, asked, check_version, commit_workset
from daylily_state.domain.retries import RetryPolicy, Verdict
from daylily_state.domain.transitions import Cause

_HELD = frozenset({WorksetState.LOCKED, WorksetState.IN_PROGRESS})
_OF_THE_HOLDER = frozenset(
    {
        WorksetState.READY,
        WorksetState.IN_PROGRESS,
        WorksetState.COMPLETE,
        WorksetState.ERROR,
    }
)


def set_state(
    workset: Workset | None,
    details: Details,
    results: Results,
    command: SetState,
    moment: Moment,
    *,
    policy: RetryPolicy,
) -> Commit:
    """Moves a workset as the table allows: with a token as its holder, without as an operator.

    Raises:
        WorksetNotFoundError, VersionMismatchError, IllegalTransitionError.
        LockRequiredError: only the holder may do this, and no token was given.
        LockLostError, WorksetCancelledError: the token is not that of the holder any more.
        LockHeldError: a cancelled run may still be going, so the workset cannot be restored yet.
    """
    if workset is None:
        raise WorksetNotFoundError(workset_id=command.workset_id)
    if command.lock_token:
        check_token(workset, command.lock_token)
    check_version(command.expected_version, workset.version)
    if command.state is WorksetState.IGNORED:
        return _cancel(workset, details, command, moment)
    if command.lock_token:
        return _as_holder(workset, details, results, command, moment, policy=policy)
    if workset.state in _HELD and command.state in _OF_THE_HOLDER:
        raise LockRequiredError(workset_id=workset.workset_id, state=workset.state)
    return _restore(workset, details, command, moment)


def time_out(
    workset: Workset, details: Details, moment: Moment, *, policy: RetryPolicy
) -> Commit | None:
    """Ends a lock that ran out. None: there is no lock, or it has not run out for certain.

    The commit holds only if nobody renewed since `workset` was read.
    """
    lock = workset.lock
    if lock is None or not expired(lock, moment.now):
        return None
    words = f"the lock of {lock.owner_id} ran out at {lock.expires_at.isoformat()}"
    ask = Asked(actor=ACTOR_STATE, reason=words)
    facts: dict[str, object] = {"expires_at": lock.expires_at.isoformat()}
    if workset.state is WorksetState.IGNORED:
        row = transitions.check(workset, WorksetState.IGNORED, Cause.TIMEOUT)
        note = Note(type=row.event, asked=ask, details=facts)
        return leave(workset, details, row.to_state, note, moment, expiry_seen=lock.expires_at)
    verdict = retries.after_timeout(workset, policy)
    again = verdict.delay is not None
    row = transitions.check(
        workset,
        WorksetState.READY if again else WorksetState.ERROR,
        Cause.TIMEOUT if again else Cause.EXHAUSTED,
    )
    judged = replace(
        workset,
        infra_failures=verdict.infra_failures,
        failure=Failure(ErrorCategory.INFRASTRUCTURE, cut(words, limits.SUMMARY_BYTES)),
    )
    note = Note(
        type=row.event,
        asked=ask,
        error_category=ErrorCategory.INFRASTRUCTURE,
        details=facts,
    )
    return leave(
        workset,
        details,
        row.to_state,
        note,
        moment,
        judged=judged,
        spent_cents=_spent(workset, "{}", row.to_state),
        expiry_seen=lock.expires_at,
    )


# --- the holder ---


def _as_holder(
    workset: Workset,
    details: Details,
    results: Results,
    command: SetState,
    moment: Moment,
    *,
    policy: RetryPolicy,
) -> Commit:
    if command.state is WorksetState.IN_PROGRESS:
        return _go_on(workset, details, results, command, moment)
    if command.state is WorksetState.ERROR:
        return _fail(workset, details, results, command, moment, policy=policy)
    cause = Cause.COMPLETE if command.state is WorksetState.COMPLETE else Cause.RELEASE
    row = transitions.check(workset, command.state, cause)
    return leave(
        workset,
        details,
        row.to_state,
        Note(type=row.event, asked=asked(command)),
        moment,
        judged=_with_cluster(workset, command),
        results=_merged(results, command),
        spent_cents=_spent(workset, command.metrics, row.to_state),
    )


def _go_on(
    workset: Workset, details: Details, results: Results, command: SetState, moment: Moment
) -> Commit:
    """Starts the run, or says more about one that goes on."""
    starts = workset.state is WorksetState.LOCKED
    row = transitions.check(
        workset, WorksetState.IN_PROGRESS, Cause.START if starts else Cause.REPORT
    )
    after = replace(
        _with_cluster(workset, command),
        state=row.to_state,
        attempt=workset.attempt + (1 if starts else 0),
    )
    return commit_workset(
        workset,
        after,
        details.labels,
        Note(type=row.event, asked=asked(command)),
        moment,
        results=_merged(results, command),
    )


def _fail(
    workset: Workset,
    details: Details,
    results: Results,
    command: SetState,
    moment: Moment,
    *,
    policy: RetryPolicy,
) -> Commit:
    category = command.error_category
    verdict = retries.after_failure(workset, category, policy, moment.dice)
    again = verdict.delay is not None
    row = transitions.check(
        workset,
        WorksetState.READY if again else WorksetState.ERROR,
        Cause.RETRY if again else Cause.FAIL,
    )
    summary = cut(command.error_details or command.reason, limits.SUMMARY_BYTES)
    judged = replace(
        _with_cluster(workset, command),
        failures=verdict.failures,
        infra_failures=verdict.infra_failures,
        failure=Failure(category, summary),
    )
    return leave(
        workset,
        details,
        row.to_state,
        Note(
            type=row.event,
            asked=asked(command),
            error_details=command.error_details,
            error_category=category,
        ),
        moment,
        judged=judged,
        available_at=_when(moment.now, verdict),
        results=_merged(results, command),
        spent_cents=_spent(workset, command.metrics, row.to_state),
    )


# --- the operator ---


def _cancel(workset: Workset, details: Details, command: SetState, moment: Moment) -> Commit:
    """Cancels. The lock stays until the holder acknowledges or it runs out: the run may go on."""
    row = transitions.check(workset, WorksetState.IGNORED, Cause.CANCEL)
    return commit_workset(
        workset,
        replace(workset, state=row.to_state, available_at=None),
        details.labels,
        Note(type=row.event, asked=asked(command)),
        moment,
    )


def _restore(workset: Workset, details: Details, command: SetState, moment: Moment) -> Commit:
    row = transitions.check(workset, command.state, Cause.RESTORE)
    lock = workset.lock
    if lock is not None and not expired(lock, moment.now):
        raise held(workset, lock, moment.now)
    judged = replace(workset, attempt=0, failures=0, infra_failures=0, failure=None)
    return leave(
        workset,
        details,
        row.to_state,
        Note(type=row.event, asked=asked(command)),
        moment,
        judged=judged,
        expiry_seen=lock.expires_at if lock else None,
    )


# --- parts ---


def _with_cluster(workset: Workset, command: SetState) -> Workset:
    """The workset where the holder says it runs, unless the lock holds resources on a cluster."""
    booked = workset.reservation is not None and workset.reservation.amount is not None
    if booked or not command.cluster_name:
        return workset
    return replace(workset, cluster_name=command.cluster_name)


def _merged(results: Results, command: SetState) -> Results | None:
    """The results with what the command says; None when that is nothing new."""
    metrics = json.loads(results.metrics) | json.loads(command.metrics)
    text = to_json(metrics)
    if size(text) > limits.METRICS_BYTES:
        wrong = f"with those kept before, larger than {limits.METRICS_BYTES} bytes as JSON"
        raise InvalidFieldError([Violation("metrics", wrong)])
    merged = Results(text, command.error_details or results.error_details)
    return merged if merged != results else None


def _spent(workset: Workset, metrics: str, to: WorksetState) -> int | None:
    """What the run cost in cents, None for its estimate: `cost_usd`, if its holder says it.

    Without it, a run that ended for good counts with its estimate, one that will come again and one
    that never started with nothing.
    """
    cost = json.loads(metrics).get("cost_usd")
    if isinstance(cost, int | float) and not isinstance(cost, bool) and cost >= 0:
        return min(round(cost * 100), limits.CENTS_MAX)
    ended = to in {WorksetState.COMPLETE, WorksetState.ERROR}
    return None if ended and workset.state is WorksetState.IN_PROGRESS else 0


def _when(now: datetime, verdict: Verdict) -> datetime | None:
    return now + verdict.delay if verdict.delay is not None else None
