"""What may be asked of state. A command is checked by `validation.check` before it is decided.

`actor` is who asks, `request_id` the caller's name for this intent (empty: none); every other field
is the request's content. JSON objects travel as text, compact and with sorted keys (`to_json`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from daylily_state.domain import limits
from daylily_state.domain.events import EventType
from daylily_state.domain.model import (
    Amount,
    ClusterState,
    ErrorCategory,
    Preferences,
    Priority,
    Requirements,
    SubjectKind,
    WorksetState,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Register:
    """Register a workset as READY."""

    workset_id: str
    bucket: str
    prefix: str
    priority: Priority = Priority.NORMAL
    customer_id: str = ""
    pipeline: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    metadata: str = "{}"
    requirements: Requirements = field(default_factory=Requirements)
    preferences: Preferences = field(default_factory=Preferences)
    depends_on: tuple[str, ...] = ()
    deadline: datetime | None = None
    max_attempts: int = limits.ATTEMPTS_DEFAULT
    rerun_of: str = ""
    request_id: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Update:
    """Change the named `fields`: priority, metadata, requirements, deadline, labels."""

    workset_id: str
    fields: frozenset[str]
    priority: Priority = Priority.NORMAL
    metadata: str = "{}"
    requirements: Requirements = field(default_factory=Requirements)
    preferences: Preferences = field(default_factory=Preferences)  # part of requirements outside
    deadline: datetime | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    expected_version: int = 0
    reason: str = ""
    request_id: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Acquire:
    """Take the lock of a READY workset; with `force`, of a held one.

    `picked`: a scheduler chose the workset on somebody's behalf, so it is no content of the request.
    """

    workset_id: str
    owner_id: str
    lease: timedelta = limits.LEASE_DEFAULT
    cluster_name: str = ""
    force: bool = False
    picked: bool = False
    reason: str = ""
    request_id: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Renew:
    """Make the lock last for a lease from now on; `lease` None means as long as before."""

    workset_id: str
    lock_token: int
    lease: timedelta | None = None
    progress: "ReportedProgress | None" = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportedProgress:
    """What a holder says of its progress; an empty step or message keeps what was there."""

    step: str = ""
    percent: int = 0
    message: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportProgress:
    """Say how far a run is; a `log_tail` that is not empty replaces the one kept."""

    workset_id: str
    lock_token: int
    progress: ReportedProgress
    log_tail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """Give the workset back, or acknowledge a cancel."""

    workset_id: str
    lock_token: int
    reason: str = ""
    request_id: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetState:
    """Move a workset, as its holder (`lock_token` given) or as an operator (0)."""

    workset_id: str
    state: WorksetState
    lock_token: int = 0
    reason: str = ""
    error_details: str = ""
    error_category: ErrorCategory = ErrorCategory.PERMANENT
    metrics: str = "{}"
    cluster_name: str = ""
    expected_version: int = 0
    request_id: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Publish:
    """Put an event on the feed that no command makes."""

    subject_kind: SubjectKind
    subject_id: str
    type: EventType
    reason: str = ""
    priority: Priority | None = None
    customer_id: str = ""
    cluster_name: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    error_details: str = ""
    details: str = "{}"
    request_id: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutCluster:
    """Register a cluster or change what it is."""

    cluster_name: str
    capacity: Amount
    state: ClusterState = ClusterState.ACTIVE
    region: str = ""
    availability_zone: str = ""
    instance_types: tuple[str, ...] = ()
    price_per_vcpu_hour: float = 0.0
    fixed_cost_per_hour: float = 0.0
    report_interval: timedelta = limits.REPORT_INTERVAL_DEFAULT
    expected_version: int = 0
    request_id: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportCluster:
    """Record what others use and what is broken."""

    cluster_name: str
    foreign: Amount
    broken: Amount
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCluster:
    """Forget a cluster that runs nothing."""

    cluster_name: str
    request_id: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PutCustomer:
    """Set a customer's limits, weight and budget."""

    customer_id: str
    max_concurrent: int = 0
    weight: float = 1.0
    budget_cents: int = 0
    reset_spent: bool = False
    expected_version: int = 0
    request_id: str = ""
    actor: str = ""
