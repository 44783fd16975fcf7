"""The benchmark of two holders finds them where there are some."""

from datetime import timedelta

from benchmarks.holding import Hold, held_twice, holds, wrong_in_trail
from daylily_state.domain.events import EventType
from daylily_state.domain.model import WorksetState
from tests.support.state_rows import NOW, make_event


def granted(workset, token, at, believes_until):
    return {
        "what": "granted",
        "workset": workset,
        "token": token,
        "mono": at,
        "believes_until": believes_until,
    }


def gives_back(workset, token, at):
    return {"what": "gives back", "workset": workset, "token": token, "mono": at}


def test_a_hold_lasts_until_it_is_given_back_or_its_lease_is_over():
    history = [
        granted("ws-1", 1, 5.0, believes_until=15.0),
        gives_back("ws-1", 1, 7.0),
        granted("ws-1", 2, 8.0, believes_until=18.0),
        gives_back("ws-1", 2, 30.0),
    ]
    assert list(holds(history)) == [Hold("ws-1", 1, 5.0, 7.0), Hold("ws-1", 2, 8.0, 18.0)]


def test_two_holds_of_one_workset_that_overlap_are_found_whatever_lies_between():
    long, short, late = (
        Hold("ws-1", 1, 0.0, 10.0),
        Hold("ws-1", 2, 1.0, 2.0),
        Hold("ws-1", 3, 9.0, 11.0),
    )
    assert held_twice([late, short, long]) == [(long, short), (long, late)]


def test_holds_one_after_the_other_and_of_other_worksets_are_none():
    assert not held_twice(
        [Hold("ws-1", 1, 0.0, 5.0), Hold("ws-1", 2, 5.0, 6.0), Hold("ws-2", 1, 1.0, 9.0)]
    )


def event(version, kind, token, *, to=WorksetState.LOCKED, seconds=0.0):
    return make_event(
        "ws-1",
        version,
        kind,
        version=version,
        lock_token=token,
        to_state=to,
        occurred_at=NOW + timedelta(seconds=seconds),
    )


def trail(*events):
    return [event(1, EventType.REGISTERED, 0, to=WorksetState.READY), *events]


def test_a_trail_of_locks_in_turn_is_right():
    assert not wrong_in_trail(
        trail(
            event(2, EventType.LOCK_ACQUIRED, 1),
            event(3, EventType.LOCK_RELEASED, 1, to=WorksetState.READY),
            event(4, EventType.LOCK_ACQUIRED, 2),
            event(5, EventType.STARTED, 2, to=WorksetState.IN_PROGRESS),
            event(6, EventType.LOCK_TIMEOUT, 2, to=WorksetState.READY, seconds=12),
        ),
        {("ws-1", 2): NOW.timestamp() + 10},
    )


def test_a_grant_of_a_held_lock_is_found():
    found = wrong_in_trail(
        trail(event(2, EventType.LOCK_ACQUIRED, 1), event(3, EventType.LOCK_ACQUIRED, 2)), {}
    )
    assert len(found) == 1


def test_a_write_of_an_older_token_is_found():
    found = wrong_in_trail(
        trail(
            event(2, EventType.LOCK_ACQUIRED, 1),
            event(3, EventType.LOCK_RELEASED, 1, to=WorksetState.READY),
            event(4, EventType.LOCK_ACQUIRED, 2),
            event(5, EventType.STARTED, 1, to=WorksetState.IN_PROGRESS),
        ),
        {},
    )
    assert found == ["ws-1: STARTED of 1 in 2"]


def test_a_timeout_before_the_lock_ran_out_is_found():
    found = wrong_in_trail(
        trail(
            event(2, EventType.LOCK_ACQUIRED, 1),
            event(3, EventType.LOCK_TIMEOUT, 1, to=WorksetState.READY, seconds=9),
        ),
        {("ws-1", 1): NOW.timestamp() + 10},
    )
    assert len(found) == 1


def test_a_missing_event_is_found():
    assert wrong_in_trail(trail(event(3, EventType.LOCK_ACQUIRED, 1)), {}) == [
        "ws-1: version 3 after 1"
    ]
