"""Plays keep to the rules of the world, whatever the queue and the clusters are."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from daylily_scheduler.domain.forecast import Scene, forecast
from daylily_scheduler.domain.model import Estimate, Priority
from daylily_scheduler.domain.runtimes import RunTimes
from tests.support.scheduling import NOW, book, cluster, workset

clusters = st.lists(
    st.builds(
        lambda vcpus, slots, price, zone: {
            "vcpus": vcpus,
            "slots": slots,
            "price": price,
            "zone": zone,
        },
        st.integers(1, 96),
        st.integers(1, 4),
        st.sampled_from([0.02, 0.04]),
        st.sampled_from(["a", "b"]),
    ),
    max_size=4,
)
worksets = st.lists(
    st.builds(
        lambda vcpus, priority, zone, age, hours, later: {
            "vcpus": vcpus,
            "priority": priority,
            "zone": zone,
            "age_s": age,
            "estimate": Estimate(hours=hours),
            "available_at": NOW + timedelta(hours=later) if later else None,
        },
        st.integers(1, 110),
        st.sampled_from(Priority),
        st.sampled_from(["", "", "a", "b"]),
        st.integers(0, 10_000),
        st.floats(0.0, 40.0),
        st.sampled_from([0, 0, 0, 2]),
    ),
    max_size=12,
)


def finish(steps):
    while True:
        try:
            next(steps)
        except StopIteration as end:
            return end.value


@settings(deadline=None)
@given(clusters, worksets)
def test_no_play_overfills_a_cluster_or_starts_anything_twice_or_too_early(places, jobs):
    known = book(*(cluster(f"c{n}", **place) for n, place in enumerate(places)))
    made = {f"w{n}": workset(f"w{n}", **job) for n, job in enumerate(jobs)}
    for each in made.values():
        known.put(each, NOW)
    found = finish(forecast(Scene.of(known, NOW), RunTimes(8.0)))
    for play in found.plays:
        assert set(play.starts) <= set(made)
        for name, start in play.starts.items():
            due = made[name].available_at
            assert due is None or NOW + timedelta(hours=start) >= due - timedelta(milliseconds=1)
            place = known.fleet.get(play.clusters[name])
            # What runs there when it starts, it among them.
            beside = [
                made[other]
                for other, at in play.starts.items()
                if play.clusters[other] == place.cluster_name
                and at <= start < play.ends.get(other, float("inf"))
            ]
            assert sum(each.needs.amount.vcpus for each in beside) <= place.capacity.vcpus
            assert len(beside) <= place.capacity.slots
            assert made[name].needs.zone in {"", place.zone}


@settings(deadline=None)
@given(clusters, worksets)
def test_whatever_fits_a_cluster_starts_in_the_end(places, jobs):
    known = book(*(cluster(f"c{n}", **place) for n, place in enumerate(places)))
    for number, job in enumerate(jobs):
        known.put(workset(f"w{number}", **job), NOW)
    found = finish(forecast(Scene.of(known, NOW), RunTimes(8.0)))
    for number, job in enumerate(jobs):
        fits = any(
            job["vcpus"] <= place["vcpus"] and job["zone"] in {"", place["zone"]}
            for place in places
        )
        for play in found.plays:
            beyond_the_horizon = play.hours > 24 * 13
            assert (f"w{number}" in play.starts) == fits or beyond_the_horizon
