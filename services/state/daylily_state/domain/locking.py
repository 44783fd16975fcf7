"""Taking a lock, taking one over, giving it back, and renewing it."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from daylily_state.domain import reservations, transitions
from daylily_state.domain.commands import Acquire, Release
from daylily_state.domain.commit import Commit
from daylily_state.domain.errors import (
    DependencyNotMetError,
    DomainError,
    LockHeldError,
    LockLostError,
    LockRequiredError,
    NotYetAvailableError,
    WorksetCancelledError,
    WorksetNotFoundError,
)
from daylily_state.domain.model import (
    Cluster,
    Customer,
    Details,
    Lock,
    Results,
    Workset,
    WorksetState,
)
from daylily_state.domain.moment import Moment, Note, asked, commit_workset
from daylily_state.domain.transitions import Cause

# How far past its expiry a lock must be before state acts on it: what two clocks may differ by.
EXPIRY_MARGIN: Final = timedelta(seconds=1)

FORCED: Final = (
    "lock taken over by force; the old run may go on computing, its writes are fenced off"
)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What an acquisition is decided on besides the workset.

    `dependencies` holds the worksets of `depends_on`, and is looked at only if the workset does not
    know yet that they are met. `cluster` is the named one, `customer` the workset's, None without row.
    """

    dependencies: Mapping[str, Workset]
    cluster: Cluster | None
    customer: Customer | None


def acquire(
    workset: Workset | None,
    details: Details,
    around: Surroundings,
    command: Acquire,
    moment: Moment,
) -> Commit:
    """Takes the lock: one decision over state, availability, dependencies, holder and room.

    Raises:
        WorksetNotFoundError, LockHeldError, IllegalTransitionError, NotYetAvailableError,
        DependencyNotMetError: the workset cannot be taken.
        ClusterNotFoundError, ClusterDrainingError, ClusterFullError, CustomerLimitError,
        BudgetExceededError: there is no room for it.
    """
    if workset is None:
        raise WorksetNotFoundError(workset_id=command.workset_id)
    forced = command.force and workset.state in {WorksetState.LOCKED, WorksetState.IN_PROGRESS}
    cancelled = workset.state is WorksetState.IGNORED
    if workset.lock is not None and not forced and not cancelled:
        raise held(workset, workset.lock, moment.now)
    row = transitions.check(workset, WorksetState.LOCKED, Cause.FORCE if forced else Cause.ACQUIRE)
    if not forced:
        _check_can_start(workset, details, around.dependencies, moment.now)
    booking = reservations.take(workset, command.cluster_name, around.cluster, around.customer)
    lock = Lock(
        owner_id=command.owner_id,
        token=workset.last_token + 1,
        acquired_at=moment.now,
        lease=command.lease,
        expires_at=moment.now + command.lease,
    )
    after = replace(
        workset,
        state=row.to_state,
        lock=lock,
        last_token=lock.token,
        cluster_name=command.cluster_name,
        available_at=None,
        dependencies_met=True,
        progress=None,
        failure=None,
        reservation=booking.reservation,
    )
    facts: dict[str, object] = {
        "token": lock.token,
        "lease": lock.lease.total_seconds(),
        "expires_at": lock.expires_at.isoformat(),
    }
    ask = asked(command)
    if forced:
        facts["forced"] = True
        facts["fenced_token"] = workset.lock.token if workset.lock else workset.last_token
        ask = replace(ask, reason=f"{FORCED}: {ask.reason}" if ask.reason else FORCED)
    return commit_workset(
        workset,
        after,
        details.labels,
        Note(type=row.event, asked=ask, details=facts),
        moment,
        cluster_changes=booking.clusters,
        customer_change=booking.customer,
    )


def release(workset: Workset | None, details: Details, command: Release, moment: Moment) -> Commit:
    """Gives the workset back, or acknowledges that it was cancelled.

    Raises:
        WorksetNotFoundError, LockRequiredError (no token), LockLostError.
    """
    if workset is None:
        raise WorksetNotFoundError(workset_id=command.workset_id)
    if not command.lock_token:
        raise LockRequiredError(workset_id=workset.workset_id, state=workset.state)
    if workset.lock is None or workset.lock.token != command.lock_token:
        raise lost(workset, command.lock_token)
    if workset.state is WorksetState.IGNORED:
        row = transitions.check(workset, WorksetState.IGNORED, Cause.ACKNOWLEDGE)
    else:
        row = transitions.check(workset, WorksetState.READY, Cause.RELEASE)
    return leave(workset, details, row.to_state, Note(type=row.event, asked=asked(command)), moment)


def leave(
    workset: Workset,
    details: Details,
    to: WorksetState,
    note: Note,
    moment: Moment,
    *,
    judged: Workset | None = None,
    available_at: datetime | None = None,
    results: Results | None = None,
    spent_cents: int | None = 0,
    expiry_seen: datetime | None = None,
) -> Commit:
    """The commit of whatever ends a lock: the reservation goes back with it, and progress ends.

    `judged` is the workset with its counters and failure after the exit (None: unchanged),
    `spent_cents` what the run cost (None: the estimate).
    """
    booking = reservations.release(workset, spent_cents)
    after = replace(
        judged or workset,
        state=to,
        lock=None,
        progress=None,
        available_at=available_at,
        reservation=None,
    )
    return commit_workset(
        workset,
        after,
        details.labels,
        note,
        moment,
        results=results,
        expiry_seen=expiry_seen,
        cluster_changes=booking.clusters,
        customer_change=booking.customer,
    )


def check_token(workset: Workset, lock_token: int) -> Lock:
    """The live lock that this token holds.

    Raises:
        WorksetCancelledError: the workset was cancelled under this token.
        LockLostError: the token is not the current one.
    """
    lock = workset.lock
    if workset.state is WorksetState.IGNORED and lock_token == workset.last_token:
        raise WorksetCancelledError(workset_id=workset.workset_id)
    if lock is None or lock.token != lock_token:
        raise lost(workset, lock_token)
    return lock


def expired(lock: Lock, now: datetime) -> bool:
    """Whether the lock ran out for certain, whatever two clocks differ by."""
    return now > lock.expires_at + EXPIRY_MARGIN


def refused_touch(workset: Workset | None, workset_id: str, lock_token: int) -> DomainError | None:
    """Why a renewal or progress did not go through, by the row read afterwards.

    None: the holder holds it and a later renewal has been there already, so there is nothing to do.
    """
    if workset is None:
        return WorksetNotFoundError(workset_id=workset_id)
    try:
        check_token(workset, lock_token)
    except DomainError as refusal:
        return refusal
    return None


def held(workset: Workset, lock: Lock, now: datetime) -> LockHeldError:
    """The refusal because somebody holds the lock; waiting until it runs out may help."""
    return LockHeldError(
        workset_id=workset.workset_id,
        owner_id=lock.owner_id,
        expires_at=lock.expires_at,
        retry_after=max(lock.expires_at + EXPIRY_MARGIN - now, EXPIRY_MARGIN),
    )


def lost(workset: Workset, lock_token: int) -> LockLostError:
    """The refusal because the token is not the current one."""
    return LockLostError(
        workset_id=workset.workset_id, lock_token=lock_token, current_token=workset.last_token
    )


def _check_can_start(
    workset: Workset, details: Details, dependencies: Mapping[str, Workset], now: datetime
) -> None:
    if not workset.dependencies_met:
        for dependency in details.depends_on:
            state = dependencies[dependency].state
            if state is not WorksetState.COMPLETE:
                raise DependencyNotMetError(
                    workset_id=workset.workset_id, dependency=dependency, state=state
                )
    if workset.available_at is not None and workset.available_at > now:
        raise NotYetAvailableError(
            workset_id=workset.workset_id,
            available_at=workset.available_at,
            retry_after=workset.available_at - now,
        )
