"""Decisions with their reasons: where one workset would go, and why nothing goes."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from daylily_scheduler.domain import reasons
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.feasibility import cluster_rejections, rejections
from daylily_scheduler.domain.model import Cluster, Workset, WorksetState
from daylily_scheduler.domain.order import CLASSES
from daylily_scheduler.domain.placement import Placement, all_places, place_on
from daylily_scheduler.domain.plan import plan_of
from daylily_scheduler.domain.reasons import Reason, ReasonCode

# Reasons shown for an empty answer: enough to act on, few enough to read.
REASONS_SHOWN = 5
# Kinds of work looked at for them, from the head of the queue.
KINDS_LOOKED_AT = 100


@dataclass(frozen=True, slots=True)
class Dependency:
    """A workset that another one depends on and that is not COMPLETE."""

    workset_id: str
    state: WorksetState


@dataclass(frozen=True, slots=True)
class Decision:
    """Where one workset would go now, with every cluster's score and why not elsewhere.
    `cluster_name` is empty when it would go nowhere; then `reasons` says why.
    """

    workset_id: str
    cluster_name: str
    placements: tuple[Placement, ...]
    reasons: tuple[Reason, ...]


def decide(
    book: Book, workset: Workset, now: datetime, dependencies: Iterable[Dependency] = ()
) -> Decision:
    """Where a workset would go now if every cluster asked for work."""
    placements = tuple(_places(book, workset, now))
    why_not = general_reasons(book, workset, now, dependencies)
    best = next((place for place in placements if place.feasible), None)
    if best is None and workset.state is WorksetState.READY:
        why_not = (*why_not, *nearest(placements))
    return Decision(
        workset_id=workset.workset_id,
        cluster_name=best.cluster_name if best is not None and not why_not else "",
        placements=placements,
        reasons=why_not,
    )


def general_reasons(
    book: Book, workset: Workset, now: datetime, dependencies: Iterable[Dependency] = ()
) -> tuple[Reason, ...]:
    """Why the workset may not start, whatever the cluster."""
    if workset.state is not WorksetState.READY:
        return (reasons.not_waiting(workset.state.value),)
    found = []
    if not workset.dependencies_met:
        named = [_dependency_reason(dependency) for dependency in dependencies]
        found.extend(named or [reasons.dependency()])
    if workset.available_at is not None and workset.available_at > now:
        found.append(reasons.backoff(workset.available_at))
    found.extend(book.limits.rejections(workset))
    if not len(book.fleet):
        found.append(reasons.no_cluster())
    return tuple(found)


def nearest(placements: Iterable[Placement]) -> tuple[Reason, ...]:
    """Of what stands against each cluster, one reason of each kind: that of the cluster which comes
    nearest to what is needed.
    """
    best: dict[ReasonCode, Reason] = {}
    for place in placements:
        for reason in place.rejections:
            known = best.get(reason.code)
            if known is None or reason.need - reason.have < known.need - known.have:
                best[reason.code] = reason
    return tuple(best.values())


def why_nothing(book: Book, cluster_name: str, now: datetime) -> tuple[Reason, ...]:
    """Why `pick` finds nothing for the cluster: what is wrong with the cluster, or what keeps the
    first worksets of the queue from it.
    """
    cluster = book.fleet.get(cluster_name)
    if cluster is None:
        return (reasons.no_cluster(),)
    closed = cluster_rejections(cluster, now)
    if closed:
        return closed
    found: dict[ReasonCode, Reason] = {}
    asking = {*book.asking(now), cluster_name}
    for workset in islice(_first_of_each_kind(book), KINDS_LOOKED_AT):
        against = (
            book.limits.rejections(workset)
            or rejections(workset.needs, workset.estimate, cluster, book.fleet, now)
            or plan_reasons(book, workset, cluster, asking, now)
        )
        for reason in against:
            found.setdefault(reason.code, reason)
        if len(found) >= REASONS_SHOWN:
            break
    return tuple(found.values())[:REASONS_SHOWN] or (reasons.queue_empty(),)


def why_nothing_anywhere(book: Book, now: datetime) -> tuple[Reason, ...]:
    """Why `pick_anywhere` finds nothing."""
    first = next(_first_of_each_kind(book), None)
    if first is None:
        return (reasons.queue_empty(),)
    return decide(book, first, now).reasons


def plan_reasons(
    book: Book, workset: Workset, cluster: Cluster, asking: Iterable[str], now: datetime
) -> tuple[Reason, ...]:
    """Why the plan does not start the workset on a cluster that has room for it."""
    name = cluster.cluster_name
    plan = plan_of(book, now, asking)
    planned = workset.workset_id in plan.choices
    if not planned and not book.limits.rejections(workset) and not plan.customer_may(workset):
        return (reasons.customer_taken_up(workset.customer_id),)
    choice = plan.choose(workset, book.queue.counts_as(workset))
    if choice is None or plan.start_here(choice, name) is not None:
        return ()
    here = next((each for each in choice.options if each.cluster_name == name), None)
    if here is not None and here.hours > 0:
        other = plan.in_the_way(workset, name, choice.length)
        if other is None:
            return ()
        if other.starts_now:
            return (reasons.goes_first(name, other.workset.workset_id),)
        at = now + timedelta(hours=other.best.hours)
        return (reasons.reserved_for_another(name, other.workset.workset_id, at),)
    usd = place_on(workset, cluster, book.fleet, book.rules).cost_usd
    best = choice.best
    if choice.starts_now and round(usd, 2) == round(best.cost_usd, 2):
        lower = choice.placement.price_per_vcpu_hour_usd < cluster.price_per_vcpu_hour_usd
        return (reasons.same_elsewhere(name, usd, best.cluster_name, lower_price=lower),)
    if choice.starts_now:
        return (reasons.cheaper_elsewhere(name, usd, best.cluster_name, best.cost_usd),)
    at = now + timedelta(hours=best.hours)
    return (reasons.cheaper_later(name, usd, best.cluster_name, best.score_usd, at),)


# --- inside ---


def _places(book: Book, workset: Workset, now: datetime) -> list[Placement]:
    """Every cluster as a place for the workset: first those where it could start, the best first."""
    running = book.fleet.running(now)
    places = []
    for place in all_places(workset, book.fleet, now, book.rules):
        cluster = running.get(place.cluster_name)
        against = place.rejections
        by_wish_alone = all(each.code is ReasonCode.OTHER_CLUSTER_PREFERRED for each in against)
        if cluster is not None and by_wish_alone and workset.state is WorksetState.READY:
            planned = plan_reasons(book, workset, cluster, running, now)
            # The cluster that it asks for may have room, but not for it: then it starts here.
            against = planned if not against or not planned else against
        places.append(replace(place, rejections=against))
    return sorted(places, key=lambda place: (len(place.rejections), place.key))


def _dependency_reason(dependency: Dependency) -> Reason:
    ended = dependency.state in {WorksetState.ERROR, WorksetState.IGNORED}
    say = reasons.dependency_failed if ended else reasons.dependency
    return say(dependency.workset_id, dependency.state.value)


def _first_of_each_kind(book: Book) -> Iterator[Workset]:
    for priority in CLASSES:
        for (_, workset_id), _ in book.queue.lanes(priority):
            workset = book.queue.get(workset_id)
            if workset is not None:
                yield workset
