"""The account of what was shown sees what is missing and what is double, by event."""

import pytest
from daylily.workset.v1 import delivery_pb2, event_pb2

from tests.support.accounts import Account, Showing, account

OPENING = delivery_pb2.EPISODE_PART_OPENING
REPEAT = delivery_pb2.EPISODE_PART_REPEAT
RECOVERY = delivery_pb2.EPISODE_PART_RECOVERY
FOLDED = delivery_pb2.DELIVERY_STATE_FOLDED
DELIVERED = delivery_pb2.DELIVERY_STATE_DELIVERED


def delivery(event_id, part=OPENING, state=DELIVERED, **fields):
    event = event_pb2.Event(event_id=event_id)
    return delivery_pb2.Delivery(event=event, episode_part=part, state=state, **fields)


def alone(event_id, key=""):
    return Showing(key or event_id, event_id=event_id)


def digest(count):
    return Showing("k", digest_id="d", count=count)


IN_A_DIGEST = [delivery("a", digest_id="d"), delivery("b", state=FOLDED, digest_id="d")]


@pytest.mark.parametrize(
    ("showings", "deliveries", "lost", "twice"),
    [
        ({alone("a"), alone("b")}, [], [], []),
        ({alone("a")}, [], ["b"], []),
        ({alone("a"), alone("b"), alone("b", "again")}, [], [], ["b"]),
        ({digest(2)}, IN_A_DIGEST, [], []),
        ({digest(2), alone("b")}, IN_A_DIGEST, [], ["b"]),
        ({digest(2)}, IN_A_DIGEST[:1], ["b"], ["digest d says 2, and has 1"]),
        ({digest(1)}, IN_A_DIGEST, ["digest d says 1, and has 2"], []),
    ],
    ids=["each once", "one lost", "one twice", "in a digest", "also alone", "too many", "too few"],
)
def test_events_are_counted_by_what_they_are(showings, deliveries, lost, twice):
    assert account(["a", "b"], showings, deliveries) == Account(lost, twice)


def test_a_lost_and_a_doubled_event_do_not_make_up_for_each_other():
    found = account(["a", "b"], {alone("a"), alone("a", "again")}, [])
    assert found == Account(["b"], ["a"])


def test_a_repeat_is_told_with_its_opening():
    repeat = delivery("b", REPEAT, FOLDED, opening_event_id="a")
    assert account(["a", "b"], {alone("a")}, [repeat]) == Account([], [])
    assert account(["a", "b"], set(), [repeat]) == Account(["a", "b"], [])


def test_the_end_of_one_in_a_digest_is_no_member_where_troubles_are_tracked():
    end = delivery("c", RECOVERY, FOLDED, digest_id="d")
    assert account(["a", "b"], {digest(2)}, [*IN_A_DIGEST, end], tracks=True) == Account([], [])
