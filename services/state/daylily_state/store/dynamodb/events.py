"""Events: from the domain to their items and back."""

from daylily_state.domain.events import Event
from daylily_state.domain.model import SubjectKind
from daylily_state.store.dynamodb.items import Item, item_of, make_row, values_from
from daylily_state.store.dynamodb.tables import EventRow


def event_item(event: Event) -> dict[str, dict[str, object]]:
    """The item of an event."""
    return item_of(
        make_row(
            EventRow,
            lane=event.lane,
            seq=event.seq,
            event_id=event.event_id,
            subject_kind=event.subject_kind,
            workset_id=event.workset_id or None,
            other_subject_id=None if event.workset_id else event.subject_id or None,
            version=event.version,
            type=event.type,
            occurred_at=event.occurred_at,
            from_state=event.from_state,
            to_state=event.to_state,
            actor=event.actor,
            owner_id=event.owner_id,
            lock_token=event.lock_token,
            attempt=event.attempt,
            reason=event.reason,
            priority=event.priority,
            customer_id=event.customer_id,
            labels=event.labels,
            cluster_name=event.cluster_name,
            error_details=event.error_details,
            error_category=event.error_category,
            details=event.details,
            request_id=event.request_id,
            request_digest=event.request_digest,
        )
    )


def event_from(item: Item) -> Event:
    """The event in an item."""
    values = values_from(EventRow, item)
    workset_id, other = values.pop("workset_id"), values.pop("other_subject_id")
    of_workset = values["subject_kind"] is SubjectKind.WORKSET
    return Event(subject_id=workset_id if of_workset else other or "", **values)
