"""The lower bound against the best schedule there is, found by trying all of them."""

import random
from itertools import permutations, product

import pytest

from benchmarks.scheduling.bound import lower_bound
from benchmarks.scheduling.figures import figures
from benchmarks.scheduling.policies.simple import Listed, by_length
from benchmarks.scheduling.workload import HOUR
from daylily_scheduler.domain.model import Priority
from tests.unit.benchmarks.given import job, play, site


def earliest(placed, vcpus, begin, run, needed):
    """The first time from `begin` on at which a job fits beside those placed: (start, end, vcpus)."""
    for start in sorted({begin, *(end for _, end, _ in placed if end > begin)}):
        times = {start, *(s for s, _, _ in placed if start < s < start + run)}
        if all(
            sum(taken for s, e, taken in placed if s <= at < e) + needed <= vcpus for at in times
        ):
            return start
    raise AssertionError("after the last end everything fits")


def best(jobs, sites):
    """E + WD of the best schedule without interruptions. Some order, each placed as early as it can
    be on some cluster, gives a best one: no delay is worse for starting earlier.
    """
    found = []
    for order in permutations(jobs):
        for where in product(sites, repeat=len(jobs)):
            if any(
                each.offer.vcpus > there.vcpus for each, there in zip(order, where, strict=True)
            ):
                continue
            placed = {there.name: [] for there in sites}
            cost = 0.0
            for each, there in zip(order, where, strict=True):
                offer, arrival, run = each.offer, each.offer.arrival / HOUR, each.run / HOUR
                start = earliest(placed[there.name], there.vcpus, arrival, run, offer.vcpus)
                placed[there.name].append((start, start + run, offer.vcpus))
                cost += each.vcpu_hours * there.price + (start - arrival) * each.delay_usd_per_hour
            found.append(cost)
    return min(found)


@pytest.mark.parametrize("seed", range(40))
def test_it_is_never_above_the_best_schedule(seed):
    chance = random.Random(seed)
    jobs = [
        job(
            f"w{number}",
            chance.choice([0, 0, 0.5, 1.3]),
            vcpus=chance.choice([4, 8, 12, 16]),
            run=chance.choice([0.5, 0.7, 1, 2.5]),
            priority=chance.choice(list(Priority)),
        )
        for number in range(4)
    ]
    sites = [site("a", vcpus=16, price=0.2), site("b", vcpus=8, price=chance.choice([0.02, 0.9]))]
    optimum = best(jobs, sites)
    for bucket in (0.1, 0.5, 1.0):
        found = lower_bound(jobs, sites, bucket)
        assert found.usd <= optimum + 1e-9
        assert found.primal_usd >= found.usd - 1e-9


def test_it_is_exact_but_for_the_buckets_where_nothing_is_relaxed():
    """One cluster, jobs that fill it: nothing to cut, the more urgent first."""
    jobs = [job("x", run=2), job("u", run=1, priority=Priority.URGENT), job("y", 1, run=1)]
    optimum = best(jobs, [site("a", vcpus=8)])
    bucket = 0.05
    error = sum(each.delay_usd_per_hour * bucket**2 / (8 * each.run / HOUR) for each in jobs)
    found = lower_bound(jobs, [site("a", vcpus=8)], bucket)
    assert optimum - error - 1e-6 <= found.usd <= optimum


def test_work_that_need_not_wait_costs_what_the_cheapest_cluster_asks():
    found = lower_bound([job("x", run=10)], [site("a", price=0.05), site("b", price=0.01)], 0.1)
    assert found.usd == pytest.approx(8 * 10 * 0.01, abs=1e-3)


def test_finer_buckets_give_a_better_bound():
    jobs = [job(f"w{n}", 0.3 * n, vcpus=16, run=1 + n % 3) for n in range(8)]
    coarse, fine = (lower_bound(jobs, [site("a")], bucket).usd for bucket in (2.0, 0.25))
    assert coarse < fine


def test_no_policy_is_below_it_and_more_work_than_can_be_done_soon_is_bounded_too():
    jobs = [job(f"w{n}", 0.05 * n, vcpus=16, run=3 + n % 5) for n in range(60)]
    found = figures(play(Listed(by_length), [site("a")], jobs)).variable
    bound = lower_bound(jobs, [site("a")])
    assert 0.9 * found < bound.usd <= found
    # Those who wait for days had no columns for it at first.
    assert bound.rounds > 1
    assert bound.usd == pytest.approx(bound.primal_usd, rel=1e-3)
