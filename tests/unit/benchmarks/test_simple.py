"""The simple policies, each on the smallest case in which it differs from the others."""

from benchmarks.scheduling.policies.base import Inside
from benchmarks.scheduling.policies.replaced import Replaced
from benchmarks.scheduling.policies.simple import Listed, by_arrival, by_length, by_priority
from daylily_scheduler.domain.model import Priority
from tests.unit.benchmarks.given import job, play, site, starts

# 8 of 16 vCPUs are taken for two hours; the next needs all 16.
BLOCKED = (job("runs", run=2), job("big", 0.1, vcpus=16, run=1))


def when(policy, *jobs):
    return {name: at for name, (at, _) in starts(play(policy, [site("a")], jobs)).items()}


def test_fifo_lets_nobody_overtake():
    assert when(Listed(by_arrival, blocking=True), *BLOCKED, job("s", 0.2, run=1))["s"] == 3


def test_easy_starts_what_does_not_delay_the_head():
    found = when(
        Listed(by_arrival, backfill=by_arrival),
        *BLOCKED,
        job("short", 0.2, run=1),
        job("long", 0.2, run=3),
    )
    assert (found["short"], found["big"], found["long"]) == (0.2, 2, 3)


def test_easy_goes_by_estimates_and_uses_what_ends_early():
    found = when(
        Listed(by_arrival, backfill=by_arrival),
        job("runs", run=1, estimate=4),
        job("big", 0.1, vcpus=16),
        job("s", 0.2, run=1, estimate=3.5),
    )
    assert (found["s"], found["big"]) == (0.2, 1.2)


def test_easy_keeps_the_head_from_starving_where_a_plain_list_does_not():
    small = [job(f"s{n}", 0.5 * n, run=1.9) for n in range(1, 12)]
    jobs = (*BLOCKED, *small)
    assert when(Listed(by_arrival, backfill=by_arrival), *jobs)["big"] == 2
    assert when(Listed(by_arrival), *jobs)["big"] > 4


def test_easy_backfills_freely_on_the_clusters_that_the_head_does_not_wait_for():
    found = starts(
        play(
            Listed(by_arrival, backfill=by_arrival),
            [site("a"), site("b", vcpus=8)],
            [*BLOCKED, job("s", 0.2, run=9)],
        )
    )
    assert found["s"] == (0.2, "b")
    assert found["big"] == (2, "a")


def test_sjbf_backfills_the_shortest():
    jobs = (*BLOCKED, job("s1", 0.2, run=1.5), job("s2", 0.2, run=1))
    assert when(Listed(by_arrival, backfill=by_length), *jobs)["s2"] == 0.2
    assert when(Listed(by_arrival, backfill=by_arrival), *jobs)["s1"] == 0.2


def test_the_shortest_first():
    jobs = (job("x", vcpus=16), job("long", 0.1, run=5), job("short", 0.2, vcpus=16, run=1))
    found = when(Listed(by_length), *jobs)
    assert (found["short"], found["long"]) == (1, 2)


def test_priority_goes_before_age():
    jobs = (
        job("x", vcpus=16),
        job("n", 0.1, vcpus=16),
        job("u", 0.2, vcpus=16, priority=Priority.URGENT),
    )
    found = when(Listed(by_priority, backfill=by_priority), *jobs)
    assert (found["u"], found["n"]) == (1, 2)


def test_the_cheapest_cluster_with_room_is_taken():
    run = play(
        Listed(by_arrival), [site("a", price=0.03), site("b", vcpus=8)], [job("x"), job("y")]
    )
    assert {name: where for name, (_, where) in starts(run).items()} == {"x": "b", "y": "a"}


def test_the_replaced_system_looks_at_slots_alone():
    run = play(Replaced(Inside.QUEUED), [site("a", vcpus=8)], [job("x"), job("y")])
    assert starts(run) == {"x": (0, "a"), "y": (1, "a")}
    assert run.overcommitted_s == 3600


def test_the_replaced_system_likes_clusters_that_are_two_thirds_full():
    # 0.1 + |0.6 - 0| for a; 0.3 + |0.6 - 0.5| for b once x runs there.
    sites = [site("a", price=0.01), site("b", price=0.03)]
    jobs = [job("x", run=5), job("y", 0.1)]
    assert starts(play(Replaced(Inside.SHARED), sites, jobs))["y"] == (0.1, "a")
