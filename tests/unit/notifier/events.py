"""Events for the notifier's unit tests."""

from datetime import UTC, datetime

from daylily_notifier.domain.event import Event

NOON = datetime(2026, 3, 1, 12, 0, tzinfo=UTC)


def workset_event(type_: str, from_state: str = "", to_state: str = "", **changes) -> Event:
    fields = {
        "event_id": "e-1",
        "subject_kind": "WORKSET",
        "subject_id": "ws-1",
        "workset_id": "ws-1",
        "type": type_,
        "from_state": from_state,
        "to_state": to_state,
        "occurred_at": NOON,
        "priority": "NORMAL",
    }
    return Event(**{**fields, **changes})


REGISTERED = workset_event("REGISTERED", "", "READY")
COMPLETED = workset_event("COMPLETED", "IN_PROGRESS", "COMPLETE")
FAILED = workset_event("FAILED", "IN_PROGRESS", "ERROR", error_category="DATA")
RETRY = workset_event("RETRY_SCHEDULED", "IN_PROGRESS", "READY", error_category="TRANSIENT")
TIMEOUT = workset_event("LOCK_TIMEOUT", "IN_PROGRESS", "READY")
LAST_TIMEOUT = workset_event("LOCK_TIMEOUT", "IN_PROGRESS", "ERROR")
UPDATED = workset_event("UPDATED", "ERROR", "ERROR")
REPORTED = Event("e-2", "CLUSTER", "c1", "CLUSTER_REPORTED", NOON, cluster_name="c1")
SILENT = Event("e-3", "CLUSTER", "c1", "CLUSTER_SILENT", NOON, cluster_name="c1")
