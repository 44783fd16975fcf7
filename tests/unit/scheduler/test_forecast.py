"""Waits in cases that can be worked out by hand."""

from dataclasses import replace
from datetime import timedelta

import pytest

from daylily_scheduler.domain import forecast as playing
from daylily_scheduler.domain.forecast import NEVER, Scene, forecast
from daylily_scheduler.domain.model import Customer, Estimate, Priority, WorksetState
from daylily_scheduler.domain.runtimes import Basis, Kind, Run, RunTimes
from tests.support.scheduling import NOW, book, cluster, workset

HOUR = timedelta(hours=1)


def run_times(hours=2.0):
    """Every run of this kind took exactly so long."""
    times = RunTimes(8)
    for _ in range(5):
        times.learn(Run(Kind("p", 0, 8), hours))
    return times


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


def played(known, also=(), times=None, **fields):
    return finish(
        forecast(Scene.of(known, NOW, also), run_times() if times is None else times, **fields)
    )


def wait(found, name, ahead=0):
    answer = found.wait(name, ahead)
    return pytest.approx(answer.p50, abs=1e-3), pytest.approx(answer.p90, abs=1e-3)


def job(name, **fields):
    return workset(name, pipeline="p", **{"vcpus": 8, "estimate": Estimate(), **fields})


def running(name, cluster_name, since, **fields):
    return replace(
        job(name, **fields),
        state=WorksetState.IN_PROGRESS,
        locked=True,
        cluster_name=cluster_name,
        locked_at=since,
        version=3,
    )


def test_on_one_slot_each_waits_for_those_before_it():
    known = book(cluster("c1", slots=1), *(job(f"w{n}", age_s=90 - n) for n in range(3)))
    found = played(known)
    assert [wait(found, f"w{n}") for n in range(3)] == [(0, 0), (2, 2), (4, 4)]
    assert found.basis is Basis.HISTORY
    assert not found.wait("w2", 2).extrapolated


def test_a_run_under_way_ends_when_those_like_it_did():
    known = book(
        cluster("c1", slots=1), running("r", "c1", NOW - HOUR / 2), job("w"), job("x", age_s=1)
    )
    found = played(known)
    assert (wait(found, "w"), wait(found, "x")) == ((1.5, 1.5), (3.5, 3.5))


def test_what_runs_on_a_silent_cluster_makes_no_room():
    known = book(
        cluster("c1", slots=1, heard_at=NOW - HOUR), running("r", "c1", NOW - HOUR), job("w")
    )
    assert played(known).wait("w", 0).p50 == NEVER


def test_an_urgent_workset_goes_first_and_pushes_the_others_back():
    known = book(
        cluster("c1", slots=1),
        running("r", "c1", NOW),
        job("older", age_s=900),
        job("u", priority=Priority.URGENT),
    )
    found = played(known)
    assert (wait(found, "u"), wait(found, "older")) == ((2, 2), (4, 4))


def test_a_backoff_is_waited_for():
    known = book(cluster("c1"), job("w", available_at=NOW + 3 * HOUR))
    assert wait(played(known), "w") == (3, 3)


def test_a_workset_waits_for_what_it_depends_on():
    first = job("first")
    second = job("second", dependencies_met=False)
    known = book(cluster("c1"), first)
    found = played(known, [second], target="second", after=frozenset({"first"}))
    assert wait(found, "second") == (2, 2)


def test_a_customer_at_its_limit_waits_for_its_own():
    known = book(
        cluster("c1"),
        running("r", "c1", NOW - HOUR, customer_id="acme"),
        job("a", customer_id="acme", age_s=900),
        job("b"),
    )
    known.set_customers([Customer("acme", max_concurrent=1)])
    found = played(known)
    assert (wait(found, "a"), wait(found, "b")) == ((1, 1), (0, 0))


@pytest.mark.parametrize("reason", [{"vcpus": 999}, {"zone": "elsewhere"}])
def test_what_fits_no_cluster_never_starts(reason):
    known = book(cluster("c1"), job("w", **reason))
    answer = played(known).wait("w", 0)
    assert (answer.p50, answer.p90, answer.extrapolated) == (NEVER, NEVER, False)


def test_without_clusters_nothing_starts():
    assert played(book(job("w"))).wait("w", 0).p50 == NEVER


def test_run_times_that_scatter_give_a_p90_above_the_p50():
    known = book(cluster("c1", slots=1), job("a", age_s=900), job("b"))
    answer = played(known, times=RunTimes(8)).wait("b", 1)
    assert 3 < answer.p50 < 16
    assert answer.p50 < answer.p90 < 60


def test_a_place_far_behind_is_reached_at_the_pace_of_those_before_it(monkeypatch):
    monkeypatch.setattr(playing, "MOST_STARTS", 80)
    known = book(cluster("c1", slots=2), *(job(f"w{n:04}", age_s=9000 - n) for n in range(1000)))
    found = finish(forecast(Scene.of(known, NOW, most=100), run_times(), target="w0999"))
    answer = found.wait("w0999", 999)
    assert answer.extrapolated
    # Two every two hours.
    assert answer.p50 == pytest.approx(999, rel=0.02)


def test_the_same_scene_gives_the_same_forecast():
    known = book(cluster("c1", slots=2), *(job(f"w{n}") for n in range(20)))
    assert played(known, times=RunTimes(8)) == played(known, times=RunTimes(8))


def test_the_book_that_is_played_stays_as_it_was():
    known = book(cluster("c1", slots=1), job("a"), job("b"))
    played(known)
    assert (len(known.queue), len(known.active), known.fleet.free("c1").slots) == (2, 0, 1)
