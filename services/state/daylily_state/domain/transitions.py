"""The one table of the state machine.

Every decision asks `check` before it moves a workset; docs/state-machine.md is rendered from here
(`python -m daylily_state.state_machine_doc`) and tested against it.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from daylily_state.domain.errors import IllegalTransitionError
from daylily_state.domain.events import EventType
from daylily_state.domain.model import Workset, WorksetState

READY: Final = WorksetState.READY
LOCKED: Final = WorksetState.LOCKED
IN_PROGRESS: Final = WorksetState.IN_PROGRESS
COMPLETE: Final = WorksetState.COMPLETE
ERROR: Final = WorksetState.ERROR
IGNORED: Final = WorksetState.IGNORED


class Cause(StrEnum):
    """What moves a workset, in words for the table and the diagram."""

    REGISTER = "RegisterWorkset"
    ACQUIRE = "AcquireLock"
    FORCE = "AcquireLock with force"
    START = "UpdateState (start)"
    REPORT = "UpdateState (figures, cluster)"
    COMPLETE = "UpdateState (done)"
    FAIL = "UpdateState (failure), nothing left to try"
    RETRY = "UpdateState (failure), tried again"
    RELEASE = "ReleaseLock or UpdateState (give back)"
    ACKNOWLEDGE = "ReleaseLock (after a cancel)"
    TIMEOUT = "lock timeout"
    EXHAUSTED = "lock timeout, nothing left to try"
    CANCEL = "UpdateState (cancel)"
    RESTORE = "UpdateState (restore)"


@dataclass(frozen=True, slots=True)
class Transition:
    """One row: who may move a workset from where to where, what it needs, what event it makes."""

    from_state: WorksetState | None
    to_state: WorksetState
    cause: Cause
    event: EventType
    needs: str


def _rows(
    sources: tuple[WorksetState | None, ...],
    to: WorksetState,
    cause: Cause,
    event: EventType,
    needs: str,
) -> tuple[Transition, ...]:
    return tuple(Transition(source, to, cause, event, needs) for source in sources)


_TOKEN: Final = "the token"  # noqa: S105 — what a row needs, in words
_OPERATOR: Final = "an operator"
_EXPIRY: Final = "expiry, and a replica fit for a lease"

TABLE: Final[tuple[Transition, ...]] = (
    *_rows((None,), READY, Cause.REGISTER, EventType.REGISTERED, "dependencies exist"),
    *_rows(
        (READY,),
        LOCKED,
        Cause.ACQUIRE,
        EventType.LOCK_ACQUIRED,
        "`available_at` passed, every dependency COMPLETE, room on cluster and budget",
    ),
    *_rows(
        (LOCKED, IN_PROGRESS),
        LOCKED,
        Cause.FORCE,
        EventType.LOCK_ACQUIRED,
        "an operator; fences the old holder off",
    ),
    *_rows((LOCKED,), IN_PROGRESS, Cause.START, EventType.STARTED, "the token; attempt + 1"),
    *_rows((IN_PROGRESS,), IN_PROGRESS, Cause.REPORT, EventType.UPDATED, _TOKEN),
    *_rows((IN_PROGRESS,), COMPLETE, Cause.COMPLETE, EventType.COMPLETED, _TOKEN),
    *_rows((LOCKED, IN_PROGRESS), ERROR, Cause.FAIL, EventType.FAILED, _TOKEN),
    *_rows(
        (LOCKED, IN_PROGRESS),
        READY,
        Cause.RETRY,
        EventType.RETRY_SCHEDULED,
        "the token, a category that can be retried, tries left",
    ),
    *_rows((LOCKED, IN_PROGRESS), READY, Cause.RELEASE, EventType.LOCK_RELEASED, _TOKEN),
    *_rows((IGNORED,), IGNORED, Cause.ACKNOWLEDGE, EventType.LOCK_RELEASED, _TOKEN),
    *_rows((LOCKED, IN_PROGRESS), READY, Cause.TIMEOUT, EventType.LOCK_TIMEOUT, _EXPIRY),
    *_rows((LOCKED, IN_PROGRESS), ERROR, Cause.EXHAUSTED, EventType.LOCK_TIMEOUT, _EXPIRY),
    *_rows((IGNORED,), IGNORED, Cause.TIMEOUT, EventType.LOCK_TIMEOUT, _EXPIRY),
    *_rows(
        (READY, LOCKED, IN_PROGRESS, ERROR), IGNORED, Cause.CANCEL, EventType.IGNORED, _OPERATOR
    ),
    *_rows((ERROR,), READY, Cause.RESTORE, EventType.RESTORED, "an operator; attempts reset"),
    *_rows(
        (IGNORED,), READY, Cause.RESTORE, EventType.RESTORED, "an operator, and no live lock left"
    ),
)

# Events that say something about a workset and leave its state as it is.
NOTES: Final = frozenset(
    {
        EventType.UPDATED,
        EventType.DEPENDENCY_MET,
        EventType.DEPENDENCY_FAILED,
        EventType.DEADLINE_AT_RISK,
        EventType.EXTERNAL,
    }
)

_BY_MOVE: Final = {(row.from_state, row.to_state, row.cause): row for row in TABLE}


def check(workset: Workset, to: WorksetState, cause: Cause) -> Transition:
    """The row that allows this move.

    Raises:
        IllegalTransitionError: the table has none.
    """
    row = _BY_MOVE.get((workset.state, to, cause))
    if row is None:
        raise illegal(workset, to)
    return row


def allows(from_state: WorksetState, to: WorksetState, cause: Cause) -> bool:
    """Whether the table has this move."""
    return (from_state, to, cause) in _BY_MOVE


def illegal(workset: Workset, to: WorksetState) -> IllegalTransitionError:
    """The refusal of a move that the table does not have."""
    return IllegalTransitionError(workset.workset_id, workset.state, to)
