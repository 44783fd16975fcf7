"""Advice in cases that can be worked out by hand."""

from dataclasses import replace
from datetime import timedelta

import pytest

from daylily_scheduler.domain.advice import MOST_PLANNED, creations, deletions
from daylily_scheduler.domain.forecast import Scene, forecast
from daylily_scheduler.domain.model import Estimate, Priority, WorksetState
from daylily_scheduler.domain.offers import Offer, like
from daylily_scheduler.domain.resources import MB_PER_GB, Resources
from daylily_scheduler.domain.runtimes import Kind, Run, RunTimes
from tests.support.scheduling import NOW, book, cluster, workset

OFFER = Offer(
    region="us-west-2",
    zone="us-west-2a",
    instance_types=frozenset({"c7i.24xlarge"}),
    size=Resources(96, 384 * MB_PER_GB, 0, 1),
    price_per_vcpu_hour_usd=0.04,
    fixed_cost_per_hour_usd=1.0,
)


def run_times(hours=4.0):
    times = RunTimes(8)
    for _ in range(5):
        times.learn(Run(Kind("p", 0, 96), hours))
    return times


def job(name, **fields):
    return workset(name, pipeline="p", **{"vcpus": 96, "estimate": Estimate(), **fields})


def running(name, since=NOW):
    return replace(
        job(name),
        state=WorksetState.IN_PROGRESS,
        locked=True,
        cluster_name="c1",
        locked_at=since,
        version=3,
    )


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def advised(known, *offers, times=None):
    scene = Scene.of(known, NOW, most=MOST_PLANNED)
    return finish(creations(scene, times or run_times(), offers or (OFFER,)))


def idle(known, times=None):
    return deletions(known, finish(forecast(Scene.of(known, NOW), times or run_times())))


# --- clusters to create ---


def test_urgent_worksets_behind_a_long_run_get_a_cluster_each():
    known = book(
        cluster("c1", slots=1),
        running("r"),
        job("u1", priority=Priority.URGENT, age_s=900),
        job("u2", priority=Priority.URGENT),
    )
    (advice,) = advised(known)
    # Alone they wait 4 and 8 hours; with a cluster each, its 15 minutes. That cluster ends with the
    # run after 4.25 hours and exists half an hour more; c1 then does what is first there.
    assert advice.count == 2
    assert advice.workset_ids == ("u1", "u2")
    assert advice.wait_saved_hours == pytest.approx(4 + 8 - 2 * 0.25, abs=0.01)
    assert advice.fixed_usd == pytest.approx(2 * 4.75, abs=0.01)
    assert advice.cost_usd == pytest.approx(9.5 + 2 * 96 * 4 * 0.04, abs=0.01)
    assert {item.kind: item.usd for item in advice.items} == pytest.approx(
        {"compute": 2 * 96 * 4 * 0.04, "start": 0.5, "fixed": 2 * 4.0, "idle": 1.0}, abs=0.01
    )
    assert advice.saving_usd == pytest.approx(8 * 11.5 - 9.5, abs=0.1)
    assert advice.reason == (
        "2 more clusters of 96 vCPUs (c7i.24xlarge, us-west-2a) at $0.04 a vCPU-hour would run "
        "2 worksets; all that wait start 11.5 h sooner together, for $9.50 beyond the work"
    )


def test_nothing_is_created_for_low_priority_that_waits_a_little():
    known = book(cluster("c1", slots=1), running("r"), job("l", priority=Priority.LOW))
    assert advised(known) == ()


def test_nothing_is_created_for_an_empty_queue_or_where_there_is_room():
    assert advised(book(cluster("c1"))) == ()
    assert advised(book(cluster("c1"), job("w", priority=Priority.URGENT))) == ()


def test_a_workset_that_fits_nowhere_gets_the_cheapest_kind_that_suits_it():
    known = book(cluster("c1", vcpus=8), job("w"))
    dear = replace(OFFER, price_per_vcpu_hour_usd=0.09, zone="us-west-2b")
    small = replace(OFFER, price_per_vcpu_hour_usd=0.01, size=Resources(48, 1, 0, 1))
    (advice,) = advised(known, dear, small, OFFER)
    assert (advice.offer, advice.count, advice.workset_ids) == (OFFER, 1, ("w",))


def test_wishes_for_a_zone_and_instance_types_bind():
    known = book(job("w", zone="us-west-2b"), job("x", instance_types=frozenset({"r7i"})))
    assert advised(known) == ()


def test_no_more_of_a_kind_than_the_operator_allows():
    known = book(*(job(f"w{n}", priority=Priority.URGENT) for n in range(6)))
    (advice,) = advised(known, replace(OFFER, most=2))
    assert advice.count == 2


def test_the_fixed_cost_decides_whether_one_is_worth_it():
    known = book(cluster("c1", slots=1), running("r", NOW - timedelta(hours=2)), job("n"))
    # It saves a normal workset 1.75 hours at a dollar each.
    assert advised(known, replace(OFFER, fixed_cost_per_hour_usd=1.0)) == ()
    assert advised(known, replace(OFFER, fixed_cost_per_hour_usd=0.1))


def test_who_creates_whatever_is_advised_counts_those_that_come_later_as_well():
    known = book(cluster("c1", slots=1), running("r", NOW - timedelta(hours=2)), job("n"))
    scene = Scene.of(known, NOW, most=MOST_PLANNED)
    assert finish(creations(scene, run_times(), (OFFER,))) == ()
    (advice,) = finish(creations(scene, run_times(), (OFFER,), crowding=8.0))
    assert advice.saving_usd == pytest.approx(8 * 1.75 - 4.75, abs=0.1)


def test_what_is_being_created_is_not_advised_again():
    known = book(cluster("c1", slots=1), running("r"), job("u", priority=Priority.URGENT))
    scene = Scene.of(known, NOW, most=MOST_PLANNED)
    assert finish(creations(scene, run_times(), (OFFER,)))
    there = replace(scene, starting=((NOW + OFFER.start, OFFER.as_cluster("new", NOW)),))
    assert finish(creations(there, run_times(), (OFFER,))) == ()


def test_cheaper_work_is_a_reason_of_its_own():
    known = book(
        cluster("c1", price=0.20, slots=1), running("r", NOW - timedelta(hours=2)), job("n")
    )
    (advice,) = advised(known, replace(OFFER, fixed_cost_per_hour_usd=1.0))
    # 96 vCPUs for 4 hours at 16 cents less, beside the waiting, less the fixed cost.
    assert advice.saving_usd == pytest.approx(96 * 4 * 0.16 + 1.75 - 4.75, abs=0.1)


def test_the_same_queue_gives_the_same_advice():
    known = book(*(job(f"w{n}", priority=Priority(n % 3)) for n in range(9)))
    other = replace(OFFER, zone="us-west-2b")
    assert advised(known, OFFER, other) == advised(known, other, OFFER)


def test_without_a_table_the_kinds_that_there_are_can_be_had_again():
    known = [cluster("c1", fixed=2.0), cluster("c2", fixed=2.0), cluster("c3", price=0.01)]
    found = like(known)
    assert [(each.price_per_vcpu_hour_usd, each.fixed_cost_per_hour_usd) for each in found] == [
        (0.01, 0.0),
        (0.04, 2.0),
    ]
    assert found[1].size == known[0].capacity


# --- clusters to delete ---


def test_an_idle_cluster_is_safe_to_delete_and_its_fixed_cost_is_saved():
    (advice,) = idle(book(cluster("c1", fixed=1.2)))
    assert (advice.cluster_name, advice.saving_usd_per_hour) == ("c1", 1.2)
    assert advice.reason == (
        "no workset holds a part of it, nobody else uses it, and nothing that waits would start "
        "there within 1 h"
    )


@pytest.mark.parametrize(
    "why",
    [
        [running("r")],
        [job("w")],
        [job("w", available_at=NOW + timedelta(minutes=30))],
        [cluster("c1", foreign=Resources(vcpus=4), version=2)],
        [cluster("c1", heard_at=NOW - timedelta(hours=1), version=2)],
    ],
    ids=["it is locked", "something starts", "something is due", "others use it", "silent"],
)
def test_what_may_still_be_needed_is_not_safe(why):
    known = book(replace(cluster("c1"), heard_at=NOW - timedelta(seconds=1)), *why)
    if isinstance(why[0], type(cluster("c1"))):
        known = book(why[0])
    assert idle(known) == ()


def test_what_is_asked_for_by_name_is_not_safe():
    # It cannot have it now, as it is too large, but somebody wants it there.
    assert idle(book(cluster("c1"), job("w", vcpus=999, cluster="c1"))) == ()


def test_of_two_clusters_the_one_that_is_not_needed_is_safe():
    known = book(cluster("c1", price=0.02), cluster("c2", price=0.09, fixed=3.0), job("w"))
    assert [each.cluster_name for each in idle(known)] == ["c2"]


def test_a_draining_cluster_without_work_is_safe():
    (advice,) = idle(book(cluster("c1", draining=True)))
    assert advice.reason.startswith("it takes no new work, no workset holds")
