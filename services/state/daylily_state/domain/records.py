"""Records that state keeps for the other services: consumers, snapshots, deliveries, episodes."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum

from daylily_state.domain.events import Event
from daylily_state.domain.model import SubjectKind

# Sixteen numbers: the last slot seen of each lane. See cursor.py for its form outside.
Position = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Consumer:
    """A named reader of the feed: who acts as it, until when, and how far it has come.

    `token` grows with every acquisition; `version` with every write of the row. An `owner_id` that is
    empty means that nobody acts as it.
    """

    name: str
    owner_id: str
    token: int
    expires_at: datetime
    position: Position
    version: int


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A service's checkpoint: bytes that go with a position of the feed (`cursor` as it was given)."""

    name: str
    cursor: str
    data: bytes
    written_at: datetime


class EpisodePart(IntEnum):
    """What a delivery does to an episode; NONE: it stands alone."""

    NONE = 0
    OPENING = 1
    REPEAT = 2
    AGAIN = 3
    ACKNOWLEDGEMENT = 4
    RECOVERY = 5


class DeliveryState(IntEnum):
    """How far a delivery is."""

    PENDING = 1
    CLAIMED = 2
    DELIVERED = 3
    DEAD = 4
    FOLDED = 5


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event on its way to one channel."""

    delivery_id: str
    channel: str
    event: Event
    event_cursor: str
    state: DeliveryState
    attempts: int
    next_attempt_at: datetime | None
    answer: str
    latency: timedelta | None
    dedup_key: str
    external_ref: str
    episode_id: str
    claim_token: int
    claimed_by: str
    claim_expires_at: datetime | None
    created_at: datetime
    updated_at: datetime
    version: int
    episode_part: EpisodePart = EpisodePart.NONE
    opening_event_id: str = ""
    digest_id: str = ""

    @property
    def due_at(self) -> datetime | None:
        """When it may be claimed: the key of the due index; None when it is finished."""
        if self.state is DeliveryState.PENDING:
            return self.next_attempt_at or self.created_at
        if self.state is DeliveryState.CLAIMED:
            return self.claim_expires_at
        return None


class EpisodeState(IntEnum):
    """Whether the trouble goes on."""

    OPEN = 1
    CLOSED = 2


@dataclass(frozen=True, slots=True)
class Episode:
    """One trouble from its first event to the recovery."""

    episode_id: str
    subject_kind: SubjectKind
    subject_id: str
    cause: str
    state: EpisodeState
    occurrences: int
    first_event_id: str
    last_event_id: str
    external_refs: Mapping[str, str] = field(default_factory=dict)
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    version: int = 0
    data: bytes = b""
