"""The records that state owns.

Times are aware UTC datetimes with microseconds. Money is whole cents, memory and storage whole MiB,
so that counters on shared rows add and subtract exactly. Enum values are the numbers of the protos.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum
from hashlib import sha256
from typing import Final

LANES: Final = 16


class WorksetState(IntEnum):
    """Where a workset stands; `transitions` says which state follows which."""

    READY = 1
    LOCKED = 2
    IN_PROGRESS = 3
    COMPLETE = 4
    ERROR = 5
    IGNORED = 6


class Priority(IntEnum):
    """Which workset goes first: the lower number."""

    URGENT = 1
    NORMAL = 2
    LOW = 3


class ErrorCategory(IntEnum):
    """Why a run failed; the category alone decides whether it is tried again."""

    TRANSIENT = 1
    RESOURCE = 2
    INFRASTRUCTURE = 3
    CONFIGURATION = 4
    DATA = 5
    PERMANENT = 6


class SubjectKind(IntEnum):
    """What an event is about."""

    WORKSET = 1
    CLUSTER = 2
    CUSTOMER = 3
    SYSTEM = 4


class ClusterState(IntEnum):
    """Whether a cluster takes new work."""

    ACTIVE = 1
    DRAINING = 2


def lane_of(kind: SubjectKind, subject_id: str) -> int:
    """The lane (0 to 15) that carries every event of this subject, for ever."""
    digest = sha256(f"{kind.name}:{subject_id}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % LANES


@dataclass(frozen=True, slots=True)
class Amount:
    """An amount of each thing that a cluster has."""

    vcpus: int = 0
    memory_mb: int = 0
    storage_mb: int = 0
    slots: int = 0

    def __add__(self, other: "Amount") -> "Amount":
        return Amount(
            self.vcpus + other.vcpus,
            self.memory_mb + other.memory_mb,
            self.storage_mb + other.storage_mb,
            self.slots + other.slots,
        )

    def __neg__(self) -> "Amount":
        return Amount(-self.vcpus, -self.memory_mb, -self.storage_mb, -self.slots)

    def __sub__(self, other: "Amount") -> "Amount":
        return self + -other


@dataclass(frozen=True, slots=True)
class Requirements:
    """What a run needs and may cost; zero means not stated.

    `has_wishes` says that the workset's Preferences are not empty, so that lists know where to look.
    """

    vcpus: int = 0
    memory_mb: int = 0
    storage_mb: int = 0
    vcpu_hours: float = 0.0
    estimated_cost_cents: int = 0
    estimated_duration: timedelta = timedelta(0)
    max_cost_cents: int = 0
    has_wishes: bool = False
    sample_count: int = 0


@dataclass(frozen=True, slots=True)
class Preferences:
    """Wishes about where to run, and what makes one place dearer than another; empty means none."""

    instance_types: tuple[str, ...] = ()
    availability_zone: str = ""
    cluster_name: str = ""
    input_gb: float = 0.0
    input_region: str = ""


@dataclass(frozen=True, slots=True)
class Lock:
    """The right to work on a workset, for a time; `token` fences older holders off."""

    owner_id: str
    token: int
    acquired_at: datetime
    lease: timedelta
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Reservation:
    """What the present lock holds; whatever ends the lock gives exactly this back.

    `amount` is held on the workset's `cluster_name` (None: on no cluster). `on_customer` says that the
    row of the workset's `customer_id` counts this lock and `cost_cents`.
    """

    amount: Amount | None
    on_customer: bool
    cost_cents: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a run has come, as its holder last said."""

    step: str
    percent: int
    message: str
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class Failure:
    """What went wrong last: the category and the first 256 bytes of the details."""

    category: ErrorCategory
    summary: str


@dataclass(frozen=True, slots=True)
class RequestMark:
    """Remembers that a request id was served: where its event lies in the workset's lane."""

    digest: bytes  # 8 bytes of the request id's hash, see requests.mark
    seq: int


@dataclass(frozen=True, slots=True)
class Workset:
    """The hot row: what transitions, locks, queue and lists need. Under 1,000 bytes when stored.

    To keep it so, `lock` and `failure` are never set together: taking the lock clears the failure,
    whatever ends it clears `progress`. A lock exists in LOCKED and IN_PROGRESS, and in IGNORED until
    the holder of a cancelled run acknowledges.
    """

    workset_id: str
    lane: int
    state: WorksetState
    priority: Priority
    customer_id: str
    pipeline: str
    cluster_name: str
    lock: Lock | None
    last_token: int
    attempt: int  # runs started
    max_attempts: int
    failures: int  # failures that count against max_attempts
    infra_failures: int  # of the infrastructure, and lock timeouts
    available_at: datetime | None
    deadline: datetime | None
    dependencies_met: bool
    progress: Progress | None
    failure: Failure | None
    requirements: Requirements
    reservation: Reservation | None
    created_at: datetime
    updated_at: datetime
    version: int
    last_seq: int  # of its latest event in its lane
    recent_requests: tuple[RequestMark, ...]  # newest last, at most requests.RECENT

    @property
    def waits(self) -> bool:
        """READY but indexed apart (WAITING): by the time it can start, or until dependencies are met.

        A row whose `available_at` has passed still waits until it is promoted; queue reads look at
        both, so this is about the index alone.
        """
        if self.state is not WorksetState.READY:
            return False
        return self.available_at is not None or not self.dependencies_met

    def can_start(self, now: datetime) -> bool:
        """READY, its time has come, and every dependency is COMPLETE."""
        if self.state is not WorksetState.READY or not self.dependencies_met:
            return False
        return self.available_at is None or self.available_at <= now


@dataclass(frozen=True, slots=True)
class Details:
    """What few transitions change. Written with the workset when it changes; conditioned by it."""

    bucket: str
    prefix: str
    labels: Mapping[str, str] = field(default_factory=dict)
    depends_on: tuple[str, ...] = ()
    preferences: Preferences = field(default_factory=Preferences)
    rerun_of: str = ""


@dataclass(frozen=True, slots=True)
class Results:
    """What runs left behind. `metrics` is a JSON object as text, `error_details` whole."""

    metrics: str = "{}"
    error_details: str = ""


@dataclass(frozen=True, slots=True)
class Cluster:
    """A compute cluster. `reserved` is kept by the commits of locks and no part of a put.

    `version` grows with every put, report and removal, not with reservations: it guards what a
    reservation was decided on. A removed cluster stays as a row, so that its version goes on.
    """

    cluster_name: str
    state: ClusterState
    removed: bool
    region: str
    availability_zone: str
    instance_types: tuple[str, ...]
    capacity: Amount
    broken: Amount
    foreign: Amount
    reserved: Amount
    price_per_vcpu_hour: float  # US dollars
    fixed_cost_per_hour: float  # US dollars
    report_interval: timedelta
    last_reported_at: datetime | None
    version: int
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class Customer:
    """What a customer may use and has used.

    `running`, `committed_cents` and `spent_cents` are kept by the commits of locks and no part of a
    put. `committed_cents` is reserved + spent in one number, because a store's condition compares one
    attribute. `version` grows with every put, not with use.
    """

    customer_id: str
    max_concurrent: int  # 0: no limit
    weight: float
    budget_cents: int  # 0: no limit
    running: int
    committed_cents: int
    spent_cents: int
    version: int
    created_at: datetime
    updated_at: datetime

    @property
    def reserved_cents(self) -> int:
        """Estimated cost of what runs now."""
        return self.committed_cents - self.spent_cents
