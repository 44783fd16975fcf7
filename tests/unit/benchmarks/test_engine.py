"""The simulator against cases worked out by hand."""

import pytest

from benchmarks.scheduling.engine import OverCapacityError, PriceChange, Reclaim, StuckError
from benchmarks.scheduling.figures import figures
from benchmarks.scheduling.policies.base import Inside, Start
from benchmarks.scheduling.policies.replaced import Replaced
from benchmarks.scheduling.policies.simple import Listed, by_arrival, first_fit
from benchmarks.scheduling.workload import HOUR
from daylily_scheduler.domain.model import Priority
from tests.unit.benchmarks.given import ends, job, play, site, starts


def fifo():
    return Listed(by_arrival, blocking=True)


class Everything(Listed):
    """Starts all that waits on the first cluster, whether it fits or not."""

    def __init__(self, inside):
        super().__init__(by_arrival, first_fit)
        self.inside = inside

    def starts(self, now):
        del now
        name = next(iter(self._machines))
        found = [Start(workset_id, name) for workset_id in self._queue]
        self._queue.clear()
        return found

    def finish(self, workset_id, now):
        pass


def test_one_after_the_other_where_there_is_room_for_one():
    run = play(fifo(), [site("a", vcpus=8)], [job("x", run=2), job("y", 0.5, run=1)])
    assert starts(run) == {"x": (0, "a"), "y": (2, "a")}
    assert [o.delay / HOUR for o in run.outcomes] == [0, 1.5]


def test_slots_limit_what_runs_at_once():
    run = play(fifo(), [site("a", vcpus=64, slots=1)], [job("x"), job("y")])
    assert starts(run)["y"] == (1, "a")


def test_room_that_comes_free_is_there_for_what_arrives_at_that_moment():
    run = play(fifo(), [site("a", vcpus=8)], [job("x", run=1), job("y", 1)])
    assert starts(run)["y"] == (1, "a")


def test_the_cost_is_that_of_the_vcpu_hours_and_of_the_live_clusters():
    run = play(fifo(), [site("a", price=0.02), site("b", price=0.03)], [job("x", run=2)])
    found = figures(run)
    assert found.energy == pytest.approx(8 * 2 * 0.02)
    assert found.fixed == pytest.approx(2 * 2.0)


def test_delay_is_weighted_by_priority():
    jobs = [job("x", run=2), job("y", priority=Priority.URGENT), job("z", priority=Priority.LOW)]
    found = figures(play(fifo(), [site("a", vcpus=8)], jobs))
    assert found.delay_usd == pytest.approx(8 * 2 + 0.25 * 3)
    assert (found.urgent_p95, found.low_p99) == (2, 3)


def test_worksets_that_share_a_cluster_slow_down_in_proportion():
    # Two of 8 on 8 vCPUs: half speed for two hours until x is done, then y alone.
    run = play(Everything(Inside.SHARED), [site("a", vcpus=8)], [job("x", run=1), job("y", run=2)])
    assert ends(run) == pytest.approx({"x": 2, "y": 3})
    assert run.overcommitted_s == pytest.approx(2 * HOUR)
    # What is paid is the work that was done: 8 vCPUs for three hours.
    assert run.energy_usd == pytest.approx(8 * 3 * 0.01)


def test_worksets_that_queue_inside_a_cluster_start_in_order():
    jobs = [job("x", run=2), job("big", vcpus=16), job("small", vcpus=8)]
    run = play(Everything(Inside.QUEUED), [site("a", vcpus=16)], jobs)
    assert starts(run) == {"x": (0, "a"), "big": (2, "a"), "small": (3, "a")}
    assert run.overcommitted_s == pytest.approx(2 * HOUR + 1 * HOUR)


def test_a_policy_that_overfills_a_cluster_is_stopped():
    with pytest.raises(OverCapacityError, match="y overfills a at 0 s"):
        play(Everything(Inside.NEVER), [site("a", vcpus=8)], [job("x"), job("y")])


def test_what_can_never_run_is_said():
    with pytest.raises(StuckError, match="1 worksets wait for ever"):
        play(fifo(), [site("a", vcpus=8)], [job("x", vcpus=32)])


def test_a_reclaimed_cluster_loses_its_work_and_the_work_is_paid():
    run = play(fifo(), [site("a")], [job("x", run=3)], reclaims=[Reclaim(2 * HOUR, "a")])
    (outcome,) = run.outcomes
    assert (outcome.attempts, outcome.ended / HOUR) == (2, 5)
    assert run.energy_usd == pytest.approx(8 * 5 * 0.01)
    assert outcome.delay / HOUR == 2


def test_a_price_counts_from_its_change_on():
    change = PriceChange(1 * HOUR, "zone-a", 0.05)
    run = play(fifo(), [site("a")], [job("x", run=2)], price_changes=[change])
    assert run.energy_usd == pytest.approx(8 * 0.01 + 8 * 0.05)


def test_a_cluster_boots_when_needed_and_goes_when_idle():
    run = play(fifo(), [site("a")], [job("x", 1, run=2), job("y", 8, run=1)], elastic=True)
    assert starts(run) == {"x": (1.25, "a"), "y": (8.25, "a")}
    # Two lives: boot, run, idle until shut down; the last one ends with the simulation.
    assert run.fixed_usd == pytest.approx((0.25 + 2 + 0.5) + (0.25 + 1))


def test_a_cluster_that_gets_work_while_idle_stays():
    run = play(fifo(), [site("a")], [job("x", 0, run=1), job("y", 1.5, run=1)], elastic=True)
    assert starts(run)["y"] == (1.5, "a")


def test_the_same_inputs_give_the_same_run():
    jobs = [job(f"w{n}", n * 0.1, vcpus=8 * (n % 3 + 1), run=n % 4 + 1) for n in range(40)]
    sites = [site("a", vcpus=32, price=0.02), site("b", vcpus=32)]
    first, second = (play(Replaced(Inside.SHARED), sites, jobs) for _ in range(2))
    assert first == second


class Prophet(Listed):
    """Says of every workset that it waits so long at most, nine times in ten."""

    def __init__(self, seconds):
        super().__init__(by_arrival, blocking=True)
        self._seconds = seconds

    def wait_p90(self, workset_id, now):
        del workset_id, now
        return self._seconds


@pytest.mark.parametrize(("hours", "share"), [(9.0, 1.0), (8.98, 0.0), (2.0, 0.0)])
def test_estimates_of_waits_are_put_to_the_test(hours, share):
    """Every fifth that waits is estimated: here the fifth of six, which waits 4 x 2 + 1 h."""
    jobs = [job("first", run=2), *(job(f"w{n}", 0.2 * n, run=2) for n in range(1, 6))]
    found = figures(play(Prophet(hours * HOUR), [site("a", vcpus=8)], jobs, estimate_every=5))
    assert found.covered == share


def test_a_policy_without_estimates_has_no_coverage():
    assert figures(play(fifo(), [site("a")], [job("x")])).covered is None
