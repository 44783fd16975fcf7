"""Whether each event was shown to a person, and once: by its identity, not by sums.

What a channel shows is an event by itself, or a digest. Who is in a digest is on record in state, and how
many there are is in the message: both have to agree.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daylily.workset.v1 import delivery_pb2

from tests.support.places import Request

_REPEAT = delivery_pb2.EPISODE_PART_REPEAT
_AGAIN = delivery_pb2.EPISODE_PART_AGAIN
_FOLLOWING = frozenset(
    {_AGAIN, delivery_pb2.EPISODE_PART_RECOVERY, delivery_pb2.EPISODE_PART_ACKNOWLEDGEMENT}
)


@dataclass(frozen=True)
class Showing:
    """What a person sees once: `key` is what the channel drops repeats by."""

    key: str
    event_id: str = ""
    digest_id: str = ""
    count: int = 1


@dataclass(frozen=True)
class Account:
    """Events that nobody was shown, and those that somebody was shown twice."""

    lost: Sequence[str]
    twice: Sequence[str]


def by_webhook(requests: Iterable[Request]) -> set[Showing]:
    """What somebody sees whose receiver keeps the keys it saw."""
    return {_showing(each.json["id"], each.json["facts"]) for each in requests}


def by_pagerduty(incidents: Mapping[str, Sequence[Mapping[str, Any]]]) -> set[Showing]:
    """What triggered each incident: the same again adds nothing to it."""
    return {
        _showing(key, each["payload"]["custom_details"])
        for key, events in incidents.items()
        for each in events
        if each["event_action"] == "trigger"
    }


def _showing(key: str, facts: Mapping[str, str]) -> Showing:
    if digest_id := facts.get("Digest", ""):
        return Showing(key, digest_id=digest_id, count=int(facts["Count"]))
    return Showing(key, event_id=facts["Event"])


def account(
    expected: Iterable[str],
    showings: Iterable[Showing],
    deliveries: Sequence[delivery_pb2.Delivery],
    *,
    tracks: bool = False,
) -> Account:
    """Hold what one channel showed against what it was to show.

    Args:
        expected: the ids of the events.
        showings: all there were.
        deliveries: all of this channel.
        tracks: it keeps troubles open. Then what follows an opening in a digest is on record with
            the digest, and is no member.
    """
    members = defaultdict(set)
    for each in deliveries:
        if each.digest_id and not (tracks and each.episode_part in _FOLLOWING):
            members[each.digest_id].add(each.event.event_id)
    shown: Counter[str] = Counter()
    lost: list[str] = []
    twice: list[str] = []
    for showing in showings:
        if not showing.digest_id:
            shown[showing.event_id] += 1
            continue
        inside = members[showing.digest_id]
        shown.update(inside)
        wrong = f"digest {showing.digest_id} says {showing.count}, and has {len(inside)}"
        lost += [wrong] * max(0, len(inside) - showing.count)
        twice += [wrong] * max(0, showing.count - len(inside))
    repeats = {
        each.event.event_id
        for each in deliveries
        if (each.episode_part == _REPEAT or (tracks and each.episode_part == _AGAIN))
        and each.state == delivery_pb2.DELIVERY_STATE_FOLDED
        and shown[each.opening_event_id]
    }
    lost += [each for each in expected if not shown[each] and each not in repeats]
    twice += [each for each, times in shown.items() for _ in range(times - 1)]
    return Account(lost, twice)
