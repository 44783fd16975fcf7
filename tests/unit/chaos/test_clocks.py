"""Runs in which the second replica's clock is three seconds ahead."""

from dataclasses import replace

import pytest

from tests.chaos.checks.clocks import clocks
from tests.chaos.checks.liveness import outages_end_no_lock
from tests.chaos.checks.locks import leases
from tests.chaos.evidence import Evidence, Life, Reaped
from tests.chaos.monitor import LEASE
from tests.chaos.options import small
from tests.chaos.report import report
from tests.unit.chaos.story import Story

AHEAD = 3.0


@pytest.fixture
def story() -> Story:
    """A lock granted by the second replica, and timed out by the first."""
    told = Story()
    workset_id = told.register()
    grant = told.acquire(workset_id)
    grant.answer = {**grant.answer, "expires_at": grant.answer["expires_at"] + AHEAD}
    told.wait(LEASE + AHEAD + 1.1)
    told.time_out(workset_id)
    return told


def skewed(story: Story, skew: float = AHEAD, **fields) -> Evidence:
    evidence = story.evidence(
        lives=[Life("state-0", 900.0, None), Life("state-1", 900.0, None)],
        **{"reaped": [Reaped(0, "ws.m0.1.1", 1)], **fields},
    )
    evidence.plan = replace(evidence.plan, shape=small("dynamodb"), skew=skew)
    return evidence


def test_a_replica_with_a_wrong_clock_that_ends_no_lock_is_right(story):
    story.replica_is_fit(since=-5.0, at=40.0, replica=0)
    evidence = skewed(story)

    assert not [*clocks(evidence), *leases(evidence), *outages_end_no_lock(evidence)]


def test_a_replica_with_a_wrong_clock_that_is_fit_for_a_lease_is_seen(story):
    story.replica_is_fit(since=10.0, at=13.0, replica=1)
    assert not list(clocks(skewed(story)))

    story.replica_is_fit(since=10.0, at=10.0 + LEASE, replica=1)

    (found,) = clocks(skewed(story))

    assert found.text == "state-1 says that it has been fit for 10.0 s"


def test_a_replica_with_a_wrong_clock_that_ends_a_lock_is_seen(story):
    (found,) = clocks(skewed(story, reaped=[Reaped(1, "ws.m0.1.1", 1)]))

    assert found.text == "state-1 ended ws.m0.1.1, token 1"


def test_a_clock_that_is_a_little_off_is_borne(story):
    story.replica_is_fit(since=-5.0, at=40.0, replica=1)

    assert not list(clocks(skewed(story, skew=0.8, reaped=[Reaped(1, "ws.m0.1.1", 1)])))


def test_a_timeout_while_the_only_other_replica_was_away_is_seen(story):
    """Nobody was fit: the one was stopped, the other's clock is wrong."""
    story.fault("stop state", "state-0", begun=5.0, seconds=5.0)

    (found,) = outages_end_no_lock(skewed(story))

    assert "every replica was away" in found.text


def test_a_lease_that_no_clock_explains_is_seen(story):
    grant = story.calls[1]
    grant.answer = {**grant.answer, "expires_at": grant.answer["expires_at"] + 1}

    (found,) = leases(skewed(story))

    assert grant.op_id in found.text


def test_a_run_fails_if_the_wrong_clock_decided_nothing(story):
    wanting = {
        "the replica whose clock is off granted nothing",
        "no lock was timed out beside the replica whose clock is off",
    }
    assert not wanting.intersection(report(skewed(story)).failures)

    without = replace(skewed(story, reaped=[]), calls=story.calls[:1])

    assert wanting <= {*report(without).failures}
