"""What a lock takes of its cluster and of its customer's limits, and gives back.

The change goes into the lock's own transaction, guarded by what it was decided on, so that two
schedulers never overbook; whatever ends the lock gives back exactly what the workset says it holds.
"""

from dataclasses import dataclass
from typing import Final

from daylily_state.domain.commit import (
    ClusterChange,
    ClusterGuard,
    CustomerChange,
    CustomerGuard,
)
from daylily_state.domain.errors import (
    BudgetExceededError,
    ClusterDrainingError,
    ClusterFullError,
    ClusterNotFoundError,
    CustomerLimitError,
)
from daylily_state.domain.model import (
    Amount,
    Cluster,
    ClusterState,
    Customer,
    Reservation,
    Workset,
)

NO_LIMIT: Final = 2**53
_NOTHING: Final = Amount()


@dataclass(frozen=True, slots=True)
class Booking:
    """What a lock's transaction does to the shared rows, and the reservation that the lock holds."""

    reservation: Reservation | None
    clusters: tuple[ClusterChange, ...] = ()
    customer: CustomerChange | None = None


def release(workset: Workset, spent_cents: int | None) -> Booking:
    """Gives back what the lock holds; `spent_cents` is what the run cost (None: the estimate)."""
    held = workset.reservation
    if held is None:
        return Booking(None)
    clusters: tuple[ClusterChange, ...] = ()
    if held.amount is not None:
        clusters = (ClusterChange(workset.cluster_name, -held.amount, None),)
    customer = None
    if held.on_customer:
        spent = held.cost_cents if spent_cents is None else spent_cents
        customer = CustomerChange(workset.customer_id, -1, spent - held.cost_cents, spent, None)
    return Booking(None, clusters, customer)


def take(
    workset: Workset, cluster_name: str, cluster: Cluster | None, customer: Customer | None
) -> Booking:
    """Takes what the workset needs on the cluster (if one is named) and of its customer's limits.

    A reservation that the workset holds already (a forced takeover) is given back in the same change.

    Raises:
        ClusterNotFoundError: the named cluster is not registered.
        ClusterDrainingError: it takes no new work.
        ClusterFullError: it has not enough free of something.
        CustomerLimitError: the customer runs as many as it may.
        BudgetExceededError: the estimate does not fit what is left.
    """
    back = release(workset, 0)
    cost = workset.requirements.estimated_cost_cents
    amount = None
    changes = {change.cluster_name: change for change in back.clusters}
    if cluster_name:
        amount = _need(workset)
        held = changes[cluster_name].delta if cluster_name in changes else _NOTHING
        changes[cluster_name] = _take_on_cluster(cluster_name, cluster, held + amount)
    customer_change = back.customer
    if customer is not None:
        customer_change = _take_of_customer(customer, cost, back.customer)
    on_customer = customer is not None
    holds = amount is not None or on_customer
    reservation = Reservation(amount, on_customer, cost) if holds else None
    return Booking(reservation, tuple(changes.values()), customer_change)


def free(cluster: Cluster) -> Amount:
    """What is neither broken, nor used by others, nor reserved; below zero if overbooked since."""
    return cluster.capacity - cluster.broken - cluster.foreign - cluster.reserved


def _need(workset: Workset) -> Amount:
    wanted = workset.requirements
    return Amount(wanted.vcpus, wanted.memory_mb, wanted.storage_mb, slots=1)


def _take_on_cluster(cluster_name: str, cluster: Cluster | None, delta: Amount) -> ClusterChange:
    if cluster is None or cluster.removed:
        raise ClusterNotFoundError(cluster_name=cluster_name)
    if cluster.state is ClusterState.DRAINING:
        raise ClusterDrainingError(cluster_name=cluster_name)
    have, usable = free(cluster), free(cluster) + cluster.reserved
    room: dict[str, int] = {}
    for resource in ("vcpus", "memory_mb", "storage_mb", "slots"):
        need: int = getattr(delta, resource)
        left: int = getattr(have, resource)
        unstated = resource == "storage_mb" and cluster.capacity.storage_mb == 0
        if need <= 0 or unstated:
            room[resource] = NO_LIMIT
            continue
        if need > left:
            raise ClusterFullError(
                cluster_name=cluster_name, resource=resource, need=need, have=max(left, 0)
            )
        room[resource] = getattr(usable, resource) - need
    return ClusterChange(cluster_name, delta, ClusterGuard(cluster.version, Amount(**room)))


def _take_of_customer(
    customer: Customer, cost_cents: int, back: CustomerChange | None
) -> CustomerChange:
    running = 1 + (back.running if back else 0)
    cents = cost_cents + (back.committed_cents if back else 0)
    running_room = cents_room = None
    if customer.max_concurrent and running > 0:
        running_room = customer.max_concurrent - running
        if customer.running > running_room:
            raise CustomerLimitError(
                customer_id=customer.customer_id, max_concurrent=customer.max_concurrent
            )
    # A new run needs something left even where its cost is not known; a takeover goes on with its own.
    least = cents if back else max(cents, 1)
    if customer.budget_cents and least > 0:
        cents_room = customer.budget_cents - least
        left = customer.budget_cents - customer.committed_cents
        if customer.committed_cents > cents_room:
            raise BudgetExceededError(
                customer_id=customer.customer_id,
                need_usd=f"{cents / 100:.2f}",
                left_usd=f"{max(left, 0) / 100:.2f}",
            )
    guard = CustomerGuard(customer.version, running_room, cents_room)
    return CustomerChange(customer.customer_id, running, cents, 0, guard)
