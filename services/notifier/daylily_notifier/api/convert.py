"""Events and messages between proto and domain."""

from datetime import UTC, datetime
from typing import Any, Protocol

from daylily.workset.v1 import event_pb2, workset_pb2
from google.protobuf import json_format
from google.protobuf.timestamp_pb2 import Timestamp

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


def moment(timestamp: Timestamp) -> datetime:
    """A Timestamp as an aware datetime in UTC."""
    return timestamp.ToDatetime(tzinfo=UTC)


def _word(enum: _Names, number: int, prefix: str) -> str:
    if not number:
        return ""
    try:
        return enum.Name(number).removeprefix(prefix)
    except ValueError:  # a state service that is newer than this notifier
        return f"UNKNOWN_{number}"
