"""An event of the feed, as far as people are told of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True)
class Event:
    """One thing that happened.

    Words (type, states, priority, category) are the proto's without prefix, and empty where the
    event has none. A type of a newer state service is carried as it came: nothing here refuses
    an event that it does not know.
    """

    event_id: str
    subject_kind: str
    subject_id: str
    type: str
    occurred_at: datetime
    workset_id: str = ""
    version: int = 0
    from_state: str = ""
    to_state: str = ""
    actor: str = ""
    owner_id: str = ""
    attempt: int = 0
    reason: str = ""
    priority: str = ""
    customer_id: str = ""
    cluster_name: str = ""
    error_details: str = ""
    error_category: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    details: Mapping[str, object] = field(default_factory=dict)

    @property
    def changes_state(self) -> bool:
        return self.from_state != self.to_state
