"""Answering a request again whose first answer was lost."""

from dataclasses import replace
from datetime import datetime

from daylily_state.domain.events import Event, EventType
from daylily_state.domain.locking import check_token
from daylily_state.domain.model import Workset, WorksetState

_WITH_LOCK = frozenset({WorksetState.LOCKED, WorksetState.IN_PROGRESS, WorksetState.IGNORED})


def answer_again(workset: Workset, event: Event) -> Workset:
    """The workset as it was right after the event, as far as the event tells; else as it is now.

    Raises:
        LockLostError, WorksetCancelledError: the request was granted a lock that is gone since.
    """
    if event.type is EventType.LOCK_ACQUIRED:
        check_token(workset, event.lock_token)
        return workset
    if workset.version == event.version or event.to_state is None:
        return workset
    available_at = event.details.get("available_at")
    return replace(
        workset,
        state=event.to_state,
        version=event.version,
        attempt=event.attempt,
        lock=workset.lock if event.to_state in _WITH_LOCK else None,
        available_at=datetime.fromisoformat(available_at)
        if isinstance(available_at, str)
        else None,
        updated_at=event.occurred_at,
    )
