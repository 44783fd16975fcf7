"""What the plan gives to whom, worked out by hand."""

import math
from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daylily_scheduler.domain.cost import TRANSFER
from daylily_scheduler.domain.decision import decide, why_nothing
from daylily_scheduler.domain.model import Customer, Estimate, Priority
from daylily_scheduler.domain.plan import plan_of
from daylily_scheduler.domain.policy import pick, pick_anywhere
from daylily_scheduler.domain.profile import Profile, need
from daylily_scheduler.domain.reasons import ReasonCode
from daylily_scheduler.domain.resources import Resources
from tests.support.scheduling import NOW, book, cluster, workset

HOUR = timedelta(hours=1)
NONE = Estimate()


def hours(number):
    return Estimate(hours=number)


def running(known, name, on, *, since=NOW):
    known.run(name, on, 2, started=True, at=since)


def picked(known, name="c1", now=NOW):
    found = pick(known, name, now)
    return found and found.workset.workset_id


def half_full(*others):
    """A cluster of 16 vCPUs of which 8 are taken for 4 h, and one workset that needs all of it."""
    known = book(
        cluster("c1", vcpus=16),
        workset("runs", vcpus=8, estimate=hours(4)),
        workset("big", vcpus=16, age_s=9000, estimate=hours(1)),
        *others,
    )
    running(known, "runs", "c1")
    return known


def test_a_gap_before_a_reservation_is_filled_by_what_ends_in_time():
    known = half_full(workset("short", vcpus=8, age_s=60, estimate=hours(4)))
    assert picked(known) == "short"


def test_what_would_delay_the_head_of_the_queue_waits_and_is_told_why():
    known = half_full(workset("long", vcpus=8, age_s=60, estimate=hours(4.1)))
    assert picked(known) is None
    decision = decide(known, known.queue.get("long"), NOW)
    (place,) = decision.placements
    (reason,) = place.rejections
    assert reason.code is ReasonCode.RESERVED_FOR_ANOTHER
    assert (reason.subject_id, reason.cluster_name) == ("big", "c1")
    assert reason.message == (
        "c1 is kept for big, which is to start there at 2026-03-01 16:00:00 UTC"
    )
    codes = {reason.code for reason in why_nothing(known, "c1", NOW)}
    assert codes == {ReasonCode.NOT_ENOUGH_VCPUS, ReasonCode.RESERVED_FOR_ANOTHER}


def test_a_run_that_is_overdue_is_expected_to_go_on_for_a_while():
    known = half_full(workset("short", vcpus=8, age_s=60, estimate=hours(0.9)))
    running(known, "runs", "c1", since=NOW)
    later = NOW + 5 * HOUR
    known.put_cluster(cluster("c1", vcpus=16, heard_at=later, version=2), later)
    # A quarter of the 5 h that it took so far.
    assert picked(known, now=later) == "short"


def two_prices(estimate, priority=Priority.NORMAL):
    """A cheap cluster that is taken for an hour, and a dear one that is free."""
    known = book(
        cluster("cheap", vcpus=16, price=0.01),
        cluster("dear", vcpus=16, price=0.05),
        workset("runs", vcpus=16, estimate=hours(1)),
        workset("w", vcpus=16, estimate=estimate, priority=priority),
    )
    running(known, "runs", "cheap")
    return known


def test_a_long_run_waits_for_a_cheaper_cluster_that_is_free_soon():
    # 20 h of 16 vCPUs cost $12.80 more on the dear one; an hour of delay is reckoned at 8 x $1.
    known = two_prices(hours(20))
    assert picked(known, "dear") is None
    decision = decide(known, known.queue.get("w"), NOW)
    against = {place.cluster_name: place.rejections for place in decision.placements}
    (reason,) = against["dear"]
    assert (reason.code, reason.subject_id) == (ReasonCode.CHEAPER_ELSEWHERE, "cheap")
    assert (reason.need, reason.have) == (pytest.approx(16.0), pytest.approx(11.2))


def test_a_short_run_or_an_urgent_one_starts_on_the_dearer_cluster():
    assert picked(two_prices(hours(10)), "dear") == "w"
    assert picked(two_prices(hours(20), Priority.URGENT), "dear") == "w"


def test_a_cheaper_cluster_that_asks_gets_it_and_the_dearer_one_is_told():
    known = book(
        cluster("cheap", price=0.01), cluster("dear", price=0.05), workset("w", estimate=hours(5))
    )
    known.ask("cheap", NOW)
    assert picked(known, "dear") is None
    (reason,) = why_nothing(known, "dear", NOW)
    assert (reason.code, reason.subject_id) == (ReasonCode.CHEAPER_ELSEWHERE, "cheap")
    assert picked(known, "cheap") == "w"


def test_nothing_is_kept_for_a_cluster_that_no_longer_asks():
    known = book(
        cluster("cheap", price=0.01), cluster("dear", price=0.05), workset("w", estimate=hours(5))
    )
    known.ask("cheap", NOW - known.rules.asks_for)
    assert picked(known, "dear") == "w"


def test_of_clusters_that_cost_the_same_each_gets_something_when_it_asks():
    known = book(cluster("c1"), cluster("c2"), workset("a", age_s=90), workset("b", age_s=60))
    known.ask("c1", NOW)
    known.ask("c2", NOW)
    first = pick(known, "c2", NOW)
    assert first.workset.workset_id == "a"
    known.assign(first.workset, "c2", NOW)
    assert picked(known, "c1") == "b"
    assert decide(known, known.queue.get("b"), NOW).reasons == ()


def test_where_fixed_costs_can_be_saved_it_is_packed_and_the_other_cluster_is_told():
    known = book(
        cluster("c1", fixed=1.0),
        cluster("c2", fixed=1.0),
        workset("runs", age_s=90),
        workset("w", age_s=60),
    )
    running(known, "runs", "c1")
    known.ask("c1", NOW)
    assert picked(known, "c2") is None
    (reason,) = why_nothing(known, "c2", NOW)
    assert reason.code is ReasonCode.CHEAPER_ELSEWHERE


def test_what_state_refused_counts_again_in_the_next_plan_when_the_cluster_reports():
    known = book(cluster("c1", vcpus=8), workset("w", vcpus=8))
    known.refuse_cluster("c1", Resources())
    assert picked(known) is None
    known.put_cluster(cluster("c1", vcpus=8, heard_at=NOW + timedelta(seconds=1), version=2), NOW)
    assert picked(known) == "w"


def test_data_in_another_region_costs_its_way():
    asks = Estimate(hours=1, data_gb=500, data_region="us-west-2")
    known = book(replace(cluster("c1"), region="us-east-1"), workset("w", estimate=asks))
    items = {item.kind: item.usd for item in pick_anywhere(known, NOW).placement.items}
    assert items[TRANSFER] == pytest.approx(10.0)


def test_a_cluster_that_states_no_region_is_not_said_to_be_far_from_the_data():
    asks = Estimate(hours=1, data_gb=500, data_region="us-west-2")
    known = book(cluster("c1"), workset("w", estimate=asks))
    kinds = {item.kind for item in pick_anywhere(known, NOW).placement.items}
    assert TRANSFER not in kinds


def test_where_it_costs_the_same_it_is_said_what_decided():
    known = book(cluster("c1", price=0.02), cluster("c2", price=0.03), workset("w", estimate=NONE))
    known.ask("c1", NOW)
    (by_price,) = why_nothing(known, "c2", NOW)
    assert by_price.message == (
        "costs the same on c2 as on c1, which is free too, and has the lower price of a vCPU-hour"
    )
    known = book(cluster("c1", fixed=1.0), cluster("c2", fixed=1.0), workset("w"), workset("runs"))
    running(known, "runs", "c1")
    known.ask("c1", NOW)
    (by_packing,) = why_nothing(known, "c2", NOW)
    assert by_packing.message == (
        "costs the same on c2 as on c1, which is free too, and would be fuller with it"
    )


def test_a_customer_at_its_limit_keeps_its_last_place_for_what_goes_first():
    known = half_full(workset("short", vcpus=8, age_s=60, estimate=hours(1), customer_id="acme"))
    known.queue.remove("big")
    known.put(workset("big", vcpus=16, age_s=9000, customer_id="acme"), NOW)
    known.set_customers([Customer("acme", max_concurrent=1)])
    assert picked(known) is None
    decision = decide(known, known.queue.get("short"), NOW)
    assert [reason.code for reason in decision.reasons] == [ReasonCode.CUSTOMER_LIMIT]


def test_a_plan_is_made_once_for_claims_of_one_moment_and_anew_when_something_changes():
    known = book(cluster("c1"), workset("w"))
    first = plan_of(known, NOW, {"c1"})
    assert plan_of(known, NOW + timedelta(seconds=9), {"c1"}) is first
    assert plan_of(known, NOW + timedelta(seconds=10), {"c1"}) is not first
    first = plan_of(known, NOW, {"c1"})
    known.put(workset("other"), NOW)
    assert plan_of(known, NOW, {"c1"}) is not first


steps = st.lists(
    st.tuples(st.integers(0, 20), st.integers(1, 8), st.integers(0, 2)), min_size=1, max_size=8
)


@given(st.integers(0, 16), steps, st.integers(1, 16), st.integers(1, 12))
def test_the_earliest_start_is_the_first_at_which_it_fits_throughout(free, ends, vcpus, length):
    profile = Profile(
        Resources(vcpus=free, slots=1),
        [(float(at), Resources(vcpus=freed, slots=slots)) for at, freed, slots in ends],
    )

    def fits(at):
        """Whether there is room at this moment."""
        return vcpus <= free + sum(freed for end, freed, _ in ends if end <= at) and (
            1 + sum(slots for end, _, slots in ends if end <= at) >= 1
        )

    wanted = need(Resources(vcpus=vcpus, slots=1))
    found = profile.earliest(wanted, length)
    expected = next(
        (at for at in range(21) if all(fits(at + later) for later in range(length))), None
    )
    assert found == expected
    assert profile.free_for(wanted) == (math.inf if fits(0) else 0)
    if found is not None:
        profile.take(found, length, Resources(vcpus=vcpus, slots=1))
        again = profile.earliest(wanted, length)
        assert again is None or again >= 0
