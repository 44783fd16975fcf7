from dataclasses import replace
from datetime import timedelta

from daylily_state.domain import dependencies, locking, registering
from daylily_state.domain.commands import Acquire, Register, Release, SetState, Update
from daylily_state.domain.counts import Counts, Image
from daylily_state.domain.model import ErrorCategory, Priority, WorksetState
from tests.unit.state.given import ALONE, DETAILS, NOW, after, moment, move, ready

MINUTE = timedelta(minutes=1)


class Trail:
    """One workset's events, counted as they happen."""

    def __init__(self, **fields) -> None:
        self.counts = Counts()
        self.workset = None
        command = Register(workset_id="ws-1", bucket="b", prefix="p/", **fields)
        there = {key: ready(workset_id=key) for key in command.depends_on}
        self.take(registering.register(None, there, command, moment()))

    def take(self, commit) -> None:
        self.counts.apply(commit.event)
        self.workset = after(commit)

    def acquire(self, now) -> None:
        command = Acquire(workset_id="ws-1", owner_id="m1")
        self.take(locking.acquire(self.workset, DETAILS, ALONE, command, moment(now)))

    def fail(self, now) -> None:
        command = SetState(
            workset_id="ws-1",
            state=WorksetState.ERROR,
            lock_token=self.workset.lock.token,
            error_category=ErrorCategory.TRANSIENT,
        )
        self.take(move(self.workset, command, now=now, dice=1.0))

    def depth(self, now):
        return self.counts.depth(now)


def test_an_empty_system_counts_nothing() -> None:
    depth = Counts().depth(NOW)
    assert (depth.total, depth.ready, depth.waiting) == (0, 0, 0)
    assert depth.oldest_ready_age is None


def test_a_registered_workset_is_ready_and_ages() -> None:
    trail = Trail(priority=Priority.URGENT)
    depth = trail.depth(NOW + MINUTE)
    assert depth.counts == {(WorksetState.READY, Priority.URGENT): 1}
    assert (depth.ready, depth.waiting, depth.total) == (1, 0, 1)
    assert depth.oldest_ready_age == MINUTE


def test_a_workset_that_backs_off_waits_until_its_time_alone_makes_it_ready() -> None:
    trail = Trail()
    trail.acquire(NOW)
    trail.fail(NOW)
    assert (trail.depth(NOW).ready, trail.depth(NOW).waiting) == (0, 1)
    later = trail.depth(NOW + MINUTE)
    assert (later.ready, later.waiting) == (1, 0)
    assert later.oldest_ready_age == timedelta(seconds=30)


def test_a_workset_with_a_missing_dependency_waits_until_it_is_met() -> None:
    trail = Trail(depends_on=("ws-0",))
    assert trail.depth(NOW + MINUTE).waiting == 1
    done = {"ws-0": ready(workset_id="ws-0", state=WorksetState.COMPLETE)}
    details = replace(DETAILS, depends_on=("ws-0",))
    commit = dependencies.report_met(trail.workset, details, done, moment(NOW + MINUTE))
    trail.take(commit)
    assert trail.depth(NOW + 3 * MINUTE).oldest_ready_age == 2 * MINUTE


def test_a_changed_priority_moves_the_count_and_keeps_the_age() -> None:
    trail = Trail()
    command = Update(workset_id="ws-1", fields=frozenset({"priority"}), priority=Priority.LOW)
    trail.take(registering.update(trail.workset, DETAILS, command, moment(NOW + MINUTE)))
    depth = trail.depth(NOW + 2 * MINUTE)
    assert depth.counts == {(WorksetState.READY, Priority.LOW): 1}
    assert depth.oldest_ready_age == 2 * MINUTE


def test_a_workset_that_is_given_back_is_young_again() -> None:
    trail = Trail()
    trail.acquire(NOW)
    command = Release(workset_id="ws-1", lock_token=1)
    trail.take(locking.release(trail.workset, DETAILS, command, moment(NOW + MINUTE)))
    assert trail.depth(NOW + 2 * MINUTE).oldest_ready_age == MINUTE


def test_a_checkpoint_goes_on_where_it_was_left() -> None:
    trail = Trail()
    trail.acquire(NOW)
    trail.fail(NOW)
    again = Counts.of(Image.load(trail.counts.image().dump()))
    assert again.depth(NOW + MINUTE) == trail.depth(NOW + MINUTE)


def test_a_checkpoint_of_many_is_in_lines_and_whole() -> None:
    since = {
        f"ws-{number}": NOW + number * MINUTE if number % 3 else None for number in range(5001)
    }
    image = Image({(WorksetState.READY, Priority.LOW): 5001}, since)
    assert Image.load(image.dump()) == image
    assert Counts.of(image).depth(NOW + 3 * MINUTE).ready == 2


def test_a_checkpoint_that_is_being_written_does_not_change() -> None:
    trail = Trail()
    image = trail.counts.image()
    trail.acquire(NOW)
    assert Counts.of(Image.load(image.dump())).depth(NOW).ready == 1
    assert trail.depth(NOW).ready == 0
