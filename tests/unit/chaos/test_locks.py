from dataclasses import replace
from datetime import timedelta

import pytest

from daylily_state.domain.model import WorksetState
from tests.chaos.checks import CHECKS, check
from tests.chaos.checks.locks import leases, one_holder, stale_writes, tokens
from tests.chaos.monitor import LEASE
from tests.unit.chaos.story import Story, held_by, replaced, with_row


@pytest.fixture
def story() -> Story:
    return Story()


def test_a_run_in_which_everything_went_well_violates_nothing(story):
    finished, abandoned, restored = story.register(), story.register(), story.register()
    grant = story.acquire(finished, "m1")
    story.start(grant)
    story.acquire(abandoned, "m2")
    story.renew(grant)
    story.refused("acquire", "LockHeld", "m2", workset_id=finished)
    story.complete(grant)
    story.refused("complete", "LockLost", "m1", workset_id=finished, token=1)
    story.wait(LEASE + 1.1)
    story.time_out(abandoned)
    story.operate("cancel", restored, WorksetState.IGNORED)
    story.operate("restore", restored, WorksetState.READY)
    story.start(taken_over(story, restored))
    story.wait(LEASE + 1.1)
    story.time_out(restored)

    found = check(story.evidence())

    assert found == {name: [] for name in CHECKS}


def taken_over(story: Story, workset_id: str):
    story.acquire(workset_id, "m1")
    return story.acquire(workset_id, "m2", force=True)


# --- tokens ---


def test_a_token_that_does_not_grow_is_seen(story):
    workset_id = story.register()
    story.release(story.acquire(workset_id))
    story.release(story.acquire(workset_id))

    found = list(tokens(replaced(story.evidence(), 4, lock_token=1)))

    assert "granted in this order: [1, 1]" in found[0].text


def test_a_row_that_forgot_its_last_token_is_seen(story):
    workset_id = story.register()
    story.release(story.acquire(workset_id))

    found = list(tokens(with_row(story.evidence(), workset_id, last_token=0)))

    assert "last is 0" in found[0].text


def test_one_token_granted_to_two_calls_is_seen(story):
    workset_id = story.register()
    first = story.acquire(workset_id)
    story.calls.append(replace(first, op_id="m9.1.1", monitor="m9"))

    (found,) = tokens(story.evidence())

    assert "was granted to" in found.text


# --- one holder ---


def test_a_second_grant_that_nobody_forced_is_seen(story):
    workset_id = story.register()
    story.acquire(workset_id)
    story.acquire(workset_id, "m1", force=True)
    evidence = story.evidence()
    evidence.calls = [replace(call, kind="acquire") for call in evidence.calls]

    (found,) = one_holder(evidence)

    assert "then granted to" in found.text


def test_a_takeover_that_an_operator_forced_is_none(story):
    taken_over(story, story.register())

    assert not list(one_holder(story.evidence()))


def test_a_timeout_while_a_renewal_was_confirmed_is_seen(story):
    workset_id = story.register()
    grant = story.acquire(workset_id)
    story.wait(LEASE + 1.1)
    story.time_out(workset_id)
    # It renewed before the timeout, and was told so; the row that was timed out knew nothing of it.
    renewal = story.refused("renew", "", workset_id=workset_id, token=held_by(grant)[1])
    renewal.answer = {"expires_at": story.now.timestamp() + 5, "token": held_by(grant)[1]}

    (found,) = one_holder(story.evidence())

    assert f"though {renewal.op_id} was confirmed until" in found.text


def test_a_restored_workset_whose_cancelled_holder_still_had_its_lock_is_seen(story):
    workset_id = story.register()
    story.acquire(workset_id)
    story.operate("cancel", workset_id, WorksetState.IGNORED)
    story.wait(LEASE + 1.1)
    story.operate("restore", workset_id, WorksetState.READY)
    evidence = story.evidence()
    assert not list(one_holder(evidence))

    early = evidence.tables.events[-1].occurred_at - timedelta(seconds=3)

    assert list(one_holder(replaced(evidence, 4, occurred_at=early)))


# --- stale writes ---


def test_a_write_under_a_token_of_before_is_seen(story):
    workset_id = story.register()
    first = story.acquire(workset_id)
    story.release(first)
    late = story.complete(story_started(story, workset_id))
    late.args = {**late.args, "token": held_by(first)[1]}

    (found,) = stale_writes(story.evidence())

    assert "of token 1 landed as version 6, while the live token was 2" in found.text


def story_started(story: Story, workset_id: str):
    grant = story.acquire(workset_id, "m1")
    story.start(grant)
    return grant


def test_a_write_after_the_lock_ended_is_seen(story):
    workset_id = story.register()
    first = story.acquire(workset_id)
    story.release(first)
    late = story.operate("cancel", workset_id, WorksetState.IGNORED)
    late.args = {"workset_id": workset_id, "token": held_by(first)[1]}

    (found,) = stale_writes(story.evidence())

    assert "while the live token was None" in found.text


@pytest.mark.parametrize("kind", ["renew", "progress"])
def test_what_only_touches_a_lock_after_the_next_grant_is_seen_too(story, kind):
    workset_id = story.register()
    first = story.acquire(workset_id)
    story.release(first)
    story.acquire(workset_id, "m1")
    story.wait(0.1)
    late = story.renew(first)
    late.kind = kind

    (found,) = stale_writes(story.evidence())

    assert f"renewed {workset_id} token 1" in found.text


# --- leases ---


@pytest.mark.parametrize("seconds", [-1.0, 1.0])
def test_a_lock_that_ends_sooner_or_later_than_its_lease_is_seen(story, seconds):
    grant = story.acquire(story.register())
    assert not list(leases(story.evidence()))

    grant.answer = {**grant.answer, "expires_at": grant.answer["expires_at"] + seconds}

    (found,) = leases(story.evidence())
    assert grant.op_id in found.text


def test_a_timeout_within_the_lease_is_seen(story):
    workset_id = story.register()
    grant = story.acquire(workset_id)
    story.wait(LEASE + 1.1)
    story.time_out(workset_id)
    early = story.evidence().tables.events[1].occurred_at + timedelta(seconds=LEASE - 1)

    (found,) = leases(replaced(story.evidence(), 3, occurred_at=early))

    assert f"{workset_id}, token {held_by(grant)[1]}" in found.text
    assert "timed out after 9.000 s" in found.text
