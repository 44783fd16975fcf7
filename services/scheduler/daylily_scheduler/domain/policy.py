"""The picks: what a cluster gets next, and what goes next anywhere. All of them are read from a plan."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.cost import run_hours
from daylily_scheduler.domain.feasibility import fits
from daylily_scheduler.domain.model import Cluster, Workset
from daylily_scheduler.domain.order import CLASSES, OrderKey, order_key
from daylily_scheduler.domain.placement import Placement, place_on
from daylily_scheduler.domain.plan import plan_of
from daylily_scheduler.domain.queue import Lane

Rank = tuple[int, OrderKey]


@dataclass(frozen=True, slots=True)
class Pick:
    workset: Workset
    placement: Placement


def pick(book: Book, cluster_name: str, now: datetime, pass_over: int = 0) -> Pick | None:
    """What the cluster, which asks, gets now; None when there is nothing for it.

    `pass_over` asks for one that comes so many places later among those of its kind (same class,
    customer and needs), as far as there are any that are no longer: schedulers that lost a race
    spread out with it.
    """
    cluster = book.fleet.running(now).get(cluster_name)
    if cluster is None or not _may_have_room(book, cluster):
        return None
    choice = plan_of(book, now, {*book.asking(now), cluster_name}).start_on(cluster_name)
    if choice is None:
        return None
    found = Pick(choice.workset, choice.placement)
    return _passed_over(book, found, cluster, now, pass_over) if pass_over else found


def pick_anywhere(book: Book, now: datetime) -> Pick | None:
    """What would start first if every cluster asked, on its cluster."""
    running = book.fleet.running(now)
    plan = plan_of(book, now, running)
    choice = next(plan.starts, None)
    if choice is None:
        behind = (plan.start_on(name) for name in running if _may_have_room(book, running[name]))
        choice = min(
            (each for each in behind if each is not None),
            key=lambda each: (rank(book, each.workset), each.placement.key),
            default=None,
        )
    return None if choice is None else Pick(choice.workset, choice.placement)


def best_of(book: Book, workset: Workset, names: Iterable[str], now: datetime) -> Pick | None:
    """The workset on the best of these clusters, if the plan lets it start on one of them now."""
    if not book.queue.is_pickable(workset.workset_id) or book.limits.rejections(workset):
        return None
    running = book.fleet.running(now)
    plan = plan_of(book, now, {name for name in names if name in running})
    choice = plan.choose(workset, book.queue.counts_as(workset))
    if choice is None or not choice.starts_now:
        return None
    return Pick(workset, choice.placement)


def rank(book: Book, workset: Workset) -> Rank:
    """The place of a workset among all that wait: smaller goes first."""
    at, workset_id = order_key(workset, book.rules)
    later = book.behind()(workset.customer_id)
    return (book.queue.counts_as(workset), (at + later, workset_id))


# --- inside ---


def _may_have_room(book: Book, cluster: Cluster) -> bool:
    """Says no only where nothing that waits can have room."""
    free = book.fleet.free(cluster.cluster_name)
    least = (book.queue.least_need(counts_as) for counts_as in CLASSES)
    return any(need is not None and free.covers(need) for need in least)


def _passed_over(book: Book, found: Pick, cluster: Cluster, now: datetime, pass_over: int) -> Pick:
    """Another of the same kind that needs the room no longer than the one found, which the plan gave
    it; the one found if there is none.
    """
    first, longest = found.workset, run_hours(found.workset.needs, found.workset.estimate)
    lane = book.queue.lane_of(first.workset_id)
    passed = found
    for index, workset in enumerate(_of_lane(book, lane)):
        if index > pass_over and passed is not found:
            break
        hours = run_hours(workset.needs, workset.estimate)
        if (
            hours <= longest
            and not book.limits.rejections(workset)
            and fits(workset.needs, workset.estimate, cluster, book.fleet, now)
        ):
            passed = Pick(workset, place_on(workset, cluster, book.fleet, book.rules))
    return passed


def _of_lane(book: Book, lane: Lane | None) -> Iterable[Workset]:
    for _, workset_id in lane or ():
        workset = book.queue.get(workset_id)
        if workset is not None:
            yield workset
