"""A commit: what one decision writes, all of it or nothing.

A commit takes exactly one slot of the feed for its event and carries every condition it was decided
under. Both stores apply it; nothing else writes worksets, clusters, customers or events.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from daylily_state.domain.events import Event
from daylily_state.domain.model import (
    Amount,
    Cluster,
    Customer,
    Details,
    Results,
    Workset,
)


@dataclass(frozen=True, slots=True)
class WorksetWrite:
    """Writes the fields in which `after` differs from `before`, and no others.

    Only the differences, because a renewal changes `lock` and `progress` without a version: a commit
    that does not decide on them must not write them back as it saw them. Where `lock` differs,
    `progress` is written too, even if it seems the same: a renewal may have set it since.

    Condition: the row has `before.version`; it does not exist if `before` is None. With
    `expiry_seen`, its lock must also expire at exactly that time: nobody renewed in between.
    """

    before: Workset | None
    after: Workset
    expiry_seen: datetime | None = None


@dataclass(frozen=True, slots=True)
class ClusterWrite:
    """Writes every field of the cluster but `reserved`, which belongs to the commits of locks.

    Condition: the row has `before.version`; it does not exist if `before` is None. With `when_idle`,
    nothing may be reserved.
    """

    before: Cluster | None
    after: Cluster
    when_idle: bool = False


@dataclass(frozen=True, slots=True)
class CustomerWrite:
    """Writes limits, weight and version of the customer; its use is left alone.

    Condition: the row has `before.version`; it does not exist if `before` is None. With
    `forget_spent_cents`, `spent_cents` must be that, and it and `committed_cents` sink by it.
    """

    before: Customer | None
    after: Customer
    forget_spent_cents: int | None = None


@dataclass(frozen=True, slots=True)
class ClusterGuard:
    """What a reservation on a cluster was decided on.

    Condition: the row has `version`, and its `reserved` before the change is at most `room` in each
    thing (room = capacity - broken - foreign - what is taken, or 2^53 where nothing is taken).
    """

    version: int
    room: Amount


@dataclass(frozen=True, slots=True)
class ClusterChange:
    """Adds `delta` to a cluster's `reserved`; the version stays. A release needs no guard."""

    cluster_name: str
    delta: Amount
    guard: ClusterGuard | None


@dataclass(frozen=True, slots=True)
class CustomerGuard:
    """What counting a lock on a customer was decided on.

    Condition: the row has `version`, and before the change `running` is at most `running_room` and
    `committed_cents` at most `cents_room`; None means no limit.
    """

    version: int
    running_room: int | None
    cents_room: int | None


@dataclass(frozen=True, slots=True)
class CustomerChange:
    """Adds to a customer's use; the version stays. A release needs no guard."""

    customer_id: str
    running: int
    committed_cents: int
    spent_cents: int
    guard: CustomerGuard | None


@dataclass(frozen=True, slots=True)
class RequestRow:
    """A request id that must be found without knowing its subject, kept until `expires_at` (24 h).

    Condition: no row has this id, unless that row is past its `expires_at`. `lane` and `seq` are the
    slot of the event that it made.
    """

    request_id: str
    subject_id: str
    lane: int
    seq: int
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Commit:
    """One decision, ready to be written.

    Condition of the event: slot (`event.lane`, `event.seq`) is free, where `event.seq` is the head
    that was read + 1, so no lane ever has a gap. None means that a part is not written. `details`,
    `metadata` and `results` belong to the workset and are written whole, under its condition.
    """

    event: Event
    workset: WorksetWrite | None = None
    details: Details | None = None
    metadata: str | None = None  # a JSON object as text
    results: Results | None = None
    cluster: ClusterWrite | None = None
    customer: CustomerWrite | None = None
    cluster_changes: tuple[ClusterChange, ...] = ()  # one per cluster
    customer_change: CustomerChange | None = None
    request: RequestRow | None = None


class Clash(StrEnum):
    """Which condition of a commit did not hold. Whatever it was: load and decide again."""

    SLOT = "slot"
    WORKSET = "workset"
    CLUSTER = "cluster"
    CUSTOMER = "customer"
    REQUEST = "request"
    BUSY = "busy"  # the store itself refused two transactions on one row


@dataclass(frozen=True, slots=True)
class Committed:
    """The commit is in the store (perhaps since an attempt whose answer was lost)."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """Nothing was written; `clashes` is never empty."""

    clashes: frozenset[Clash]


CommitOutcome = Committed | Conflict
