"""The queue's index."""

import random
from datetime import timedelta

from daylily_scheduler.domain.model import Estimate, Priority
from daylily_scheduler.domain.order import order_class, order_key
from daylily_scheduler.domain.queue import Hold, Queue, price_ceiling, price_class
from daylily_scheduler.domain.resources import Resources
from tests.support.scheduling import NOW, workset


def in_order(queue):
    keys = [
        (priority, key)
        for priority in Priority
        for _, lane in queue.lanes(priority)
        for key in lane
    ]
    return [key[1] for _, key in sorted(keys)]


def test_a_long_lane_keeps_its_order_while_it_is_emptied_from_the_front_and_filled_again():
    chance = random.Random(7)
    queue, expected = Queue(), {}
    for number in range(500):
        one = workset(f"w{number}", age_s=chance.randrange(1000))
        queue.put(one, NOW)
        expected[one.workset_id] = one
        if number % 3 == 2:
            first = in_order(queue)[0]
            queue.remove(first)
            del expected[first]
    ordered = sorted(expected.values(), key=lambda w: (order_class(w), order_key(w)))
    assert in_order(queue) == [one.workset_id for one in ordered]


def test_a_changed_priority_moves_a_workset_to_its_new_place():
    queue = Queue()
    queue.put(workset("a", age_s=90), NOW)
    queue.put(workset("b", age_s=60), NOW)
    queue.put(workset("b", age_s=60, priority=Priority.URGENT, version=2), NOW)
    assert in_order(queue) == ["b", "a"]
    assert [queue.startable(priority) for priority in Priority] == [1, 1, 0]


def test_positions_count_who_goes_first():
    queue = Queue()
    mine = workset("mine", age_s=60)
    others = [
        workset("urgent", priority=Priority.URGENT, age_s=10),
        workset("older", age_s=90, vcpus=4),
        workset("older too", age_s=80),
        workset("younger", age_s=30),
        workset("low", priority=Priority.LOW, age_s=900),
    ]
    for one in [mine, *others]:
        queue.put(one, NOW)
    assert queue.ahead_of(mine) == 3


def test_a_hold_keeps_its_place():
    queue = Queue()
    for name, age in (("a", 90), ("b", 60)):
        queue.put(workset(name, age_s=age), NOW)
    queue.hold("a", Hold.ATTEMPT)
    assert (in_order(queue), queue.waiting) == (["b"], 1)
    assert queue.unhold("a", NOW)
    assert in_order(queue) == ["a", "b"]


def test_a_timer_of_a_workset_that_changed_since_does_nothing():
    queue = Queue()
    later = NOW + timedelta(minutes=5)
    urgent = Priority.URGENT
    queue.put(workset("w", priority=urgent, available_at=NOW + timedelta(minutes=1)), NOW)
    queue.put(workset("w", priority=urgent, available_at=later, version=2), NOW)
    assert queue.advance(NOW + timedelta(minutes=2)) == []
    assert queue.advance(later) == ["w"]
    assert queue.next_due is None


def test_the_least_need_is_a_lower_bound_until_the_class_is_empty():
    queue = Queue()
    queue.put(workset("a", vcpus=8, memory_gb=64), NOW)
    queue.put(workset("b", vcpus=16, memory_gb=2), NOW)
    assert queue.least_need(Priority.NORMAL) == Resources(8, 2 * 1024, 0, 1)
    queue.remove("a")
    queue.remove("b")
    assert queue.least_need(Priority.NORMAL) is None


def test_price_limits_that_share_a_lane_lie_below_its_ceiling():
    for limit in (1e-12, 0.0399, 0.04, 1.0, 7.3, 1e300):
        assert limit <= price_ceiling(price_class(limit))
    assert price_ceiling(price_class(0.0)) < 1e-9
    assert price_class(float("inf")) is None


def test_worksets_with_equal_needs_share_a_lane_whatever_they_cost():
    queue = Queue()
    for number in range(50):
        queue.put(workset(f"w{number}", estimate=Estimate(vcpu_hours=number + 1)), NOW)
    assert len(list(queue.lanes(Priority.NORMAL))) == 1
