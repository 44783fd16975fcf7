"""What a list of worksets or deliveries asks for. A store may use an index; these are the meaning."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from daylily_state.domain.model import Priority, Workset, WorksetState
from daylily_state.domain.records import Delivery, DeliveryState


@dataclass(frozen=True, slots=True)
class WorksetFilter:
    """Worksets that match everything given; empty or None means any."""

    states: frozenset[WorksetState] = frozenset()
    priorities: frozenset[Priority] = frozenset()
    customer_id: str = ""
    cluster_name: str = ""
    owner_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    created_after: datetime | None = None  # at or after
    created_before: datetime | None = None  # before
    updated_before: datetime | None = None  # before

    def matches(self, workset: Workset) -> bool:
        """Whether the workset matches, its labels apart."""
        holder = workset.lock.owner_id if workset.lock else ""
        return (
            (not self.states or workset.state in self.states)
            and (not self.priorities or workset.priority in self.priorities)
            and self.customer_id in {"", workset.customer_id}
            and self.cluster_name in {"", workset.cluster_name}
            and self.owner_id in {"", holder}
            and (self.created_after is None or workset.created_at >= self.created_after)
            and (self.created_before is None or workset.created_at < self.created_before)
            and (self.updated_before is None or workset.updated_at < self.updated_before)
        )

    def matches_labels(self, labels: Mapping[str, str]) -> bool:
        """Whether these labels hold all that are asked for."""
        return all(labels.get(key) == value for key, value in self.labels.items())


@dataclass(frozen=True, slots=True)
class DeliveryFilter:
    """Deliveries that match everything given; empty means any."""

    channel: str = ""
    states: frozenset[DeliveryState] = frozenset()
    workset_id: str = ""

    def matches(self, delivery: Delivery) -> bool:
        """Whether the delivery matches."""
        return (
            self.channel in {"", delivery.channel}
            and (not self.states or delivery.state in self.states)
            and self.workset_id in {"", delivery.event.workset_id}
        )
