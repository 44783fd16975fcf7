"""Events: what happened, written together with what it changed."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import IntEnum
from typing import Final

from daylily_state.domain import limits
from daylily_state.domain.model import ErrorCategory, Priority, SubjectKind, WorksetState

ACTOR_STATE: Final = "state"  # who acts when state acts by itself

# The words of an event together: with numbers, times and attribute names a stored event stays under
# 1,000 bytes, so that it costs one write unit (two in a transaction) and so does its index entry.
EVENT_TEXT_BYTES: Final = 800


class EventType(IntEnum):
    """What happened. Workset events come from the state machine; the rest from their commands."""

    REGISTERED = 1
    LOCK_ACQUIRED = 2
    LOCK_RELEASED = 3
    LOCK_TIMEOUT = 4
    STARTED = 5
    COMPLETED = 6
    FAILED = 7
    RETRY_SCHEDULED = 8
    IGNORED = 9
    RESTORED = 10
    UPDATED = 11
    DEPENDENCY_MET = 12
    DEPENDENCY_FAILED = 13
    DEADLINE_AT_RISK = 14
    CLUSTER_REGISTERED = 20
    CLUSTER_DRAINING = 21
    CLUSTER_REMOVED = 22
    CLUSTER_SILENT = 23
    CLUSTER_RECOVERED = 24
    CLUSTER_REPORTED = 25
    CUSTOMER_UPDATED = 30
    BUDGET_WARNING = 31
    BUDGET_EXHAUSTED = 32
    QUEUE_BACKLOG = 40
    EXTERNAL = 50


# What PublishEvent takes: the types that no command makes.
PUBLISHABLE: Final = frozenset(
    {
        EventType.DEADLINE_AT_RISK,
        EventType.CLUSTER_SILENT,
        EventType.CLUSTER_RECOVERED,
        EventType.BUDGET_WARNING,
        EventType.BUDGET_EXHAUSTED,
        EventType.QUEUE_BACKLOG,
        EventType.EXTERNAL,
    }
)


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened, at its place in the feed: slot `seq` (1, 2, …) of lane `lane`.

    `version` is the subject's version after it, 0 for a subject without a record. States are None
    for events that are not a workset's. `details` holds JSON values.
    """

    event_id: str
    lane: int
    seq: int
    subject_kind: SubjectKind
    subject_id: str
    version: int
    type: EventType
    occurred_at: datetime
    from_state: WorksetState | None = None
    to_state: WorksetState | None = None
    actor: str = ""
    owner_id: str = ""
    lock_token: int = 0
    attempt: int = 0
    reason: str = ""
    priority: Priority | None = None
    customer_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    cluster_name: str = ""
    error_details: str = ""
    error_category: ErrorCategory | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    request_id: str = ""
    request_digest: bytes = b""  # 8 bytes of the hash of the request's content

    @property
    def workset_id(self) -> str:
        """The subject, if it is a workset; else empty."""
        return self.subject_id if self.subject_kind is SubjectKind.WORKSET else ""


def to_json(value: object) -> str:
    """Compact JSON with sorted keys: the form in which sizes are counted and contents compared."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def size(text: str) -> int:
    """Bytes of the text in UTF-8."""
    return len(text.encode())


def cut(text: str, limit: int) -> str:
    """The text's beginning that fits `limit` bytes of UTF-8, whole characters only."""
    return text.encode()[: max(limit, 0)].decode(errors="ignore")


def fit(event: Event) -> Event:
    """The event with what is for people cut so that its words fit EVENT_TEXT_BYTES.

    Identities and details stay whole (their limits see to it that they fit); then comes what went
    wrong, then the reason, then as many labels as fit, in the order of their keys.
    """
    fixed = (
        event.subject_id,
        event.actor,
        event.owner_id,
        event.customer_id,
        event.cluster_name,
        event.request_id,
    )
    room = EVENT_TEXT_BYTES - sum(map(size, fixed))
    room -= size(to_json(event.details)) if event.details else 0
    error_details = cut(event.error_details, min(limits.SUMMARY_BYTES, room))
    room -= size(error_details)
    reason = cut(event.reason, min(limits.REASON_BYTES, room))
    room -= size(reason)
    labels: dict[str, str] = {}
    for key in sorted(event.labels):
        with_it = {**labels, key: event.labels[key]}
        if size(to_json(with_it)) > room:
            break
        labels = with_it
    return replace(event, error_details=error_details, reason=reason, labels=labels)
