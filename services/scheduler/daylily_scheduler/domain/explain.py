"""Why one workset waits, and the smallest change that would start it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from daylily_scheduler.domain import reasons
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.decision import Dependency, decide
from daylily_scheduler.domain.model import Priority, Workset, WorksetState
from daylily_scheduler.domain.offers import OneMore
from daylily_scheduler.domain.placement import Placement
from daylily_scheduler.domain.reasons import Reason, ReasonCode
from daylily_scheduler.domain.resources import Resources

REMEDIES_SHOWN = 3

_LACKS = {
    ReasonCode.NOT_ENOUGH_VCPUS: "not enough free vCPUs",
    ReasonCode.NOT_ENOUGH_MEMORY: "not enough free memory",
    ReasonCode.NOT_ENOUGH_STORAGE: "not enough free storage",
    ReasonCode.NO_FREE_SLOT: "no free slot",
    ReasonCode.WRONG_ZONE: "another zone than it asks for",
    ReasonCode.WRONG_INSTANCE_TYPE: "other instance types than it asks for",
    ReasonCode.OTHER_CLUSTER_PREFERRED: "not the cluster that it asks for",
    ReasonCode.CLUSTER_DRAINING: "draining",
    ReasonCode.CLUSTER_SILENT: "silent",
    ReasonCode.OVER_MAX_COST: "dearer than it may cost",
    ReasonCode.CUSTOMER_LIMIT: "its customer's limit is taken up",
    ReasonCode.BEHIND_OTHERS: "another goes first",
    ReasonCode.RESERVED_FOR_ANOTHER: "kept for another",
    ReasonCode.CHEAPER_ELSEWHERE: "cheaper elsewhere",
}
_UNITS = {
    ReasonCode.NOT_ENOUGH_VCPUS: "vCPUs",
    ReasonCode.NOT_ENOUGH_MEMORY: "GiB of memory",
    ReasonCode.NOT_ENOUGH_STORAGE: "GiB of storage",
}


@dataclass(frozen=True, slots=True)
class Explanation:
    """`queue_position` is the number of worksets that go first; `remedies` are in words."""

    workset_id: str
    summary: str
    reasons: tuple[Reason, ...]
    queue_position: int
    remedies: tuple[str, ...]


def explain(
    book: Book,
    workset: Workset,
    dependencies: Iterable[Dependency],
    now: datetime,
    one_more: OneMore | None = None,
) -> Explanation:
    """Why the workset does not run, and what would start it now; `one_more` is the cheapest cluster
    that could be created for it.
    """
    decision = decide(book, workset, now, dependencies)
    found = decision.reasons
    if workset.state is not WorksetState.READY:
        return _not_waiting(book, workset, found, now)
    ahead = book.queue.ahead_of(workset, book.behind())
    if ahead:
        found = (*found, reasons.behind_others(ahead))
    return Explanation(
        workset_id=workset.workset_id,
        summary=_summary(found, decision.placements, decision.cluster_name),
        reasons=found,
        queue_position=ahead,
        remedies=tuple(_remedies(book, workset, found, decision.placements, one_more)),
    )


def _not_waiting(
    book: Book, workset: Workset, found: tuple[Reason, ...], now: datetime
) -> Explanation:
    summary = f"It does not wait: it is {workset.state.value}."
    cluster = book.fleet.get(workset.cluster_name) if workset.locked else None
    if cluster is not None and now >= cluster.silent_at:
        silent = reasons.cluster_silent(cluster.cluster_name, cluster.heard_at)
        summary = (
            f"It does not wait: it is {workset.state.value}, and {silent.message}. As long as its "
            "monitor renews the lock, it goes on; when the lock runs out, it is tried again."
        )
        found = (*found, silent)
    return Explanation(workset.workset_id, summary, found, 0, ())


# --- in one sentence ---


def _summary(
    found: tuple[Reason, ...], placements: tuple[Placement, ...], cluster_name: str
) -> str:
    clauses = [reason.message for reason in found if not reason.cluster_name]
    if placements and not any(place.feasible for place in placements):
        clauses.insert(0, _nowhere(placements))
    if not clauses:
        return f"It can start on {cluster_name}: the next claim for that cluster gets it."
    sentence = "; ".join(clauses)
    return f"{sentence[0].upper()}{sentence[1:]}."


def _nowhere(placements: tuple[Placement, ...]) -> str:
    """What stands against the clusters, each counted under its first rejection."""
    first = [place.rejections[0] for place in placements]
    counts = Counter(reason.code for reason in first).most_common()
    parts = [f"{_LACKS[code]}{_amounts(code, first)}" for code, _ in counts]
    clusters = "1 cluster" if len(placements) == 1 else f"{len(placements)} clusters"
    if len(parts) == 1:
        return f"fits none of {clusters}: {parts[0]}"
    counted = (f"{count} {part}" for (_, count), part in zip(counts, parts, strict=True))
    return f"fits none of {clusters}: {', '.join(counted)}"


def _amounts(code: ReasonCode, found: list[Reason]) -> str:
    if code not in _UNITS:
        return ""
    best = max((reason for reason in found if reason.code is code), key=lambda r: r.have)
    return f" (needs {best.need:g}, most free {best.have:g} on {best.cluster_name})"


# --- what would help ---


def _remedies(
    book: Book,
    workset: Workset,
    found: tuple[Reason, ...],
    placements: tuple[Placement, ...],
    one_more: OneMore | None,
) -> Iterator[str]:
    for reason in found:
        match reason.code:
            case ReasonCode.DEPENDENCY_FAILED:
                yield f"Set {reason.subject_id} READY again"
            case ReasonCode.CUSTOMER_LIMIT if reason.need:
                yield f"Let {reason.subject_id} run {reason.need:g} worksets at once"
            case ReasonCode.BUDGET:
                missing = reason.need - reason.have
                yield f"Raise the budget of {reason.subject_id} by ${missing:.2f}"
            case ReasonCode.BEHIND_OTHERS if workset.priority is not Priority.URGENT:
                yield "Make it URGENT"
            case _:
                pass
    if any(place.feasible for place in placements):
        return
    close = [place.rejections[0] for place in placements if len(place.rejections) == 1]
    close.sort(key=lambda reason: (reason.need - reason.have, reason.cluster_name))
    yield from [_lifting(reason) for reason in close if reason.code in _LIFTED][:REMEDIES_SHOWN]
    if one_more is not None:
        yield (
            f"One more cluster of {one_more.offer.words()}: ${one_more.usd:.2f} for this run, "
            f"{one_more.offer.start / timedelta(minutes=1):.0f} min from now"
        )
    elif not any(_could_ever(book, workset, place) for place in placements):
        yield f"Register a cluster with at least {_size(workset.needs.amount)}"


_LIFTED = frozenset(_LACKS) - {
    ReasonCode.OTHER_CLUSTER_PREFERRED,
    ReasonCode.CUSTOMER_LIMIT,
    ReasonCode.BEHIND_OTHERS,
    ReasonCode.RESERVED_FOR_ANOTHER,
    ReasonCode.CHEAPER_ELSEWHERE,
}


def _lifting(reason: Reason) -> str:
    """The change that lifts the only rejection of a cluster."""
    name, missing = reason.cluster_name, reason.need - reason.have
    match reason.code:
        case ReasonCode.NO_FREE_SLOT:
            return f"One more slot on {name}"
        case ReasonCode.WRONG_ZONE:
            return f"Drop its wish for a zone: {name} has room"
        case ReasonCode.WRONG_INSTANCE_TYPE:
            return f"Drop its wish for instance types: {name} has room"
        case ReasonCode.CLUSTER_DRAINING:
            return f"Let {name} take new work again"
        case ReasonCode.CLUSTER_SILENT:
            return f"Let {name} report again"
        case ReasonCode.OVER_MAX_COST:
            return f"Let it cost ${reason.need:.2f}, which it takes on {name}"
        case _:
            return f"{missing:g} more {_UNITS[reason.code]} free on {name}"


def _could_ever(book: Book, workset: Workset, place: Placement) -> bool:
    """Whether the cluster would be large enough with nothing else on it."""
    cluster = book.fleet.get(place.cluster_name)
    if cluster is None:
        return False
    whole = cluster.capacity - cluster.broken
    need = workset.needs.amount
    if not cluster.capacity.storage_mb:
        need = Resources(need.vcpus, need.memory_mb, 0, need.slots)
    return whole.covers(need)


def _size(need: Resources) -> str:
    parts = [f"{need.vcpus} vCPUs"] if need.vcpus else []
    parts += [f"{reasons.gb(need.memory_mb)} of memory"] if need.memory_mb else []
    parts += [f"{reasons.gb(need.storage_mb)} of storage"] if need.storage_mb else []
    return " and ".join(parts) or "a slot"
