"""A decision made again from what was kept of its inputs is the same, bit for bit."""

import gzip
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.decision import Dependency, decide
from daylily_scheduler.domain.inputs import Kind, Question, decided, inputs_of, picked
from daylily_scheduler.domain.matching import WaitingClaims, match
from daylily_scheduler.domain.model import Customer, WorksetState
from daylily_scheduler.domain.policy import pick
from daylily_scheduler.domain.queue import Hold
from daylily_scheduler.domain.resources import Resources
from daylily_scheduler.domain.rules import Rules
from daylily_scheduler.recording.files import SUFFIX, Record, lines_of
from daylily_scheduler.recording.replaying import replayed
from tests.property.scheduler.test_policy import NAMES, clusters, shapes
from tests.support.scheduling import NOW, workset

fates = st.sampled_from(["waits", "waits", "waits", "runs", "attempted", "stale"])
books = st.tuples(
    st.lists(clusters, max_size=3),
    st.lists(st.tuples(shapes, fates, st.sampled_from(NAMES)), max_size=10),
    st.builds(
        Customer,
        st.just("acme"),
        max_concurrent=st.sampled_from([0, 1, 3]),
        budget_usd=st.sampled_from([0.0, 5.0]),
    ),
    st.sampled_from([None, *NAMES]),
    st.booleans(),
    st.sets(st.sampled_from(NAMES)),
    st.sampled_from([Rules(), Rules(crowding=0.0, hours_per_hour=0.0, most_planned=2)]),
)


def filled(drawn):
    """A book as it may be in the middle of things."""
    places, jobs, customer, refused, full, asking, rules = drawn
    book = Book(rules)
    for place in places:
        book.put_cluster(place, NOW)
    for number, (shape, fate, name) in enumerate(jobs):
        job = workset(f"w{number}", **shape)
        book.put(job, NOW)
        if fate == "runs":
            book.run(job.workset_id, name, 2, started=True, at=NOW)
        elif fate == "attempted":
            book.assign(job, name, NOW)
        elif fate == "stale":
            book.queue.hold(job.workset_id, Hold.STALE)
    book.set_customers([customer])
    if refused is not None:
        book.refuse_cluster(refused, Resources(4, 4096, 0, 1))
    if full:
        book.refuse_customer("acme")
    for name in asking:
        book.ask(name, NOW)
    book.advance(NOW)
    return book


def kept_and_made_again(record):
    """Through a file, as it would be."""
    with TemporaryDirectory() as folder:
        path = Path(folder) / f"one{SUFFIX}"
        with gzip.open(path, "wb") as file:
            file.writelines(line + b"\n" for line in lines_of(record))
        return replayed(path)


@settings(deadline=None)
@given(books, st.sampled_from(NAMES), st.integers(0, 3))
def test_the_pick_of_a_claim(drawn, name, pass_over):
    book = filled(drawn)
    inputs = inputs_of(book, Question(Kind.CLAIM, (name,), pass_over=pass_over), NOW)
    found = pick(book, name, NOW, pass_over)
    live = picked([(found.workset, found.placement)] if found is not None else [])
    replay = kept_and_made_again(Record(inputs, live))
    assert replay.record == Record(inputs, live)
    assert replay.same
    assert list(replay.differences()) == []


@settings(deadline=None)
@given(books, st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
def test_what_claims_that_wait_get(drawn, names):
    book = filled(drawn)
    claims = WaitingClaims()
    for number, name in enumerate(names):
        claims.add(number, name)
    inputs = inputs_of(book, Question(Kind.MATCH, claims.all()), NOW)
    found = match(book, claims, NOW)
    live = picked([(each.pick.workset, each.pick.placement) for each in found])
    assert kept_and_made_again(Record(inputs, live)).same


@settings(deadline=None)
@given(books, shapes)
def test_the_decision_about_a_workset(drawn, shape):
    book = filled(drawn)
    asked = workset("asked", **shape, dependencies_met=False)
    dependencies = (Dependency("other", WorksetState.ERROR),)
    question = Question(Kind.SCHEDULE, workset=asked, dependencies=dependencies)
    inputs = inputs_of(book, question, NOW)
    live = decided(decide(book, asked, NOW, dependencies))
    assert kept_and_made_again(Record(inputs, live)).same
