"""The picks: what a cluster gets next, and what goes next anywhere."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.feasibility import affordable, has_room, preferred_elsewhere
from daylily_scheduler.domain.model import Cluster, Estimate, Workset
from daylily_scheduler.domain.order import CLASSES, OrderKey
from daylily_scheduler.domain.placement import Placement, cheapest, place_on
from daylily_scheduler.domain.queue import Lane
from daylily_scheduler.domain.resources import Resources

NO_LIMIT = Estimate()


@dataclass(frozen=True, slots=True)
class Pick:
    workset: Workset
    placement: Placement


def pick(book: Book, cluster_name: str, now: datetime, pass_over: int = 0) -> Pick | None:
    """The first workset in order that the cluster can take now; None when there is none.

    `pass_over` asks for one that comes so many places later among those of its kind (same priority,
    customer and needs), as far as there are any: schedulers that lost a race spread out with it.
    """
    cluster = book.fleet.running(now).get(cluster_name)
    if cluster is None:
        return None
    free = book.fleet.free(cluster_name)
    for priority in CLASSES:
        least = book.queue.least_need(priority)
        if least is None or not free.covers(least):
            continue
        found = _first(
            book.queue.lanes(priority),
            lambda lane: _lane_suits(book, lane, cluster, now),
            lambda lane, key: _suits(book, lane, key, cluster, now),
        )
        if found is not None:
            lane, workset = found
            if pass_over:
                workset = _passed_over(book, lane, cluster, now, pass_over) or workset
            return Pick(workset, place_on(workset, cluster, book.fleet))
    return None


def pick_anywhere(book: Book, now: datetime) -> Pick | None:
    """The first workset in order that any cluster can take now, on the best cluster for it."""
    running = book.fleet.running(now)
    room = _largest_room(book, running)
    for priority in CLASSES:
        least = book.queue.least_need(priority)
        if least is None or not room.covers(least):
            continue
        found = _first(
            book.queue.lanes(priority),
            lambda lane: room.covers(lane.needs.amount),
            lambda lane, key: _suits_any(book, lane, key, running.values(), now),
        )
        if found is not None:
            _, workset = found
            place = cheapest(workset, running.values(), book.fleet, now)
            if place is not None:
                return Pick(workset, place)
    return None


def best_of(book: Book, workset: Workset, names: Iterable[str], now: datetime) -> Pick | None:
    """The workset on the best of these clusters; None when none of them can take it now."""
    if not book.queue.is_pickable(workset.workset_id) or book.limits.rejections(workset):
        return None
    running = book.fleet.running(now)
    clusters = (running[name] for name in names if name in running)
    place = cheapest(workset, clusters, book.fleet, now)
    return None if place is None else Pick(workset, place)


# --- inside ---


def _first(
    lanes: Iterable[tuple[OrderKey, Lane]],
    lane_suits: Callable[[Lane], bool],
    suits: Callable[[Lane, OrderKey], Workset | None],
) -> tuple[Lane, Workset] | None:
    """The first workset in order that suits. Lanes come with the oldest head first, so the search
    ends at the first lane that begins after what was found.
    """
    best: tuple[OrderKey, Lane, Workset] | None = None
    for head, lane in lanes:
        if best is not None and best[0] < head:
            break
        if not lane_suits(lane):
            continue
        for key in lane:
            if best is not None and best[0] < key:
                break
            workset = suits(lane, key)
            if workset is not None:
                best = (key, lane, workset)
                break
    return None if best is None else (best[1], best[2])


def _lane_suits(book: Book, lane: Lane, cluster: Cluster, now: datetime) -> bool:
    """Whether the cluster can take anything of the lane. Says no only for all of it."""
    return (
        has_room(lane.needs, cluster, book.fleet, now)
        and cluster.price_per_vcpu_hour_usd <= lane.dearest_price
        and not book.limits.at_limit(lane.customer_id)
        and not book.limits.over_budget(lane.customer_id, lane.least_cost_usd)
        and not (
            # Without a limit on the cost, all of the lane may go to the cluster that it prefers.
            lane.price_class is None
            and preferred_elsewhere(lane.needs, NO_LIMIT, cluster, book.fleet, now)
        )
    )


def _suits(
    book: Book, lane: Lane, key: OrderKey, cluster: Cluster, now: datetime
) -> Workset | None:
    """The lane's workset with this key if the cluster can take it; the lane suits already."""
    workset = book.queue.get(key[1])
    if workset is None:
        return None
    needs, estimate = workset.needs, workset.estimate
    if book.limits.over_budget(workset.customer_id, estimate.cost_usd):
        return None
    if lane.price_class is not None and not affordable(needs, estimate, cluster):
        return None
    if needs.cluster and preferred_elsewhere(needs, estimate, cluster, book.fleet, now):
        return None
    return workset


def _suits_any(
    book: Book, lane: Lane, key: OrderKey, clusters: Iterable[Cluster], now: datetime
) -> Workset | None:
    for cluster in clusters:
        if _lane_suits(book, lane, cluster, now):
            workset = _suits(book, lane, key, cluster, now)
            if workset is not None:
                return workset
    return None


def _passed_over(
    book: Book, lane: Lane, cluster: Cluster, now: datetime, pass_over: int
) -> Workset | None:
    found = None
    for index, key in enumerate(lane):
        if index > pass_over and found is not None:
            break
        found = _suits(book, lane, key, cluster, now) or found
    return found


def _largest_room(book: Book, running: Iterable[str]) -> Resources:
    """The most of each thing that is free on any cluster: what exceeds it fits nowhere."""
    free = [book.fleet.free(name) for name in running]
    return Resources(
        max((room.vcpus for room in free), default=0),
        max((room.memory_mb for room in free), default=0),
        max((room.storage_mb for room in free), default=0),
        max((room.slots for room in free), default=0),
    )
