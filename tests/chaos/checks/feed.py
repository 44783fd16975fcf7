"""The feed: lanes, consumers, counts."""

from collections import Counter
from collections.abc import Iterator

from daylily_state.domain import cursor
from daylily_state.domain.events import EventType
from daylily_state.domain.model import SubjectKind, lane_of
from daylily_state.domain.records import DeliveryState, Position
from tests.chaos.evidence import Evidence, Violation

ROUTED = frozenset(
    {
        EventType.COMPLETED,
        EventType.FAILED,
        EventType.LOCK_TIMEOUT,
        EventType.RETRY_SCHEDULED,
    }
)
"""What the notifier's only route lets through."""


def lanes(evidence: Evidence) -> Iterator[Violation]:
    """Slots of a lane are 1..n, an event lies in its subject's lane, and no event twice."""
    ids: Counter[str] = Counter()
    for lane, events in enumerate(evidence.tables.lanes):
        slots = [event.seq for event in events]
        if slots != list(range(1, len(slots) + 1)):
            yield Violation("lanes", f"lane {lane} has slots {slots}")
        for event in events:
            ids[event.event_id] += 1
            if lane_of(event.subject_kind, event.subject_id) != lane or event.lane != lane:
                yield Violation("lanes", f"{event.subject_id} lies in lane {lane}")
    for event_id, count in ids.items():
        if count > 1:
            yield Violation("lanes", f"event {event_id} is there {count} times")


def consumers(evidence: Evidence) -> Iterator[Violation]:
    """Every event reached the recording consumer, in order per workset, and the notifier's topic."""
    seen: dict[str, int] = {}
    for workset_id, version in evidence.recorded:
        last = seen.get(workset_id, 0)
        if version > last + 1:
            yield Violation("consumers", f"{workset_id}: version {version} came after {last}")
        seen[workset_id] = max(last, version)
    for workset_id, trail in evidence.tables.trails.items():
        if seen.get(workset_id, 0) < len(trail):
            yield Violation(
                "consumers",
                f"{workset_id}: {len(trail)} events, recorded up to {seen.get(workset_id, 0)}",
            )
    told = _told(evidence)
    for event in evidence.tables.events:
        if event.type in ROUTED and event.event_id not in told:
            yield Violation(
                "consumers",
                f"{event.subject_id}, version {event.version}, {event.type.name} at "
                f"{event.occurred_at:%H:%M:%S.%f} never reached the topic",
            )


def _told(evidence: Evidence) -> frozenset[str]:
    """Events that reached the topic: by themselves, counted in a digest that did (also the one that
    carried it), or as a repeat in an episode of which another did.
    """
    deliveries = evidence.tables.deliveries
    counted = {each.event.event_id for each in deliveries if each.digest_id in evidence.arrived}
    told = evidence.arrived | counted
    known = {each.episode_id for each in deliveries if each.event.event_id in told}
    return told | {
        each.event.event_id
        for each in deliveries
        if each.state is DeliveryState.FOLDED and each.episode_id in known - {""}
    }


def counts(evidence: Evidence) -> Iterator[Violation]:
    """Counts are those of the worksets as they stood at the cursor that came with them."""
    for counted in evidence.counted:
        expected = _fold(evidence, cursor.decode(counted.cursor))
        if expected != counted.counts or sum(expected.values()) != counted.total:
            yield Violation("counts", f"said {counted.counts}, are {dict(expected)}")


def _fold(evidence: Evidence, position: Position) -> dict[str, int]:
    standing: dict[str, str] = {}
    for lane, events in enumerate(evidence.tables.lanes):
        for event in events[: position[lane]]:
            if event.subject_kind is SubjectKind.WORKSET and event.to_state and event.priority:
                standing[event.subject_id] = f"{event.to_state.name} {event.priority.name}"
    return dict(Counter(standing.values()))
