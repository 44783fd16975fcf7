"""Who held which lock from when to when, as the audit trail tells it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from daylily_state.domain.events import Event, EventType
from daylily_state.domain.model import WorksetState
from tests.chaos.evidence import Evidence

ENDED = frozenset({WorksetState.READY, WorksetState.COMPLETE, WorksetState.ERROR})


@dataclass(frozen=True)
class Tenure:
    """One lock: its grant, and the event that ended it (None: it is held still)."""

    granted: Event
    ended: Event | None

    @property
    def key(self) -> tuple[str, int]:
        return self.granted.subject_id, self.granted.lock_token


def tenures(evidence: Evidence) -> Iterator[Tenure]:
    """All locks there were."""
    for trail in evidence.tables.trails.values():
        yield from tenures_of(trail)


def tenures_of(trail: Sequence[Event]) -> Iterator[Tenure]:
    """The locks of one workset, in order. A takeover ends the lock before it."""
    granted: Event | None = None
    for event in trail:
        if event.type is EventType.LOCK_ACQUIRED:
            if granted is not None:
                yield Tenure(granted, event)
            granted = event
        elif granted is not None and ends_lock(event):
            yield Tenure(granted, event)
            granted = None
    if granted is not None:
        yield Tenure(granted, None)


def ends_lock(event: Event) -> bool:
    """Whether nobody has the lock after this event. After a cancel its holder still has."""
    if event.to_state in ENDED:
        return True
    return event.to_state is WorksetState.IGNORED and event.type in {
        EventType.LOCK_RELEASED,
        EventType.LOCK_TIMEOUT,
    }


def call_id(event: Event) -> str:
    """The call of a monitor that made this event: it is the lock's owner, or the reason.

    Events that state or a service makes by itself have the id of no call.
    """
    if event.type is EventType.LOCK_ACQUIRED:
        return event.owner_id
    if event.type is EventType.REGISTERED:
        return event.subject_id.removeprefix("ws.")
    return event.reason
