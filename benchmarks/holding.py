"""Whether a lock ever had two holders: by what the holders believed, and by the audit trail."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from daylily_state.domain.events import Event, EventType
from tests.chaos.checks.tenures import ends_lock, tenures_of

Line = Mapping[str, Any]


@dataclass(frozen=True)
class Hold:
    """From when to when a holder believed in its lock: monotonic seconds of the one machine."""

    workset_id: str
    token: int
    since: float
    until: float


def holds(history: Iterable[Line]) -> Iterator[Hold]:
    """What holders believed: until they gave back, or their lease was over by their own clock."""
    history = list(history)
    given_back = {
        (line["workset"], line["token"]): line["mono"]
        for line in history
        if line["what"] == "gives back"
    }
    for line in history:
        if line["what"] == "granted":
            key = line["workset"], line["token"]
            until = min(line["believes_until"], given_back.get(key, line["believes_until"]))
            yield Hold(*key, since=line["mono"], until=until)


def held_twice(found: Iterable[Hold]) -> list[tuple[Hold, Hold]]:
    """Holds of one workset of which the later began before the earlier was over."""
    by_workset: defaultdict[str, list[Hold]] = defaultdict(list)
    for hold in found:
        by_workset[hold.workset_id].append(hold)
    double = []
    for some in by_workset.values():
        longest: Hold | None = None  # of those before, the one that lasts longest
        for hold in sorted(some, key=lambda hold: hold.since):
            if longest is not None and hold.since < longest.until:
                double.append((longest, hold))
            if longest is None or hold.until > longest.until:
                longest = hold
    return double


def wrong_in_trail(trail: Sequence[Event], expiries: Mapping[tuple[str, int], float]) -> list[str]:
    """What the audit trail of one workset must not show.

    Args:
        trail: its events in order.
        expiries: when each lock runs out, by workset and token, as its holder was told.
    """
    wrong = [
        f"{later.subject_id}: version {later.version} after {earlier.version}"
        for earlier, later in pairwise(trail)
        if later.version != earlier.version + 1
    ]
    for tenure in tenures_of(trail):
        ended = tenure.ended
        if ended is None:
            continue
        if ended.type is EventType.LOCK_ACQUIRED:
            wrong.append(f"{tenure.key} was held when {ended.owner_id} was granted it")
        if ended.type is EventType.LOCK_TIMEOUT and (
            ended.occurred_at.timestamp() <= expiries.get(tenure.key, 0.0)
        ):
            wrong.append(f"{tenure.key} was timed out before it ran out")
    live = 0
    for event in trail:
        if event.type is EventType.LOCK_ACQUIRED:
            live = event.lock_token
        elif event.lock_token != live and event.type is not EventType.REGISTERED:
            wrong.append(f"{event.subject_id}: {event.type.name} of {event.lock_token} in {live}")
        if ends_lock(event):
            live = 0
    return wrong
