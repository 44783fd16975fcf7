"""The claims that wait, and which of them gets what.

Nothing is taken from a claim that could be served: a claim waits only while nothing fits its
cluster. So whatever changes, few have to be looked at: the clusters that have more room, and those
that fit a workset which can start now. Inside a cluster the claim that waits longest is served first.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from daylily_scheduler.domain.book import Book, Changes
from daylily_scheduler.domain.feasibility import fits
from daylily_scheduler.domain.model import Workset
from daylily_scheduler.domain.order import OrderKey, order_class, order_key
from daylily_scheduler.domain.policy import Pick, best_of, pick

ClaimId = int


@dataclass(frozen=True, slots=True)
class Match:
    claim: ClaimId
    pick: Pick


class WaitingClaims:
    """Who waits, cluster by cluster, first come first served."""

    def __init__(self) -> None:
        self._queues: dict[str, deque[ClaimId]] = {}
        self._clusters: dict[ClaimId, str] = {}

    def __len__(self) -> int:
        return len(self._clusters)

    def __contains__(self, claim: ClaimId) -> bool:
        return claim in self._clusters

    @property
    def clusters(self) -> Iterable[str]:
        """The clusters that have a claim waiting."""
        return self._queues.keys()

    def add(self, claim: ClaimId, cluster_name: str, *, first: bool = False) -> None:
        """Lets a claim wait; `first` for one that lost a race and had its turn already."""
        queue = self._queues.setdefault(cluster_name, deque())
        if first:
            queue.appendleft(claim)
        else:
            queue.append(claim)
        self._clusters[claim] = cluster_name

    def discard(self, claim: ClaimId) -> None:
        cluster_name = self._clusters.pop(claim, None)
        if cluster_name is None:
            return
        queue = self._queues[cluster_name]
        queue.remove(claim)
        if not queue:
            del self._queues[cluster_name]

    def all(self) -> tuple[str, ...]:
        """The cluster of each claim, in the order of the clusters."""
        return tuple(name for name, queue in self._queues.items() for _ in queue)

    def of(self, cluster_name: str) -> tuple[ClaimId, ...]:
        return tuple(self._queues.get(cluster_name, ()))

    def take(self, cluster_name: str) -> ClaimId:
        """The claim of this cluster whose turn it is."""
        queue = self._queues[cluster_name]
        claim = queue.popleft()
        del self._clusters[claim]
        if not queue:
            del self._queues[cluster_name]
        return claim


def match(book: Book, waiting: WaitingClaims, now: datetime) -> list[Match]:
    """Gives out what became possible to the claims that wait, and assigns it in the book.

    The workset that is first in order is given out first, to the cheapest cluster that waits.
    """
    matches: list[Match] = []
    picks: dict[str, Pick] = {}
    look_at: set[str] = set()
    while waiting:
        # What was given out may itself have changed what others can have.
        look_at |= _concerned(book, waiting, book.take_changes(), now)
        for name in look_at:
            found = pick(book, name, now) if waiting.of(name) else None
            if found is not None:
                picks[name] = found
            else:
                picks.pop(name, None)
        if not picks:
            return matches
        first = min((each.workset for each in picks.values()), key=_rank)
        # Of the clusters that could have it, the cheapest: it may be one of the others that wait.
        found = best_of(book, first, waiting.clusters, now)
        if found is not None:
            book.assign(first, found.placement.cluster_name)
            matches.append(Match(waiting.take(found.placement.cluster_name), found))
        look_at = {
            name for name, each in picks.items() if each.workset.workset_id == first.workset_id
        }
        if found is not None:
            look_at.add(found.placement.cluster_name)
    # Nobody waits: whoever comes next looks for itself.
    book.take_changes()
    return matches


def _concerned(book: Book, waiting: WaitingClaims, changes: Changes, now: datetime) -> set[str]:
    """The clusters among those that wait which may get something by these changes."""
    if changes.everything:
        return set(waiting.clusters)
    concerned = changes.freed.intersection(waiting.clusters)
    offers = [book.queue.get(workset_id) for workset_id in changes.startable]
    for name in set(waiting.clusters) - concerned:
        cluster = book.fleet.running(now).get(name)
        if cluster is not None and any(
            fits(offer.needs, offer.estimate, cluster, book.fleet, now)
            for offer in offers
            if offer is not None
        ):
            concerned.add(name)
    return concerned


def _rank(workset: Workset) -> tuple[int, OrderKey]:
    return (order_class(workset), order_key(workset))
