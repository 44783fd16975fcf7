"""What the scheduler knows of worksets, clusters and customers."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, IntEnum

from daylily_scheduler.domain.resources import NOTHING, ONE_SLOT, Resources

SILENT_AFTER_INTERVALS = 3


class Priority(IntEnum):
    """Smaller goes first."""

    URGENT = 0
    NORMAL = 1
    LOW = 2


class WorksetState(Enum):
    READY = "READY"
    LOCKED = "LOCKED"
    IN_PROGRESS = "IN_PROGRESS"
    COMPLETE = "COMPLETE"
    ERROR = "ERROR"
    IGNORED = "IGNORED"


@dataclass(frozen=True, slots=True)
class Needs:
    """What a cluster must have. Worksets with equal needs fit the same clusters, so the queue keeps
    them together and one look decides for all of them.
    """

    amount: Resources = ONE_SLOT
    zone: str = ""
    instance_types: frozenset[str] = frozenset()
    cluster: str = ""


@dataclass(frozen=True, slots=True)
class Estimate:
    """What a run is expected to take. Zero means not stated. `data_gb` GiB of input lie in the region
    `data_region`.
    """

    vcpu_hours: float = 0.0
    hours: float = 0.0
    cost_usd: float = 0.0
    max_cost_usd: float = 0.0
    data_gb: float = 0.0
    data_region: str = ""


@dataclass(frozen=True, slots=True)
class Workset:
    """A workset as far as scheduling goes. All times are aware and in UTC."""

    workset_id: str
    created_at: datetime
    state: WorksetState = WorksetState.READY
    priority: Priority = Priority.NORMAL
    customer_id: str = ""
    needs: Needs = field(default_factory=Needs)
    estimate: Estimate = field(default_factory=Estimate)
    available_at: datetime | None = None
    dependencies_met: bool = True
    deadline: datetime | None = None
    cluster_name: str = ""
    # A lock is on it: true while LOCKED or IN_PROGRESS, and after a cancel until the holder
    # acknowledges. As long as it lasts, so does the reservation.
    locked: bool = False
    # Since when, as far as it is known.
    locked_at: datetime | None = None
    pipeline: str = ""
    sample_count: int = 0
    version: int = 1

    def can_start(self, now: datetime) -> bool:
        return (
            self.state is WorksetState.READY
            and self.dependencies_met
            and (self.available_at is None or self.available_at <= now)
        )


@dataclass(frozen=True, slots=True)
class Cluster:
    """A cluster as state keeps it. What our worksets use of it is counted by the fleet."""

    cluster_name: str
    capacity: Resources
    heard_at: datetime
    draining: bool = False
    region: str = ""
    zone: str = ""
    instance_types: frozenset[str] = frozenset()
    broken: Resources = NOTHING
    foreign: Resources = NOTHING
    price_per_vcpu_hour_usd: float = 0.0
    fixed_cost_per_hour_usd: float = 0.0
    report_interval: timedelta = timedelta(seconds=60)
    version: int = 1

    @property
    def silent_at(self) -> datetime:
        """From then on it counts as silent, unless it is heard from."""
        return self.heard_at + SILENT_AFTER_INTERVALS * self.report_interval

    @property
    def usable(self) -> Resources:
        """What is neither broken nor used by others."""
        return self.capacity - self.broken - self.foreign


@dataclass(frozen=True, slots=True)
class Customer:
    """Limits of a customer. Zero means no limit. Dollars as of the last read of state."""

    customer_id: str
    max_concurrent: int = 0
    weight: float = 1.0
    budget_usd: float = 0.0
    reserved_usd: float = 0.0
    spent_usd: float = 0.0

    @property
    def left_usd(self) -> float:
        return self.budget_usd - self.reserved_usd - self.spent_usd
