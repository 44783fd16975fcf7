"""The claims that wait, and which of them gets what.

Nothing is taken from a claim that could be served: a claim waits only while nothing fits its
cluster. So whatever changes, few have to be looked at: a cluster with more room gets its pick, and
a workset that can start goes to the cheapest cluster that has a claim waiting. Inside a cluster the
claim that waits longest is served first.
"""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from daylily_scheduler.domain.book import Book, Changes
from daylily_scheduler.domain.model import Workset
from daylily_scheduler.domain.order import order_class, order_key
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
    """Gives out what became possible to the claims that wait, and assigns it in the book."""
    matches: list[Match] = []
    while (changes := book.take_changes()) and waiting:
        _match_clusters(book, waiting, _clusters_to_look_at(waiting, changes), now, matches)
        _match_worksets(book, waiting, changes, now, matches)
    return matches


def _clusters_to_look_at(waiting: WaitingClaims, changes: Changes) -> list[str]:
    if changes.everything:
        return sorted(waiting.clusters)
    return sorted(changes.freed.intersection(waiting.clusters))


def _match_clusters(
    book: Book, waiting: WaitingClaims, names: list[str], now: datetime, matches: list[Match]
) -> None:
    """Serves these clusters, the workset that is first in order before the others."""
    picks = dict(_picks(book, names, now))
    while picks:
        best = min(picks.values(), key=lambda found: _rank(found.workset))
        # Of the clusters that could have it, the cheapest: it may be one of the others that wait.
        found = best_of(book, best.workset, waiting.clusters, now) or best
        cluster_name = found.placement.cluster_name
        _give(book, waiting, found, matches)
        again = [
            name
            for name, other in picks.items()
            if name == cluster_name or other.workset.workset_id == found.workset.workset_id
        ]
        for name in again:
            del picks[name]
        picks.update(_picks(book, [name for name in again if waiting.of(name)], now))


def _match_worksets(
    book: Book, waiting: WaitingClaims, changes: Changes, now: datetime, matches: list[Match]
) -> None:
    """Offers these worksets, in order, to whoever waits."""
    offers = [book.queue.get(workset_id) for workset_id in changes.startable]
    for workset in sorted((offer for offer in offers if offer is not None), key=_rank):
        found = best_of(book, workset, waiting.clusters, now)
        if found is not None:
            _give(book, waiting, found, matches)


def _give(book: Book, waiting: WaitingClaims, found: Pick, matches: list[Match]) -> None:
    cluster_name = found.placement.cluster_name
    book.assign(found.workset, cluster_name)
    matches.append(Match(waiting.take(cluster_name), found))


def _picks(book: Book, names: Iterable[str], now: datetime) -> Iterator[tuple[str, Pick]]:
    for name in names:
        found = pick(book, name, now)
        if found is not None:
            yield name, found


def _rank(workset: Workset) -> tuple[int, object]:
    return (order_class(workset), order_key(workset))
