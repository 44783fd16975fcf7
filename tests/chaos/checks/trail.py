"""Events and versions, transitions, one effect for one call."""

from collections import Counter
from collections.abc import Iterator

from daylily_state.domain.events import Event
from daylily_state.domain.transitions import NOTES, TABLE
from tests.chaos.checks.tenures import call_id, tenures_of
from tests.chaos.evidence import Evidence, Violation
from tests.chaos.history import REFUSALS

_LEGAL = {(row.from_state, row.to_state, row.event) for row in TABLE}
_GRANTS = frozenset({"acquire", "claim", "force"})


def events_and_versions(evidence: Evidence) -> Iterator[Violation]:
    """A workset's events are 1..n, n is its version, and the row is what the last of them says."""
    tables = evidence.tables
    for workset_id in tables.worksets.keys() | tables.trails.keys():
        trail, row = tables.trails.get(workset_id, ()), tables.worksets.get(workset_id)
        versions = [event.version for event in trail]
        if versions != list(range(1, len(trail) + 1)):
            yield Violation("events = version", f"{workset_id}: events {versions}")
        if row is None or row.version != len(trail):
            found = row and row.version
            yield Violation(
                "events = version", f"{workset_id}: version {found}, {len(trail)} events"
            )
            continue
        last = trail[-1]
        held = [tenure for tenure in tenures_of(trail) if tenure.ended is None]
        if row.state is not last.to_state or row.last_seq != last.seq:
            yield Violation("events = version", f"{workset_id}: {row.state.name} after {last}")
        if bool(held) != (row.lock is not None):
            yield Violation("events = version", f"{workset_id}: its lock is {row.lock}")


def transitions(evidence: Evidence) -> Iterator[Violation]:
    """Only what the table has happens, each from where the last one led."""
    for workset_id, trail in evidence.tables.trails.items():
        before = None
        for event in trail:
            if event.from_state is not before:
                yield Violation("transitions", f"{workset_id}: {_move(event)}, it was {before}")
            before = event.to_state
            note = event.type in NOTES and event.from_state is event.to_state
            if not note and (event.from_state, event.to_state, event.type) not in _LEGAL:
                yield Violation("transitions", f"{workset_id}: {_move(event)}")


def one_effect(evidence: Evidence) -> Iterator[Violation]:
    """A call has one effect if it was answered, none if it was refused, one at most otherwise.

    By the calls' own ids, which they wrote as owners and reasons: it does not matter what became of
    request ids.
    """
    effects = Counter(call_id(event) for event in evidence.tables.events)
    for call in evidence.calls:
        count = effects[call.op_id]
        wanted = call.writes or bool(call.kind == "claim" and call.answer)
        if count > 1:
            yield Violation("one effect", f"{call.kind} {call.op_id} made {count} events")
        elif call.succeeded and wanted and count == 0:
            yield Violation("one effect", f"{call.kind} {call.op_id} was answered and is not there")
        elif call.error in REFUSALS and count and not _gone_since(call.kind, call.error):
            yield Violation(
                "one effect", f"{call.kind} {call.op_id} was refused ({call.error}) and landed"
            )
    ids = Counter(
        (event.subject_id, event.request_id) for event in evidence.tables.events if event.request_id
    )
    for (workset_id, request_id), count in ids.items():
        if count > 1:
            yield Violation("one effect", f"request {request_id} made {count} on {workset_id}")


def _gone_since(kind: str, error: str) -> bool:
    """A grant whose answer was lost and that is gone when it is asked for again."""
    return kind in _GRANTS and error in {"LockLost", "WorksetCancelled"}


def _move(event: Event) -> str:
    source = event.from_state.name if event.from_state else "nothing"
    target = event.to_state.name if event.to_state else "nothing"
    return f"version {event.version}, {event.type.name} from {source} to {target}"
