"""Which of the claims that wait gets what."""

from datetime import timedelta

from daylily_scheduler.domain.matching import WaitingClaims, match
from daylily_scheduler.domain.model import Customer, Priority
from tests.support.scheduling import NOW, book, cluster, workset


def waiting_for(known, *names):
    waiting = WaitingClaims()
    for claim, name in enumerate(names):
        waiting.add(claim, name)
    assert match(known, waiting, NOW) == []
    return waiting


def given(known, waiting, now=NOW):
    return {m.claim: m.pick.workset.workset_id for m in match(known, waiting, now)}


def test_a_new_workset_goes_to_the_cheapest_cluster_that_waits():
    known = book(cluster("dear", price=0.05), cluster("cheap", price=0.03))
    waiting = waiting_for(known, "dear", "cheap")
    known.put(workset("w"), NOW)
    assert given(known, waiting) == {1: "w"}
    assert list(waiting.clusters) == ["dear"]


def test_a_cheaper_cluster_that_does_not_ask_gets_nothing():
    known = book(cluster("dear", price=0.05), cluster("cheap", price=0.03))
    waiting = waiting_for(known, "dear")
    known.put(workset("w"), NOW)
    assert given(known, waiting) == {0: "w"}


def test_of_the_claims_of_a_cluster_the_longest_waiting_is_served_first():
    known = book(cluster("c1"))
    waiting = waiting_for(known, "c1", "c1", "c1")
    known.put(workset("first", age_s=90), NOW)
    known.put(workset("second"), NOW)
    assert given(known, waiting) == {0: "first", 1: "second"}


def test_a_claim_that_lost_a_race_keeps_its_turn():
    known = book(cluster("c1"))
    waiting = WaitingClaims()
    waiting.add(1, "c1")
    waiting.add(0, "c1", first=True)
    known.put(workset("w"), NOW)
    assert given(known, waiting) == {0: "w"}


def test_claims_beyond_the_room_of_their_cluster_go_on_waiting():
    known = book(cluster("c1", vcpus=16))
    waiting = waiting_for(known, "c1", "c1")
    known.put(workset("a", age_s=90, vcpus=16), NOW)
    known.put(workset("b", vcpus=16), NOW)
    assert given(known, waiting) == {0: "a"}
    known.forget("a", 5)
    assert given(known, waiting) == {1: "b"}


def test_room_that_comes_free_goes_to_the_head_of_the_queue_not_to_the_latest_news():
    known = book(cluster("c1", slots=0), workset("urgent", priority=Priority.URGENT, age_s=90))
    waiting = waiting_for(known, "c1")
    known.put_cluster(cluster("c1", slots=1, version=2), NOW)
    known.put(workset("low", priority=Priority.LOW), NOW)
    assert given(known, waiting) == {0: "urgent"}


def test_a_workset_goes_elsewhere_once_the_cluster_it_prefers_is_full():
    known = book(
        cluster("c1"),
        cluster("c2", slots=1),
        workset("a", cluster="c2", age_s=90),
        workset("b", cluster="c2"),
    )
    waiting = WaitingClaims()
    waiting.add(0, "c1")
    waiting.add(1, "c2")
    known.look_again("c1")
    known.look_again("c2")
    assert given(known, waiting) == {1: "a", 0: "b"}


def test_a_workset_goes_elsewhere_once_the_cluster_it_prefers_is_silent():
    later = NOW + timedelta(minutes=3)
    known = book(
        cluster("c1", heard_at=NOW + timedelta(minutes=1)),
        cluster("c2"),
        workset("w", cluster="c2"),
    )
    known.advance(NOW)
    waiting = waiting_for(known, "c1")
    known.advance(later)
    assert given(known, waiting, now=later) == {0: "w"}


def test_with_nobody_waiting_changes_are_not_kept():
    known = book(cluster("c1"), workset("w"))
    assert match(known, WaitingClaims(), NOW) == []
    assert not known.take_changes()


def test_a_workset_that_the_cluster_it_prefers_lets_go_comes_before_younger_ones():
    known = book(
        cluster("c1", slots=1),
        cluster("c2", slots=1),
        workset("a", cluster="c2", age_s=90),
        workset("b", cluster="c2", age_s=80),
    )
    waiting = WaitingClaims()
    waiting.add(0, "c1")
    waiting.add(1, "c2")
    known.put(workset("c", age_s=70), NOW)
    known.look_again("c2")
    assert given(known, waiting) == {1: "a", 0: "b"}


def test_a_customer_that_reaches_its_limit_halfway_gets_no_more():
    known = book(cluster("c1"), cluster("c2"))
    known.set_customers([Customer("acme", max_concurrent=1)])
    waiting = waiting_for(known, "c1", "c2")
    for name, age in (("a", 90), ("b", 80)):
        known.put(workset(name, age_s=age, customer_id="acme"), NOW)
    assert list(given(known, waiting).values()) == ["a"]
    known.put(workset("other"), NOW)
    assert list(given(known, waiting).values()) == ["other"]


def test_a_cluster_that_fell_silent_a_moment_ago_gets_nothing():
    # A plan is made for the last full ten seconds: the cluster still reported then.
    later = NOW + timedelta(seconds=9)
    heard_at = later - timedelta(seconds=181)
    known = book(cluster("c1", heard_at=heard_at), workset("w"))
    waiting = WaitingClaims()
    waiting.add(0, "c1")
    known.advance(later)
    known.look_again("c1")
    assert given(known, waiting, later) == {}
    assert "c1" not in known.fleet.running(later)


def test_what_packs_tighter_where_a_claim_was_a_moment_ago_is_kept_if_that_saves_fixed_costs():
    known = book(cluster("c1", fixed=1.0), cluster("c2", fixed=1.0))
    waiting = waiting_for(known, "c1", "c2")
    known.put(workset("first", age_s=90), NOW)
    assert list(given(known, waiting).values()) == ["first"]
    known.put(workset("other"), NOW)
    assert given(known, waiting) == {}
    later = NOW + known.rules.asks_for
    known.advance(later)
    assert list(given(known, waiting, later).values()) == ["other"]
