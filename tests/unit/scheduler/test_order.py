"""Who goes first, and how that changes with time."""

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daylily_scheduler.domain.model import Customer, Estimate, Priority
from daylily_scheduler.domain.order import (
    MOST_HANDICAP,
    Standing,
    handicap,
    order_key,
    standing,
)
from daylily_scheduler.domain.queue import Queue
from daylily_scheduler.domain.rules import DEFAULT_RULES
from daylily_scheduler.domain.shares import Shares
from tests.support.scheduling import NOW, book, cluster, workset

HOUR = timedelta(hours=1)


def hours(number):
    return Estimate(hours=number)


@pytest.mark.parametrize(
    ("priority", "age_h", "counts_as", "until_h"),
    [
        (Priority.LOW, 0, Priority.LOW, 12),
        (Priority.LOW, 12, Priority.NORMAL, 168),
        (Priority.LOW, 168, Priority.URGENT, None),
        (Priority.NORMAL, 12, Priority.NORMAL, 168),
        (Priority.NORMAL, 168, Priority.URGENT, None),
        (Priority.URGENT, 500, Priority.URGENT, None),
    ],
)
def test_a_workset_rises_with_its_age_at_moments_known_before(priority, age_h, counts_as, until_h):
    one = workset("w", age_s=age_h * 3600, priority=priority, estimate=hours(8))
    stands = standing(one, NOW)
    assert stands.priority is counts_as
    until = None if until_h is None else one.created_at + until_h * HOUR
    assert stands.until == until


@pytest.mark.parametrize(
    ("length", "rises_h"),
    [(0.5, 1), (3, 6), (5.5, 11), (6, 12), (30, 12), (None, 12), (1e300, 12)],
)
def test_a_low_workset_rises_at_twice_its_expected_run_12_hours_at_most(length, rises_h):
    estimate = Estimate() if length is None else hours(length)
    low = workset("low", priority=Priority.LOW, age_s=0, estimate=estimate)
    rises = low.created_at + rises_h * HOUR
    assert standing(low, NOW) == Standing(Priority.LOW, rises)
    assert standing(low, rises - timedelta(seconds=1)).priority is Priority.LOW
    assert standing(low, rises).priority is Priority.NORMAL


@given(st.floats(0, 1e300), st.floats(0.01, 8760), st.floats(0, 100), st.integers(1, 10**6))
def test_no_low_workset_counts_as_low_for_longer_than_the_latest_age(length, runs, latest_h, age_s):
    rules = replace(
        DEFAULT_RULES, low_rises_after_runs=runs, low_rises_after=timedelta(hours=latest_h)
    )
    low = workset("low", priority=Priority.LOW, age_s=age_s, estimate=hours(length))
    stands = standing(low, NOW, rules)
    if age_s / 3600 >= latest_h:
        assert stands.priority < Priority.LOW
    if stands.priority is Priority.LOW:
        assert stands.until is not None
        assert NOW < stands.until <= low.created_at + rules.low_rises_after


@pytest.mark.parametrize(
    ("left_h", "counts_as"),
    [(5, Priority.NORMAL), (3.9, Priority.URGENT), (3, Priority.NORMAL), (1, Priority.NORMAL)],
)
def test_a_deadline_raises_a_workset_while_it_presses_and_can_still_be_met(left_h, counts_as):
    one = workset("w", estimate=hours(3), deadline=NOW + left_h * HOUR)
    assert standing(one, NOW).priority is counts_as


def test_a_deadline_raises_by_one_class_alone():
    one = workset("w", priority=Priority.LOW, estimate=hours(3), deadline=NOW + 3.5 * HOUR)
    assert standing(one, NOW).priority is Priority.NORMAL


def test_an_expected_hour_lets_worksets_go_first_that_are_registered_hours_later():
    long, short = workset("long", age_s=4 * 3600, estimate=hours(2)), workset("short")
    assert order_key(short) > order_key(workset("a", age_s=60, estimate=hours(0.5)))
    # 1 h more lets in what comes up to 5 h later.
    assert order_key(short) < order_key(long)
    older = workset("older", age_s=6 * 3600, estimate=hours(2))
    assert order_key(older) < order_key(short)


@given(st.floats(0, 1e300), st.sampled_from(Priority))
def test_a_handicap_is_bounded_whatever_is_stated(length, priority):
    assert handicap(workset("w", priority=priority, estimate=hours(length))) <= MOST_HANDICAP


@given(
    st.sampled_from(Priority),
    st.floats(0, 1000),
    st.floats(0, 1000),
    st.floats(0, 400),
    st.integers(1, 500),
)
def test_nobody_waits_behind_what_comes_later_than_a_bound(
    priority, length, other_length, other_deadline_h, later_h
):
    """From `normal_rises_after` on, only what is registered before the place of a workset in the order
    can go first: whatever comes more than the bound after it, and however urgent, goes behind.
    """
    rules = DEFAULT_RULES
    bound = MOST_HANDICAP + rules.most_share_handicap
    one = workset("one", age_s=0, priority=priority, estimate=hours(length))
    other = workset(
        "other",
        age_s=-(bound + later_h * HOUR).total_seconds(),
        priority=Priority.URGENT,
        estimate=hours(other_length),
        deadline=NOW + other_deadline_h * HOUR,
    )
    then = other.created_at
    assert standing(one, then).priority is Priority.URGENT
    worst = order_key(one)[0] + rules.most_share_handicap
    assert worst < order_key(other)[0]


def test_the_queue_files_anew_what_rose():
    queue = Queue()
    queue.put(workset("low", priority=Priority.LOW, age_s=0, estimate=hours(3)), NOW)
    assert queue.next_due == NOW + 6 * HOUR
    assert queue.advance(NOW + 5 * HOUR) == []
    assert queue.advance(NOW + 6 * HOUR) == ["low"]
    assert [queue.startable(priority) for priority in Priority] == [0, 1, 0]


def test_a_customer_stands_back_by_what_it_runs_and_its_weight():
    shares, rules = Shares(), DEFAULT_RULES
    shares.start(workset("a", vcpus=20, customer_id="acme"))
    shares.start(workset("a", vcpus=20, customer_id="acme"))
    assert shares.handicap("acme", 1.0, 100, rules) == rules.share_handicap / 5
    assert shares.handicap("acme", 4.0, 100, rules) == rules.share_handicap / 20
    assert shares.handicap("acme", 1e-9, 100, rules) == rules.most_share_handicap
    assert shares.handicap("bolt", 1.0, 100, rules) == timedelta()
    shares.end("a")
    assert shares.handicap("acme", 1.0, 100, rules) == timedelta()


def test_who_runs_much_lets_others_go_first_by_weight():
    known = book(
        cluster("c1", vcpus=100),
        workset("running", vcpus=50, customer_id="acme"),
        workset("a", vcpus=8, customer_id="acme", age_s=7200),
        workset("b", vcpus=8, customer_id="bolt", age_s=60),
    )
    known.run("running", "c1", 2, started=True, at=NOW)
    in_order = [key[1] for _, key in known.queue.in_order(Priority.NORMAL, known.behind())]
    assert in_order == ["b", "a"]
    known.set_customers([Customer("acme", weight=100)])
    in_order = [key[1] for _, key in known.queue.in_order(Priority.NORMAL, known.behind())]
    assert in_order == ["a", "b"]
    assert known.queue.ahead_of(known.queue.get("b"), known.behind()) == 1
