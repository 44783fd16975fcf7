"""Events and messages between proto and domain."""

import json
from datetime import UTC, datetime
from typing import Any, Protocol

from daylily.workset.v1 import delivery_pb2, event_pb2, workset_pb2
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

from daylily_client import timestamp
from daylily_notifier.domain.episodes import Episode, Part
from daylily_notifier.domain.event import Event


class _Names(Protocol):
    """An enum of the protos."""

    def Name(self, number: Any) -> str: ...


def event_from_proto(event: event_pb2.Event) -> Event:
    """The event as the domain speaks of it. One with values that are new here is translated too."""
    return Event(
        event_id=event.event_id,
        subject_kind=_word(event_pb2.SubjectKind, event.subject.kind, "SUBJECT_KIND_"),
        subject_id=event.subject.id,
        type=_word(event_pb2.EventType, event.type, "EVENT_TYPE_"),
        occurred_at=moment(event.occurred_at),
        workset_id=event.workset_id,
        version=event.version,
        from_state=_word(workset_pb2.WorksetState, event.from_state, "WORKSET_STATE_"),
        to_state=_word(workset_pb2.WorksetState, event.to_state, "WORKSET_STATE_"),
        actor=event.actor,
        owner_id=event.owner_id,
        attempt=event.attempt,
        reason=event.reason,
        priority=_word(workset_pb2.Priority, event.priority, "PRIORITY_"),
        customer_id=event.customer_id,
        cluster_name=event.cluster_name,
        error_details=event.error_details,
        error_category=_word(workset_pb2.ErrorCategory, event.error_category, "ERROR_CATEGORY_"),
        labels=dict(event.labels),
        details=json_format.MessageToDict(event.details),
    )


def moment(stamp: Timestamp) -> datetime:
    """A Timestamp as an aware datetime in UTC."""
    return stamp.ToDatetime(tzinfo=UTC)


def part_from_proto(delivery: delivery_pb2.Delivery) -> Part | None:
    """What the delivery does to its episode; None if it has none."""
    if not delivery.episode_part:
        return None
    return Part(_word(delivery_pb2.EpisodePart, delivery.episode_part, "EPISODE_PART_"))


def part_to_proto(part: Part | None) -> "delivery_pb2.EpisodePart.ValueType":
    """The contract's word for it."""
    name = "UNSPECIFIED" if part is None else part.value
    return delivery_pb2.EpisodePart.Value(f"EPISODE_PART_{name}")


def episode_from_proto(kept: delivery_pb2.Episode) -> Episode:
    """An episode as the notifier wrote it."""
    data = json.loads(kept.data or b"{}")
    return Episode(
        cause=kept.cause,
        open=kept.state == delivery_pb2.EPISODE_STATE_OPEN,
        occurrences=kept.occurrences,
        first_event_id=kept.first_event_id,
        last_event_id=kept.last_event_id,
        opened_at=moment(kept.opened_at),
        closed_at=moment(kept.closed_at) if kept.HasField("closed_at") else None,
        channels=dict(kept.external_refs),
        taken_up=bool(data.get("taken_up")),
        counted=tuple(data.get("counted", ())),
        version=kept.version,
    )


def episode_to_proto(
    episode_id: str, subject: event_pb2.Subject, episode: Episode
) -> delivery_pb2.Episode:
    """An episode as state keeps it."""
    data = {"taken_up": episode.taken_up, "counted": episode.counted}
    return delivery_pb2.Episode(
        episode_id=episode_id,
        subject=subject,
        cause=episode.cause,
        state=(
            delivery_pb2.EPISODE_STATE_OPEN if episode.open else delivery_pb2.EPISODE_STATE_CLOSED
        ),
        occurrences=episode.occurrences,
        first_event_id=episode.first_event_id,
        last_event_id=episode.last_event_id,
        external_refs=episode.channels,
        opened_at=timestamp(episode.opened_at),
        closed_at=timestamp(episode.closed_at) if episode.closed_at else None,
        version=episode.version,
        data=json.dumps(data).encode(),
    )


def _word(enum: _Names, number: int, prefix: str) -> str:
    if not number:
        return ""
    try:
        return enum.Name(number).removeprefix(prefix)
    except ValueError:  # a state service that is newer than this notifier
        return f"UNKNOWN_{number}"
