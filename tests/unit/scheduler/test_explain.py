"""Why a workset waits, in words."""

from datetime import timedelta

import pytest

from daylily_scheduler.domain.decision import Dependency, decide, why_nothing
from daylily_scheduler.domain.explain import explain
from daylily_scheduler.domain.model import Customer, Estimate, Priority, WorksetState
from daylily_scheduler.domain.reasons import ReasonCode
from tests.support.scheduling import NOW, book, cluster, workset


def explained(known, name="w", dependencies=()):
    return explain(known, known.queue.get(name), dependencies, NOW)


def test_what_stands_against_the_clusters_is_counted_when_it_differs():
    known = book(
        cluster("c1", vcpus=64),
        cluster("c2", vcpus=96),
        cluster("c3", draining=True),
        workset("w", vcpus=192),
    )
    assert explained(known).summary == (
        "Fits none of 3 clusters: 2 not enough free vCPUs (needs 192, most free 96 on c2), "
        "1 draining."
    )


@pytest.mark.parametrize(
    ("there", "asks", "remedy"),
    [
        ({"vcpus": 96}, {"vcpus": 100}, "4 more vCPUs free on c1"),
        ({"memory_gb": 16}, {"memory_gb": 24}, "8 more GiB of memory free on c1"),
        ({"slots": 0}, {}, "One more slot on c1"),
        ({"draining": True}, {}, "Let c1 take new work again"),
        ({"heard_at": NOW - timedelta(hours=1)}, {}, "Let c1 report again"),
        ({"zone": "a"}, {"zone": "b"}, "Drop its wish for a zone: c1 has room"),
        (
            {"price": 0.05},
            {"estimate": Estimate(vcpu_hours=100, max_cost_usd=4)},
            "Let it cost $5.00, which it takes on c1",
        ),
    ],
)
def test_the_smallest_change_is_named(there, asks, remedy):
    assert remedy in explained(book(cluster("c1", **there), workset("w", **asks))).remedies


def test_a_workset_too_large_for_every_cluster_needs_a_new_one():
    known = book(cluster("c1"), workset("w", vcpus=192, memory_gb=768))
    assert explained(known).remedies == (
        "Register a cluster with at least 192 vCPUs and 768 GiB of memory",
    )


def test_without_clusters_there_is_one_reason():
    found = explained(book(workset("w")))
    assert [reason.code for reason in found.reasons] == [ReasonCode.NO_CLUSTER]
    assert found.summary == "No cluster is registered."


def test_a_backoff_and_a_limit_are_both_named():
    known = book(
        cluster("c1"),
        workset("w", customer_id="acme", available_at=NOW + timedelta(minutes=5)),
    )
    known.set_customers([Customer("acme", budget_usd=10, spent_usd=10)])
    found = explained(known)
    assert [reason.code for reason in found.reasons] == [ReasonCode.BACKOFF, ReasonCode.BUDGET]
    assert found.summary == (
        "Is not to start before 2026-03-01 12:05:00 UTC; "
        "is expected to cost $0.00, acme has $0.00 left."
    )


def test_dependencies_come_with_their_states():
    known = book(cluster("c1"), workset("w", dependencies_met=False))
    found = explained(
        known,
        dependencies=[
            Dependency("a", WorksetState.IN_PROGRESS),
            Dependency("b", WorksetState.IGNORED),
        ],
    )
    assert [(reason.code, reason.subject_id) for reason in found.reasons] == [
        (ReasonCode.DEPENDENCY, "a"),
        (ReasonCode.DEPENDENCY_FAILED, "b"),
    ]
    assert found.remedies == ("Set b READY again",)


def test_behind_others_it_can_be_made_urgent():
    known = book(cluster("c1"), workset("first", age_s=90), workset("w", priority=Priority.LOW))
    found = explained(known)
    assert (found.queue_position, found.remedies) == (1, ("Make it URGENT",))
    assert found.summary == "1 workset goes first."


def test_a_decision_names_no_cluster_while_anything_stands_against_it():
    known = book(cluster("c1"), workset("w", available_at=NOW + timedelta(minutes=5)))
    decision = decide(known, known.queue.get("w"), NOW)
    assert decision.cluster_name == ""
    assert [place.feasible for place in decision.placements] == [True]


def test_an_empty_pick_is_explained_by_the_cluster_first():
    known = book(cluster("c1", draining=True), workset("w", vcpus=500))
    assert [reason.code for reason in why_nothing(known, "c1", NOW)] == [
        ReasonCode.CLUSTER_DRAINING
    ]


def test_an_empty_pick_names_each_kind_of_reason_once():
    known = book(
        cluster("c1"),
        *(workset(f"w{number}", vcpus=100 + number, age_s=90 - number) for number in range(9)),
        workset("elsewhere", zone="b"),
    )
    found = why_nothing(known, "c1", NOW)
    assert [(reason.code, reason.need) for reason in found] == [
        (ReasonCode.NOT_ENOUGH_VCPUS, 100),
        (ReasonCode.WRONG_ZONE, 0),
    ]
