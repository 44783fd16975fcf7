"""What a decision needs besides the thing and the command, and how it becomes a commit."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from daylily_state.domain import requests
from daylily_state.domain.commit import (
    ClusterChange,
    Commit,
    CustomerChange,
    WorksetWrite,
)
from daylily_state.domain.errors import VersionMismatchError
from daylily_state.domain.events import Event, EventType, fit
from daylily_state.domain.model import (
    Details,
    ErrorCategory,
    Results,
    SubjectKind,
    Workset,
    WorksetState,
)


@dataclass(frozen=True, slots=True)
class Moment:
    """The circumstances of one attempt to decide.

    `head` is the last slot in use of the subject's lane, `event_id` names this attempt, `dice` is a
    random number from 0 up to 1.
    """

    now: datetime
    event_id: str
    head: int
    dice: float

    @property
    def seq(self) -> int:
        """The slot that the event will take."""
        return self.head + 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """Who asked, under which request id, for what content (its digest), and why in words."""

    actor: str = ""
    request_id: str = ""
    digest: bytes = b""
    reason: str = ""


def asked(command: Any) -> Asked:
    """What a command says about its asking; only a request id makes the digest worth keeping."""
    request_id: str = command.request_id
    return Asked(
        actor=command.actor,
        request_id=request_id,
        digest=requests.digest(command) if request_id else b"",
        reason=getattr(command, "reason", ""),
    )


def check_version(expected: int, actual: int) -> None:
    """Refuses a command that was meant for another version; 0 expects any.

    Raises:
        VersionMismatchError: the versions differ.
    """
    if expected not in {0, actual}:
        raise VersionMismatchError(expected=expected, actual=actual)


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """What an event on a workset says beyond the workset itself."""

    type: EventType
    asked: Asked
    error_details: str = ""
    error_category: ErrorCategory | None = None
    details: dict[str, object] | None = None


def commit_workset(
    before: Workset | None,
    after: Workset,
    labels: Mapping[str, str],
    note: Note,
    moment: Moment,
    *,
    details: Details | None = None,
    metadata: str | None = None,
    results: Results | None = None,
    expiry_seen: datetime | None = None,
    cluster_changes: tuple[ClusterChange, ...] = (),
    customer_change: CustomerChange | None = None,
) -> Commit:
    """The commit that makes `after` of `before`, with its event and its next version.

    `labels` are what the event shows; `details`, `metadata` and `results` come only if they changed.
    """
    after = replace(
        requests.remember(after, note.asked.request_id, moment.seq),
        version=(before.version if before else 0) + 1,
        last_seq=moment.seq,
        updated_at=moment.now,
    )
    return Commit(
        event=_event(before, after, labels, note, moment),
        workset=WorksetWrite(before, after, expiry_seen),
        details=details,
        metadata=metadata,
        results=results,
        cluster_changes=cluster_changes,
        customer_change=customer_change,
    )


def _event(
    before: Workset | None, after: Workset, labels: Mapping[str, str], note: Note, moment: Moment
) -> Event:
    lock = after.lock or (before.lock if before else None)
    facts = dict(note.details or {})
    if before and before.priority is not after.priority:
        facts["from_priority"] = before.priority.name
    if before and before.lock and not after.lock:
        facts["held_seconds"] = round((moment.now - before.lock.acquired_at).total_seconds(), 3)
    if after.state is WorksetState.READY:
        # Whoever folds the feed tells by these what can start from what waits.
        if after.available_at:
            facts["available_at"] = after.available_at.isoformat()
        if not after.dependencies_met:
            facts["dependencies_met"] = False
    return fit(
        Event(
            event_id=moment.event_id,
            lane=after.lane,
            seq=moment.seq,
            subject_kind=SubjectKind.WORKSET,
            subject_id=after.workset_id,
            version=after.version,
            type=note.type,
            occurred_at=moment.now,
            from_state=before.state if before else None,
            to_state=after.state,
            actor=note.asked.actor,
            owner_id=lock.owner_id if lock else "",
            lock_token=lock.token if lock else 0,
            attempt=after.attempt,
            reason=note.asked.reason,
            priority=after.priority,
            customer_id=after.customer_id,
            labels=labels,
            cluster_name=after.cluster_name,
            error_details=note.error_details,
            error_category=note.error_category,
            details=facts,
            request_id=note.asked.request_id,
            request_digest=note.asked.digest,
        )
    )
