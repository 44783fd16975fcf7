from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daylily_notifier.domain.deliveries import delivery_id
from daylily_notifier.domain.retries import GiveUp, Refusal, RetryPolicy, TryAgain, after_refusal
from tests.unit.notifier.events import NOON

POLICY = RetryPolicy(
    first=timedelta(seconds=2), longest=timedelta(seconds=60), give_up_after=timedelta(hours=1)
)
AWAY = Refusal(permanent=False, answer="connection refused")


def decide(refusal=AWAY, *, attempts=1, age=timedelta(0), draw=0.999999):
    now = NOON + age
    return after_refusal(refusal, POLICY, attempts=attempts, created_at=NOON, now=now, draw=draw)


def pause(**given_) -> float:
    decision = decide(**given_)
    assert isinstance(decision, TryAgain)
    return round((decision.at - NOON - given_.get("age", timedelta(0))).total_seconds(), 3)


def test_pauses_double_up_to_the_longest():
    assert [pause(attempts=n) for n in range(1, 8)] == [2, 4, 8, 16, 32, 60, 60]


def test_chance_takes_up_to_half_of_a_pause_away():
    assert pause(draw=0.0) == 1
    assert pause(draw=0.5) == 1.5


@given(attempts=st.integers(0, 10**9), draw=st.floats(0, 1, exclude_max=True))
def test_a_pause_is_never_zero_nor_above_the_longest(attempts, draw):
    assert timedelta(0) < POLICY.pause(attempts, draw) <= POLICY.longest


def test_the_channel_may_ask_for_a_longer_pause():
    busy = Refusal(permanent=False, answer="429", retry_after=timedelta(minutes=10))
    assert pause(refusal=busy) == 600


def test_a_channel_that_asks_for_less_gets_the_pause_of_the_schedule():
    busy = Refusal(permanent=False, answer="429", retry_after=timedelta(seconds=1))
    assert pause(refusal=busy, attempts=4) == 16


def test_a_message_that_can_never_be_taken_is_given_up_at_once():
    assert decide(Refusal(permanent=True, answer="too long")) == GiveUp("too long")


@pytest.mark.parametrize(
    ("age", "kind"), [(timedelta(minutes=59), TryAgain), (timedelta(hours=1), GiveUp)]
)
def test_a_passing_refusal_is_given_up_after_a_time_and_not_a_number_of_attempts(age, kind):
    assert isinstance(decide(attempts=10_000, age=age), kind)


def test_an_old_dead_letter_that_is_sent_again_gets_more_than_one_attempt():
    ages = [decide(attempts=n, age=timedelta(days=30)) for n in range(1, 6)]
    assert [type(decision) for decision in ages] == [TryAgain] * 4 + [GiveUp]


def test_the_dead_letter_says_why_and_after_how_many_attempts():
    decision = decide(attempts=7, age=timedelta(days=1))
    assert decision == GiveUp("given up after 7 attempts: connection refused")


def test_an_event_has_one_delivery_for_each_channel():
    ids = {delivery_id("e-1", "sns"), delivery_id("e-1", "mail"), delivery_id("e-2", "sns")}
    assert len(ids) == 3
    assert delivery_id("e-1", "sns") in ids
    assert delivery_id("a", "bc") != delivery_id("ab", "c")
