"""When a call is tried again, and how long it waits."""

import pytest

from daylily_client import (
    Contention,
    DeadlineExceeded,
    InternalError,
    LockHeld,
    OutcomeUnknown,
    Overloaded,
    RetryPolicy,
    Stopping,
    StoreUnavailable,
    Unavailable,
)
from daylily_client.retries import CallPlan, backoff
from daylily_client.rpc import Repeat

POLICY = RetryPolicy(first_pause=0.1, longest_pause=5.0, attempt_timeout=10.0)


class Clock:
    seconds = 0.0

    def __call__(self):
        return self.seconds


def plan(repeat, *, deadline=30.0, clock=None, chance=0.5, extra_wait=0.0):
    return CallPlan(POLICY, repeat, deadline, clock or Clock(), lambda: chance, extra_wait)


def test_pauses_double_up_to_the_longest():
    bounds = [backoff(POLICY, repeats, 1.0) for repeats in range(8)]
    assert bounds == [0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0]


def test_jitter_is_full():
    assert backoff(POLICY, 3, 0.0) == 0.0
    assert backoff(POLICY, 3, 0.5) == 0.4


def test_a_loop_that_ran_for_days_still_pauses():
    assert backoff(POLICY, 1_000_000, 1.0) == 5.0


@pytest.mark.parametrize("repeat", list(Repeat))
@pytest.mark.parametrize("kind", [StoreUnavailable, Stopping, Contention, Overloaded])
def test_when_nothing_was_changed_every_call_is_repeated(kind, repeat):
    assert plan(repeat).pause_after(kind("no")) == 0.05


@pytest.mark.parametrize("kind", [Unavailable, OutcomeUnknown, DeadlineExceeded])
def test_an_unknown_fate_is_repeated_where_that_is_safe(kind):
    for repeat in (Repeat.READ, Repeat.KEYED, Repeat.IDEMPOTENT):
        assert plan(repeat).pause_after(kind("no")) is not None
    assert plan(Repeat.NEVER).pause_after(kind("no")) is None


@pytest.mark.parametrize("repeat", list(Repeat))
@pytest.mark.parametrize("kind", [LockHeld, InternalError])
def test_a_refusal_is_not_repeated_even_with_a_hint_when_to_come_back(kind, repeat):
    assert plan(repeat).pause_after(kind("no", retry_after=1.0)) is None


def test_a_hint_of_the_service_is_waited_for():
    assert plan(Repeat.READ).pause_after(StoreUnavailable("no", retry_after=2.0)) == 2.05


def test_no_pause_reaches_over_the_deadline():
    assert plan(Repeat.READ, deadline=2.0).pause_after(Overloaded("no", retry_after=2.0)) is None


def test_an_attempt_is_shorter_than_the_call_and_never_longer_than_what_is_left():
    clock = Clock()
    call = plan(Repeat.KEYED, clock=clock)
    assert call.attempt_timeout() == 10.0
    clock.seconds = 25.0
    assert call.attempt_timeout() == 5.0
    clock.seconds = 31.0
    assert call.attempt_timeout() == 0.0


def test_the_one_attempt_of_a_call_that_cannot_be_repeated_has_all_the_time():
    assert plan(Repeat.NEVER).attempt_timeout() == 30.0


def test_an_attempt_that_waits_for_work_is_as_much_longer():
    assert plan(Repeat.KEYED, deadline=75.0, extra_wait=45.0).attempt_timeout() == 55.0


def test_a_write_that_may_have_gone_through_does_not_end_as_nothing_changed():
    call = plan(Repeat.KEYED)
    call.pause_after(Unavailable("Socket closed"))
    last = Stopping("stopping", rpc="StateService/AcquireLock", request_id="r-1")
    call.pause_after(last)
    final = call.final(last)
    assert isinstance(final, OutcomeUnknown)
    assert (final.rpc, final.request_id) == ("StateService/AcquireLock", "r-1")
