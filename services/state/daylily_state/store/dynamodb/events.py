"""Events: from the domain to their items and back."""

from daylily_state.domain.events import Event
from daylily_state.domain.model import SubjectKind
from daylily_state.store.dynamodb.items import Item, item_of, make_row, row_from
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
    row = row_from(EventRow, item)
    return Event(
        event_id=row.event_id,
        lane=row.lane,
        seq=row.seq,
        subject_kind=row.subject_kind,
        subject_id=(
            row.workset_id
            if row.subject_kind is SubjectKind.WORKSET
            else row.other_subject_id or ""
        ),
        version=row.version,
        type=row.type,
        occurred_at=row.occurred_at,
        from_state=row.from_state,
        to_state=row.to_state,
        actor=row.actor,
        owner_id=row.owner_id,
        lock_token=row.lock_token,
        attempt=row.attempt,
        reason=row.reason,
        priority=row.priority,
        customer_id=row.customer_id,
        labels=dict(row.labels),
        cluster_name=row.cluster_name,
        error_details=row.error_details,
        error_category=row.error_category,
        details=dict(row.details),
        request_id=row.request_id,
        request_digest=row.request_digest,
    )
