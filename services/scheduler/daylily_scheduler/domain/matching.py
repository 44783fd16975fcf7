"""The claims that wait, and which of them gets what.

A claim waits while the plan has nothing for its cluster. Whatever changes, one new plan says which
clusters get something, and it is shared by all claims. Inside a cluster the claim that waits longest is
served first.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.plan import plan_of
from daylily_scheduler.domain.policy import Pick, pick, rank

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

    What the plan starts now is given out in order. When nothing of it is left, the clusters that
    still wait are asked what may start there behind the planned ones, and the first of all of it in
    order goes.
    """
    matches: list[Match] = []
    for name in waiting.clusters:
        book.ask(name, now)
    if not book.take_changes():
        return matches
    while waiting:
        given = _planned(book, waiting, now) or _behind_the_planned(book, waiting, now)
        if not given:
            _review_later(book, now)
            break
        for found in given:
            name = found.placement.cluster_name
            book.assign(found.workset, name, now)
            matches.append(Match(waiting.take(name), found))
    # All of it was looked at; and where nobody waits, whoever comes next looks for itself.
    book.take_changes()
    return matches


def _planned(book: Book, waiting: WaitingClaims, now: datetime) -> list[Pick]:
    """What the plan starts now where a claim waits, as many as there are claims."""
    left = {name: len(waiting.of(name)) for name in waiting.clusters}
    found = []
    for choice in plan_of(book, now, book.asking(now)).starts:
        name = choice.best.cluster_name
        if left.get(name):
            left[name] -= 1
            found.append(Pick(choice.workset, choice.placement))
    return found


def _behind_the_planned(book: Book, waiting: WaitingClaims, now: datetime) -> list[Pick]:
    """The first in order of what may start behind the planned ones, where a claim waits."""
    found = [each for name in waiting.clusters if (each := pick(book, name, now)) is not None]
    return sorted(found, key=lambda each: rank(book, each.workset))[:1]


def _review_later(book: Book, now: datetime) -> None:
    """What waits by choice, behind a reservation, or for a cluster that asked a moment ago may go
    elsewhere with time alone.
    """
    plan = plan_of(book, now, book.asking(now))
    if next(plan.starts, None) is not None:
        book.review(now + book.rules.asks_for)
    elif plan.choices:
        book.review(now + book.rules.review_after)
