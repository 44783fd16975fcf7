from datetime import UTC, datetime

from daylily.workset.v1 import event_pb2
from google.protobuf import json_format

from daylily_notifier.api.convert import event_from_proto
from daylily_notifier.domain.event import Event

FULL = {
    "event_id": "e-1",
    "subject": {"kind": "SUBJECT_KIND_WORKSET", "id": "ws-1"},
    "workset_id": "ws-1",
    "version": 5,
    "type": "EVENT_TYPE_RETRY_SCHEDULED",
    "from_state": "WORKSET_STATE_IN_PROGRESS",
    "to_state": "WORKSET_STATE_READY",
    "occurred_at": "2026-03-01T12:00:00.000001Z",
    "actor": "monitor",
    "owner_id": "monitor@head-1",
    "attempt": 2,
    "reason": "exit code 75",
    "priority": "PRIORITY_URGENT",
    "customer_id": "acme",
    "labels": {"team": "wgs"},
    "cluster_name": "c1",
    "error_details": "spot",
    "error_category": "ERROR_CATEGORY_TRANSIENT",
    "details": {"available_at": "2026-03-01T12:05:00Z"},
}


def test_every_part_of_an_event_is_translated():
    assert event_from_proto(json_format.ParseDict(FULL, event_pb2.Event())) == Event(
        event_id="e-1",
        subject_kind="WORKSET",
        subject_id="ws-1",
        workset_id="ws-1",
        version=5,
        type="RETRY_SCHEDULED",
        from_state="IN_PROGRESS",
        to_state="READY",
        occurred_at=datetime(2026, 3, 1, 12, 0, 0, 1, tzinfo=UTC),
        actor="monitor",
        owner_id="monitor@head-1",
        attempt=2,
        reason="exit code 75",
        priority="URGENT",
        customer_id="acme",
        labels={"team": "wgs"},
        cluster_name="c1",
        error_details="spot",
        error_category="TRANSIENT",
        details={"available_at": "2026-03-01T12:05:00Z"},
    )


def test_what_an_event_does_not_have_is_empty():
    event = event_from_proto(event_pb2.Event(event_id="e-2"))
    assert (event.type, event.to_state, event.priority, event.details) == ("", "", "", {})


def test_a_type_that_is_newer_than_this_notifier_is_carried():
    event = event_pb2.Event(event_id="e-3")
    event.MergeFromString(bytes([5 << 3, 99]))  # field 5, type: 99
    assert event_from_proto(event).type == "UNKNOWN_99"
