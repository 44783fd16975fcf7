"""All that a decision depends on, taken apart so that it can be kept, and decided again from that alone."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.decision import Decision, Dependency, decide
from daylily_scheduler.domain.fleet import Reservation
from daylily_scheduler.domain.matching import WaitingClaims, match
from daylily_scheduler.domain.model import Cluster, Customer, Workset
from daylily_scheduler.domain.placement import Placement
from daylily_scheduler.domain.policy import pick
from daylily_scheduler.domain.queue import Hold
from daylily_scheduler.domain.reasons import Reason
from daylily_scheduler.domain.resources import Resources
from daylily_scheduler.domain.rules import Rules


class Kind(Enum):
    """What was asked."""

    # What does a cluster that asks get?
    CLAIM = "claim"
    # What do the clusters get whose claims wait?
    MATCH = "match"
    # Where would a workset go?
    SCHEDULE = "schedule"


@dataclass(frozen=True, slots=True)
class Question:
    """`clusters` that ask: one of a claim, those of a match, once for each claim that waits there."""

    kind: Kind
    clusters: tuple[str, ...] = ()
    workset: Workset | None = None
    dependencies: tuple[Dependency, ...] = ()
    pass_over: int = 0


@dataclass(frozen=True, slots=True)
class Inputs:
    """The contents of a book at one moment, and the question. Cheap to take: nothing in it changes."""

    now: datetime
    question: Question
    clusters: tuple[Cluster, ...]
    customers: tuple[Customer, ...]
    active: tuple[Workset, ...]
    waiting: tuple[Workset, ...]
    holds: dict[str, str]
    reservations: dict[str, Reservation]
    refused: dict[str, Resources]
    spent_since_read: dict[str, float]
    full: tuple[str, ...]
    asked: dict[str, datetime]
    rules: Rules


@dataclass(frozen=True, slots=True)
class Given:
    """A workset that goes to a cluster."""

    workset_id: str
    placement: Placement


@dataclass(frozen=True, slots=True)
class Answer:
    """What was decided: what goes where; for a workset also every place and why it does not go."""

    given: tuple[Given, ...] = ()
    placements: tuple[Placement, ...] = ()
    reasons: tuple[Reason, ...] = ()

    def words(self) -> str:
        """In short: "ws-1 on c1, ws-2 on c2", or "nothing"."""
        places = (f"{each.workset_id} on {each.placement.cluster_name}" for each in self.given)
        return ", ".join(places) or "nothing"


def inputs_of(book: Book, question: Question, now: datetime) -> Inputs:
    """What the answer to this question depends on."""
    return Inputs(
        now=now,
        question=question,
        clusters=tuple(book.fleet),
        customers=tuple(book.limits),
        active=tuple(book.active.values()),
        waiting=book.queue.all(),
        holds=book.queue.holds(),
        reservations=book.fleet.reservations(),
        refused=book.fleet.refusals(),
        spent_since_read=book.limits.spent_since_read(),
        full=book.limits.refused(),
        asked=book.asked(),
        rules=book.rules,
    )


def book_of(inputs: Inputs) -> Book:
    """A book with these contents."""
    book, now = Book(inputs.rules), inputs.now
    for cluster in inputs.clusters:
        book.fleet.put(cluster)
    for workset in (*inputs.active, *inputs.waiting):
        book.put(workset, now)
    for workset_id, why in inputs.holds.items():
        waits, held = book.queue.get(workset_id), inputs.reservations.get(workset_id)
        if Hold[why] is Hold.ATTEMPT and waits is not None and held is not None:
            book.assign(waits, held.cluster_name, held.since)
        else:
            book.queue.hold(workset_id, Hold[why])
    book.set_customers(list(inputs.customers))
    book.limits.restore(inputs.spent_since_read, inputs.full)
    for name, have in inputs.refused.items():
        book.fleet.refuse(name, have)
    for name, at in inputs.asked.items():
        book.ask(name, at)
    book.advance(now)
    return book


def answer(inputs: Inputs) -> Answer:
    """The decision, made again from its inputs alone."""
    book, now, question = book_of(inputs), inputs.now, inputs.question
    match question.kind:
        case Kind.CLAIM:
            (name,) = question.clusters
            found = pick(book, name, now, question.pass_over)
            return picked([(found.workset, found.placement)] if found is not None else [])
        case Kind.MATCH:
            claims = WaitingClaims()
            for number, name in enumerate(question.clusters):
                claims.add(number, name)
            given = match(book, claims, now)
            return picked([(each.pick.workset, each.pick.placement) for each in given])
        case Kind.SCHEDULE:
            assert question.workset is not None  # noqa: S101 - a question about a workset has it
            return decided(decide(book, question.workset, now, question.dependencies))


def picked(places: list[tuple[Workset, Placement]]) -> Answer:
    """The answer that gives these worksets to these places."""
    return Answer(tuple(Given(workset.workset_id, place) for workset, place in places))


def decided(decision: Decision) -> Answer:
    """The answer to where a workset would go."""
    given = [
        Given(decision.workset_id, place)
        for place in decision.placements
        if place.cluster_name == decision.cluster_name
    ]
    return Answer(tuple(given), decision.placements, decision.reasons)
