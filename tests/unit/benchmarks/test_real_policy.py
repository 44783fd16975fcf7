"""The project's own policy in the simulator."""

import pytest

from benchmarks.scheduling.engine import Simulation
from benchmarks.scheduling.figures import figures
from benchmarks.scheduling.policies.base import Inside
from benchmarks.scheduling.policies.daylily import Daylily
from benchmarks.scheduling.scenarios import Scenario, Source
from daylily_scheduler.domain.model import Priority
from tests.unit.benchmarks.given import job, play, site, starts


def test_it_is_told_estimates_alone():
    jobs = [job("x", vcpus=16, run=1, estimate=9), job("y", vcpus=16, run=1, estimate=2)]
    other = [job("x", vcpus=16, run=3, estimate=9), job("y", vcpus=16, run=2, estimate=2)]
    first, second = (starts(play(Daylily(), [site("a")], these)) for these in (jobs, other))
    # The shorter by its estimate goes first; what follows depends on when it really ends.
    assert first["y"] == second["y"] == (0, "a")
    assert (first["x"], second["x"]) == ((1, "a"), (2, "a"))


def test_urgent_goes_first():
    jobs = [
        job("x", vcpus=16),
        job("n", 0.1, vcpus=16),
        job("u", 0.2, vcpus=16, priority=Priority.URGENT),
    ]
    found = starts(play(Daylily(), [site("a")], jobs))
    assert found["u"] == (1, "a")


@pytest.mark.parametrize("elastic", [False, True])
def test_it_never_overfills_a_cluster_and_plays_the_same_twice(elastic):
    source = Source()
    scenario = Scenario(start=100, days=6, load=0.95, elastic=elastic)
    platform, jobs = scenario.build(source.rows(), source.zone_prices())
    assert Daylily.inside is Inside.NEVER  # so the engine refuses what does not fit
    first, second = (Simulation(platform, jobs, Daylily()).run() for _ in range(2))
    assert figures(first) == figures(second)
    assert figures(first).overcommitted == 0
    assert all(outcome.ended > outcome.started for outcome in first.outcomes)
