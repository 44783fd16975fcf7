"""Advice pays for itself and can be followed, whatever waits and whatever is offered."""

from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from daylily_scheduler.domain.advice import LEAST_SAVING_USD, MOST_CREATIONS, creations
from daylily_scheduler.domain.forecast import Scene
from daylily_scheduler.domain.offers import Offer
from daylily_scheduler.domain.resources import Resources
from daylily_scheduler.domain.runtimes import RunTimes
from tests.property.scheduler.test_forecast import clusters, finish, worksets
from tests.support.scheduling import NOW, book, cluster, workset

offers = st.lists(
    st.builds(
        lambda zone, vcpus, slots, price, fixed, most, start: Offer(
            region="r",
            zone=zone,
            instance_types=frozenset(),
            size=Resources(vcpus, 2**20, 0, slots),
            price_per_vcpu_hour_usd=price,
            fixed_cost_per_hour_usd=fixed,
            start=timedelta(minutes=start),
            most=most,
        ),
        st.sampled_from(["a", "b"]),
        st.integers(1, 120),
        st.integers(1, 4),
        st.floats(0.0, 0.2),
        st.floats(0.0, 5.0),
        st.integers(0, 3),
        st.integers(0, 60),
    ),
    max_size=3,
)


@settings(max_examples=50, deadline=None)
@given(clusters, worksets, offers)
def test_what_is_recommended_saves_can_be_had_and_suits_its_worksets(places, jobs, kinds):
    known = book(*(cluster(f"c{n}", **place) for n, place in enumerate(places)))
    made = {f"w{n}": workset(f"w{n}", **job) for n, job in enumerate(jobs)}
    for each in made.values():
        known.put(each, NOW)
    advice = finish(creations(Scene.of(known, NOW), RunTimes(8.0), kinds))
    assert sum(each.count for each in advice) <= MOST_CREATIONS
    if advice:
        assert sum(each.saving_usd for each in advice) >= LEAST_SAVING_USD - 1e-6
    for each in advice:
        assert each.offer in kinds
        assert not each.offer.most or each.count <= each.offer.most
        assert each.cost_usd >= each.fixed_usd >= 0
        assert all(each.offer.suits(made[name].needs) for name in each.workset_ids)
    again = finish(creations(Scene.of(known, NOW), RunTimes(8.0), kinds))
    assert again == advice
