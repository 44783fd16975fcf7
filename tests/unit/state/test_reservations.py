from dataclasses import replace

import pytest

from daylily_state.domain import reservations
from daylily_state.domain.errors import (
    BudgetExceededError,
    ClusterDrainingError,
    ClusterFullError,
    ClusterNotFoundError,
    CustomerLimitError,
)
from daylily_state.domain.model import Amount, ClusterState, Requirements, Reservation
from daylily_state.domain.reservations import NO_LIMIT, free, release, take
from tests.unit.state.given import cluster, customer, ready, running

NEED = Requirements(vcpus=96, memory_mb=700_000, storage_mb=500, estimated_cost_cents=4000)
WORKSET = ready(requirements=NEED, customer_id="acme")
HELD = replace(
    running(requirements=NEED, customer_id="acme", cluster_name="c1"),
    reservation=Reservation(Amount(96, 700_000, 500, 1), True, 4000),
)


def test_without_a_cluster_and_without_limits_nothing_is_reserved() -> None:
    booking = take(WORKSET, "", None, None)
    assert booking.reservation is None
    assert booking.clusters == ()
    assert booking.customer is None


def test_what_is_needed_is_taken_under_the_row_as_it_was_seen() -> None:
    booking = take(WORKSET, "c1", cluster(), customer())
    (change,) = booking.clusters
    assert change.delta == Amount(96, 700_000, 500, 1)
    assert change.guard.version == 3
    assert change.guard.room == Amount(96, 800_000, NO_LIMIT, 3)
    assert booking.customer.guard.running_room == 1
    assert booking.customer.guard.cents_room == 6000
    assert booking.reservation == HELD.reservation


def test_free_is_what_is_neither_broken_nor_used_by_others_nor_reserved() -> None:
    busy = cluster(broken=Amount(48), foreign=Amount(24, slots=1), reserved=Amount(96, slots=1))
    assert free(busy) == Amount(vcpus=24, memory_mb=1_500_000, slots=2)


def test_a_full_cluster_says_what_is_short() -> None:
    with pytest.raises(ClusterFullError) as refusal:
        take(WORKSET, "c1", cluster(foreign=Amount(vcpus=120)), None)
    assert refusal.value.metadata == {
        "cluster_name": "c1",
        "resource": "vcpus",
        "need": "96",
        "have": "72",
    }


def test_a_cluster_that_states_its_storage_is_held_to_it() -> None:
    small = cluster(capacity=Amount(192, 1_500_000, 400, 4))
    with pytest.raises(ClusterFullError) as refusal:
        take(WORKSET, "c1", small, None)
    assert refusal.value.metadata["resource"] == "storage_mb"


def test_a_workset_that_needs_nothing_of_what_is_overbooked_gets_its_slot() -> None:
    booking = take(ready(), "c1", cluster(foreign=Amount(vcpus=500)), None)
    assert booking.clusters[0].guard.room == Amount(NO_LIMIT, NO_LIMIT, NO_LIMIT, 3)


def test_unknown_removed_and_draining_clusters_take_nothing() -> None:
    with pytest.raises(ClusterNotFoundError):
        take(WORKSET, "c1", None, None)
    with pytest.raises(ClusterNotFoundError):
        take(WORKSET, "c1", cluster(removed=True), None)
    with pytest.raises(ClusterDrainingError):
        take(WORKSET, "c1", cluster(state=ClusterState.DRAINING), None)


def test_a_customer_runs_no_more_than_it_may() -> None:
    with pytest.raises(CustomerLimitError):
        take(WORKSET, "", None, customer(running=2))


def test_a_budget_counts_what_is_spent_and_what_runs() -> None:
    assert take(WORKSET, "", None, customer(committed_cents=6000)).reservation
    with pytest.raises(BudgetExceededError) as refusal:
        take(WORKSET, "", None, customer(committed_cents=6001))
    assert refusal.value.metadata["left_usd"] == "39.99"
    assert refusal.value.metadata["need_usd"] == "40.00"


def test_a_budget_that_is_used_up_starts_nothing_even_without_an_estimate() -> None:
    free_of_charge = ready(customer_id="acme")
    assert take(free_of_charge, "", None, customer(committed_cents=9_999)).reservation
    with pytest.raises(BudgetExceededError):
        take(free_of_charge, "", None, customer(committed_cents=10_000))


def test_a_customer_without_limits_is_counted_all_the_same() -> None:
    open_end = customer(max_concurrent=0, budget_cents=0)
    booking = take(WORKSET, "", None, open_end)
    assert booking.customer.running == 1
    assert booking.customer.guard.running_room is None
    assert booking.customer.guard.cents_room is None


def test_the_end_of_a_lock_gives_back_exactly_what_it_held() -> None:
    changed = replace(HELD, requirements=Requirements(vcpus=1))
    booking = release(changed, spent_cents=1500)
    assert booking.reservation is None
    assert booking.clusters[0].delta == -Amount(96, 700_000, 500, 1)
    assert booking.clusters[0].guard is None
    assert booking.customer.running == -1
    assert booking.customer.committed_cents == 1500 - 4000
    assert booking.customer.spent_cents == 1500


def test_a_takeover_on_the_same_cluster_needs_no_room_twice() -> None:
    full = cluster(reserved=Amount(192, 1_500_000, 500, 4))
    at_limit = customer(running=2, committed_cents=10_000)
    booking = take(HELD, "c1", full, at_limit)
    assert [change.delta for change in booking.clusters] == [Amount()]
    assert booking.customer.running == 0
    assert booking.customer.committed_cents == 0


def test_a_takeover_to_another_cluster_frees_the_first() -> None:
    booking = take(HELD, "c2", replace(cluster(), cluster_name="c2"), customer(running=1))
    deltas = {change.cluster_name: change.delta.vcpus for change in booking.clusters}
    assert deltas == {"c1": -96, "c2": 96}


def test_a_release_without_reservation_changes_nothing() -> None:
    assert release(running(), None) == reservations.Booking(None)
