from datetime import timedelta

import pytest

from daylily_state.domain import consumers, deliveries
from daylily_state.domain.cursor import BEGINNING
from daylily_state.domain.deliveries import Marking
from daylily_state.domain.errors import (
    ClaimLostError,
    ConsumerHeldError,
    ConsumerLostError,
    InvalidCursorError,
)
from daylily_state.domain.events import Event, EventType
from daylily_state.domain.model import SubjectKind
from daylily_state.domain.records import Delivery, DeliveryState
from tests.unit.state.given import NOW

SECOND = timedelta(seconds=1)
HEADS = (10,) * 16


def consumer(owner="n1"):
    return consumers.acquire(None, "notifier", owner, BEGINNING, NOW)


def test_a_new_consumer_stands_where_it_is_told_to() -> None:
    made = consumers.acquire(None, "notifier", "n1", HEADS, NOW)
    assert (made.token, made.version, made.position) == (1, 1, HEADS)
    assert made.expires_at == NOW + 10 * SECOND


def test_one_process_at_a_time_is_the_consumer() -> None:
    with pytest.raises(ConsumerHeldError) as refusal:
        consumers.acquire(consumer(), "notifier", "n2", BEGINNING, NOW + SECOND)
    assert refusal.value.retry_after == 9 * SECOND


def test_a_consumer_whose_lease_is_over_is_taken_and_the_older_token_is_lost() -> None:
    old = consumer()
    taken = consumers.acquire(old, "notifier", "n2", HEADS, NOW + 10 * SECOND)
    assert (taken.owner_id, taken.token, taken.position) == ("n2", 2, BEGINNING)
    with pytest.raises(ConsumerLostError):
        consumers.renew(taken, old.token, NOW)
    with pytest.raises(ConsumerLostError):
        consumers.acknowledge(taken, old.token, HEADS, HEADS)


def test_the_same_process_may_ask_again_when_its_answer_was_lost() -> None:
    assert consumers.acquire(consumer(), "notifier", "n1", BEGINNING, NOW).token == 2


def test_a_released_consumer_can_be_taken_at_once() -> None:
    released = consumers.release(consumer(), 1, NOW)
    assert consumers.acquire(released, "notifier", "n2", BEGINNING, NOW).token == 2
    with pytest.raises(ConsumerLostError):
        consumers.acknowledge(released, 1, HEADS, HEADS)


def test_a_position_never_goes_back_in_any_lane() -> None:
    ahead = consumers.acknowledge(consumer(), 1, (5, 1) + (0,) * 14, HEADS)
    merged = consumers.acknowledge(ahead, 1, (2, 9) + (0,) * 14, HEADS)
    assert merged.position == (5, 9) + (0,) * 14


def test_a_position_behind_the_end_of_the_feed_is_refused() -> None:
    with pytest.raises(InvalidCursorError):
        consumers.acknowledge(consumer(), 1, (11,) + (0,) * 15, HEADS)


# --- deliveries ---

EVENT = Event("e1", 0, 1, SubjectKind.WORKSET, "ws-1", 1, EventType.FAILED, NOW)
PENDING = Delivery(
    delivery_id="d1",
    channel="sns",
    event=EVENT,
    event_cursor="",
    state=DeliveryState.PENDING,
    attempts=0,
    next_attempt_at=None,
    answer="",
    latency=None,
    dedup_key="",
    external_ref="",
    episode_id="",
    claim_token=0,
    claimed_by="",
    claim_expires_at=None,
    created_at=NOW,
    updated_at=NOW,
    version=1,
)


def claimed(at=NOW):
    return deliveries.claim(PENDING, "n1", 60 * SECOND, at)


def marking(state, token=1, **fields):
    return Marking(delivery_id="d1", claim_token=token, state=state, **fields)


def test_a_claim_hides_the_delivery_until_it_runs_out() -> None:
    mine = claimed()
    assert (mine.attempts, mine.claim_token, mine.due_at) == (1, 1, NOW + 60 * SECOND)
    assert deliveries.claim(mine, "n2", SECOND, NOW + 59 * SECOND) is None
    assert deliveries.claim(mine, "n2", SECOND, NOW + 60 * SECOND).claim_token == 2


def test_what_is_to_be_tried_again_is_due_at_its_time() -> None:
    later = NOW + 30 * SECOND
    again = deliveries.mark(
        claimed(), marking(DeliveryState.PENDING, next_attempt_at=later, answer="503"), NOW
    )
    assert (again.due_at, again.answer, again.attempts) == (later, "503", 1)
    assert deliveries.claim(again, "n1", SECOND, later - SECOND) is None


@pytest.mark.parametrize(
    "state", [DeliveryState.DELIVERED, DeliveryState.DEAD, DeliveryState.FOLDED]
)
def test_what_is_finished_is_never_due(state) -> None:
    finished = deliveries.mark(claimed(), marking(state, external_ref="m-1"), NOW)
    assert finished.due_at is None
    assert finished.external_ref == "m-1"


def test_only_the_present_claim_may_mark() -> None:
    taken = deliveries.claim(claimed(), "n2", SECOND, NOW + 60 * SECOND)
    with pytest.raises(ClaimLostError):
        deliveries.mark(taken, marking(DeliveryState.DELIVERED, token=1), NOW)
    with pytest.raises(ClaimLostError):
        deliveries.mark(PENDING, marking(DeliveryState.DELIVERED, token=1), NOW)


def test_a_dead_letter_begins_anew_when_it_is_redelivered() -> None:
    dead = deliveries.mark(claimed(), marking(DeliveryState.DEAD), NOW)
    again = deliveries.mark(dead, marking(DeliveryState.PENDING, token=0), NOW + SECOND)
    assert (again.state, again.attempts) == (DeliveryState.PENDING, 0)
    assert again.due_at == NOW + SECOND
    with pytest.raises(ClaimLostError):
        deliveries.mark(claimed(), marking(DeliveryState.PENDING, token=0), NOW)
