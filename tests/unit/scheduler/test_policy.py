"""What a cluster gets next."""

from datetime import timedelta

import pytest

from daylily_scheduler.domain.model import Customer, Estimate, Priority
from daylily_scheduler.domain.policy import pick, pick_anywhere
from daylily_scheduler.domain.profile import Profile
from daylily_scheduler.domain.resources import Resources
from tests.support.scheduling import NOW, book, cluster, workset


def picked(known, name="c1", now=NOW, **options):
    found = pick(known, name, now, **options)
    return found and found.workset.workset_id


def test_urgent_goes_before_normal_and_normal_before_low_whatever_their_age():
    known = book(
        cluster("c1"),
        workset("low", priority=Priority.LOW, age_s=3000),
        workset("normal", age_s=2000),
        workset("urgent", priority=Priority.URGENT, age_s=10),
    )
    order = []
    while name := picked(known):
        order.append(name)
        known.queue.remove(name)
    assert order == ["urgent", "normal", "low"]


def test_inside_a_priority_the_oldest_goes_first_and_the_id_breaks_ties():
    known = book(
        cluster("c1"),
        workset("b", age_s=60, vcpus=4),
        workset("a", age_s=60, vcpus=8),
        workset("c", age_s=90, vcpus=16),
    )
    order = []
    while name := picked(known):
        order.append(name)
        known.queue.remove(name)
    assert order == ["c", "a", "b"]


def test_a_workset_that_does_not_fit_lets_the_next_one_pass():
    known = book(cluster("c1", vcpus=16), workset("big", age_s=90, vcpus=192), workset("small"))
    assert picked(known) == "small"


@pytest.mark.parametrize(
    "asks",
    [
        {"vcpus": 97},
        {"memory_gb": 385},
        {"storage_gb": 1201},
        {"zone": "us-west-2b"},
        {"estimate": Estimate(vcpu_hours=100, max_cost_usd=3.99)},
    ],
)
def test_what_a_cluster_lacks_keeps_a_workset_from_it(asks):
    known = book(cluster("c1"), workset("w", **asks))
    assert picked(known) is None


@pytest.mark.parametrize(
    "asks",
    [
        {"vcpus": 96},
        {"memory_gb": 384},
        {"storage_gb": 1200},
        {"zone": "us-west-2a"},
        {"estimate": Estimate(vcpu_hours=100, max_cost_usd=4.00)},
        {"vcpus": 0},
    ],
)
def test_what_a_cluster_has_exactly_is_enough(asks):
    assert picked(book(cluster("c1"), workset("w", **asks))) == "w"


def test_foreign_use_and_reservations_are_not_free():
    known = book(
        cluster("c1", vcpus=64, foreign=Resources(vcpus=32)),
        workset("first", age_s=90, vcpus=24),
        workset("second", vcpus=16),
    )
    known.assign(pick(known, "c1", NOW).workset, "c1")
    assert picked(known) is None
    known.give_up("first", NOW, stale=True)
    assert picked(known) == "second"


def test_a_cluster_without_a_free_slot_gets_nothing():
    known = book(cluster("c1", slots=1), workset("a", age_s=90), workset("b"))
    known.assign(pick(known, "c1", NOW).workset, "c1")
    assert picked(known) is None


def test_a_draining_cluster_gets_nothing():
    assert picked(book(cluster("c1", draining=True), workset("w"))) is None


def test_a_cluster_that_missed_three_reports_gets_nothing_until_it_is_heard_from():
    known = book(cluster("c1"), workset("w"))
    just_before = NOW + timedelta(seconds=179)
    silent = NOW + timedelta(seconds=180)
    assert picked(known, now=just_before) == "w"
    assert picked(known, now=silent) is None
    known.hear("c1", silent, silent)
    assert picked(known, now=silent) == "w"


def test_a_preferred_cluster_that_has_room_keeps_its_worksets():
    known = book(cluster("c1"), cluster("c2"), workset("w", cluster="c2"))
    assert picked(known, "c1") is None
    assert picked(known, "c2") == "w"


def test_worksets_go_elsewhere_when_the_cluster_they_prefer_is_full_gone_or_too_dear():
    wish = {"cluster": "c2", "vcpus": 32}
    full = book(cluster("c1"), cluster("c2", vcpus=16), workset("w", **wish))
    gone = book(cluster("c1"), workset("w", **wish))
    draining = book(cluster("c1"), cluster("c2", draining=True), workset("w", **wish))
    limit = Estimate(vcpu_hours=100, max_cost_usd=5)
    dear = book(cluster("c1"), cluster("c2", price=0.06), workset("w", estimate=limit, **wish))
    assert [picked(known) for known in (full, gone, draining, dear)] == ["w"] * 4


def test_instance_types_bind_while_some_cluster_has_them():
    c6i = frozenset({"c6i.32xlarge"})
    known = book(
        cluster("c1"),
        cluster("c2", instance_types=c6i, vcpus=16),
        workset("w", instance_types=c6i, vcpus=32),
    )
    assert picked(known, "c1") is None
    known.remove_cluster("c2")
    assert picked(known, "c1") == "w"


def test_what_backs_off_or_depends_on_another_is_not_picked():
    later = NOW + timedelta(minutes=5)
    known = book(
        cluster("c1"),
        workset("backs off", available_at=later, age_s=90),
        workset("depends", dependencies_met=False, age_s=90),
    )
    assert picked(known) is None
    known.put_cluster(cluster("c1", heard_at=later, version=2), later)
    known.advance(later)
    assert picked(known, now=later) == "backs off"


def test_a_customer_at_its_limit_lets_others_pass():
    known = book(
        cluster("c1"),
        workset("a1", customer_id="acme", age_s=90),
        workset("a2", customer_id="acme", age_s=80),
        workset("b1", customer_id="bolt", age_s=70),
    )
    known.limits.set_all([Customer("acme", max_concurrent=1)])
    known.assign(pick(known, "c1", NOW).workset, "c1")
    assert picked(known) == "b1"


def test_a_budget_lets_pass_what_it_can_pay():
    known = book(
        cluster("c1"),
        workset("dear", customer_id="acme", age_s=90, estimate=Estimate(10, 1, 50.0)),
        workset("cheap", customer_id="acme", age_s=80, estimate=Estimate(10, 1, 5.0)),
    )
    known.limits.set_all([Customer("acme", budget_usd=20, spent_usd=10, reserved_usd=4)])
    assert picked(known) == "cheap"
    known.assign(pick(known, "c1", NOW).workset, "c1")
    assert known.limits.left_usd(known.limits.get("acme")) == 1.0


def test_passing_over_stays_among_worksets_of_one_kind():
    known = book(
        cluster("c1"),
        *(workset(f"a{i}", age_s=90 - i) for i in range(4)),
        workset("other", age_s=80, vcpus=4),
    )
    assert [picked(known, pass_over=n) for n in range(6)] == ["a0", "a1", "a2", "a3", "a3", "a3"]


def test_the_next_anywhere_goes_to_the_cheapest_cluster():
    known = book(
        cluster("dear", price=0.05),
        cluster("cheap", price=0.03),
        cluster("cheaper but full", price=0.01, slots=0),
        workset("w"),
    )
    found = pick_anywhere(known, NOW)
    assert (found.workset.workset_id, found.placement.cluster_name) == ("w", "cheap")
    assert found.placement.cost_usd == pytest.approx(0.30)


def test_among_equal_prices_the_tightest_fit_wins():
    known = book(
        cluster("large", vcpus=192, memory_gb=768),
        cluster("small", vcpus=32, memory_gb=128),
        workset("w", vcpus=16),
    )
    assert pick_anywhere(known, NOW).placement.cluster_name == "small"


def test_a_cost_that_nobody_stated_lets_the_price_decide():
    known = book(
        cluster("a", price=0.05), cluster("b", price=0.04), workset("w", estimate=Estimate())
    )
    assert pick_anywhere(known, NOW).placement.cluster_name == "b"


def test_order_holds_across_kinds_when_the_head_of_one_is_too_dear():
    def limited(usd):
        # Limits this close share a lane.
        return Estimate(vcpu_hours=100, max_cost_usd=usd)

    known = book(
        cluster("c1", price=0.041),
        workset("too dear", age_s=90, estimate=limited(4.0)),
        workset("younger", age_s=60, estimate=limited(4.1)),
        workset("older", age_s=80, vcpus=4),
    )
    assert picked(known) == "older"


def test_a_pick_looks_at_as_many_kinds_in_a_long_queue_as_in_a_short_one(monkeypatch):
    looks = []
    earliest = Profile.earliest

    def counted(*args):
        looks.append(args)
        return earliest(*args)

    monkeypatch.setattr(Profile, "earliest", counted)
    counts = []
    for length in (100, 10_000):
        known = book(cluster("c1", vcpus=8))
        for number in range(length):
            known.put(workset(f"w{number}", age_s=length - number, vcpus=4 * (number % 6 + 1)), NOW)
            known.take_changes()
        for _ in range(3):
            looks.clear()
            found = pick(known, "c1", NOW)
            counts.append(len(looks))
            known.queue.remove(found.workset.workset_id)
    assert max(counts) <= known.rules.most_planned
    assert counts[:3] == counts[3:]
