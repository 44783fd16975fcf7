import pytest

from tests.chaos.checks.liveness import dead_holder_seconds, nothing_stuck, outages_end_no_lock
from tests.chaos.evidence import Life
from tests.chaos.monitor import LEASE
from tests.unit.chaos.story import Story

MARGIN = 1.1


def abandoned(*, ended_after: float) -> Story:
    """A lock whose holder is gone, ended so many seconds after its lease; a replica was fit."""
    story = Story()
    workset_id = story.register()
    story.acquire(workset_id)
    story.wait(LEASE + ended_after)
    story.time_out(workset_id)
    return story


def test_a_dead_holders_lock_that_ends_in_time_is_right():
    story = abandoned(ended_after=MARGIN)
    story.replica_is_fit(since=-5.0, at=40.0)

    assert not [*nothing_stuck(story.evidence()), *outages_end_no_lock(story.evidence())]
    assert dead_holder_seconds(story.evidence()) == pytest.approx([MARGIN], abs=0.02)


def test_a_dead_holders_lock_that_ends_late_is_seen_if_a_replica_was_fit_for_it():
    story = abandoned(ended_after=6.0)
    assert not list(nothing_stuck(story.evidence()))

    story.replica_is_fit(since=-5.0, at=40.0)

    (found,) = nothing_stuck(story.evidence())
    assert "ended 6.0 s later, was due 5.0 s later" in found.text


def test_a_replica_that_got_fit_late_has_so_much_longer():
    story = abandoned(ended_after=6.0)
    # Fit for a lease 2 s after the lock ran out: it is due 7 s after.
    story.replica_is_fit(since=1.0, at=40.0)

    assert not list(nothing_stuck(story.evidence()))
    assert dead_holder_seconds(story.evidence()) == []


def test_what_a_replica_said_before_the_lock_was_due_proves_nothing():
    story = abandoned(ended_after=6.0)
    story.replica_is_fit(since=-5.0, at=LEASE + 4.0)

    assert not list(nothing_stuck(story.evidence()))


def test_a_lock_that_never_ended_is_seen():
    story = Story()
    story.acquire(story.register())

    (found,) = nothing_stuck(story.evidence())

    assert "never ended" in found.text


def test_a_system_that_does_not_come_to_rest_is_seen():
    (found,) = nothing_stuck(Story().evidence(settled=False))

    assert "did not come to rest" in found.text


@pytest.mark.parametrize("kind", ["kill state", "stop state", "store refuses", "store hangs"])
def test_a_timeout_within_a_lease_of_an_outage_of_the_only_replica_is_seen(kind):
    story = abandoned(ended_after=MARGIN)
    story.fault(kind, "state-0", begun=3.0, seconds=5.0)

    (found,) = outages_end_no_lock(story.evidence())

    assert "every replica was away" in found.text


def test_a_timeout_a_lease_after_the_outage_is_right():
    story = abandoned(ended_after=MARGIN)
    story.fault("stop state", "state-0", begun=-5.0, seconds=5.0)

    assert not list(outages_end_no_lock(story.evidence()))


def test_an_outage_that_fitness_bears_is_none():
    story = abandoned(ended_after=MARGIN)
    story.fault("stop state", "state-0", begun=3.0, seconds=2.5)

    assert not list(outages_end_no_lock(story.evidence()))


def test_a_replica_that_has_not_run_for_a_lease_may_end_no_lock():
    story = abandoned(ended_after=MARGIN)
    evidence = story.evidence(lives=[Life("state-0", 1005.0, None)])

    assert list(outages_end_no_lock(evidence))
