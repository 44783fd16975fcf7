from dataclasses import replace

import pytest

from daylily_state.domain.model import WorksetState
from tests.chaos.checks.trail import events_and_versions, one_effect, transitions
from tests.chaos.evidence import Evidence
from tests.unit.chaos.story import Story, replaced, with_row, without


@pytest.fixture
def story() -> Story:
    """A workset that was registered, locked, started and completed: four events."""
    told = Story()
    grant = told.acquire(told.register(), "m1")
    told.start(grant)
    told.complete(grant)
    return told


@pytest.fixture
def evidence(story) -> Evidence:
    return story.evidence()


def test_whole_trails_are_right(evidence):
    assert not [*events_and_versions(evidence), *transitions(evidence), *one_effect(evidence)]


def test_a_version_without_its_event_is_seen(evidence):
    found = [violation.text for violation in events_and_versions(without(evidence, 3))]

    assert any("events [1, 2, 4]" in text for text in found)
    assert any("version 4, 3 events" in text for text in found)


def test_an_event_without_its_version_is_seen(evidence):
    (workset_id,) = evidence.tables.worksets

    (found,) = events_and_versions(with_row(evidence, workset_id, version=3))

    assert "version 3, 4 events" in found.text


def test_events_without_a_row_are_seen(evidence):
    lost = replace(evidence, tables=replace(evidence.tables, worksets={}))

    (found,) = events_and_versions(lost)

    assert "version None, 4 events" in found.text


def test_a_row_in_another_state_than_its_last_event_says_is_seen(evidence):
    (workset_id,) = evidence.tables.worksets

    (found,) = events_and_versions(with_row(evidence, workset_id, state=WorksetState.READY))

    assert "READY after" in found.text


def test_a_lock_that_no_event_tells_of_is_seen():
    story = Story()
    workset_id = story.register()
    story.acquire(workset_id)
    lock = story.rows[workset_id].lock
    told = Story()
    told.register()

    (found,) = events_and_versions(with_row(told.evidence(), workset_id, lock=lock))

    assert "its lock is" in found.text


def test_a_move_that_the_table_does_not_have_is_seen(evidence):
    """LOCKED to COMPLETE: the event of the start is gone, and the trail joined again."""
    gone = replaced(without(evidence, 3), 4, from_state=WorksetState.LOCKED)

    (found,) = transitions(gone)

    assert "COMPLETED from LOCKED to COMPLETE" in found.text


def test_a_move_from_where_the_workset_was_not_is_seen(evidence):
    (found,) = transitions(without(evidence, 3))

    assert "from IN_PROGRESS to COMPLETE, it was 2" in found.text


def test_a_call_that_made_two_events_is_seen(story):
    repeated = replaced(story.evidence(), 4, reason=story.calls[2].op_id)

    found = [violation.text for violation in one_effect(repeated)]

    assert f"start {story.calls[2].op_id} made 2 events" in found


def test_a_call_that_was_answered_and_is_not_there_is_seen(story, evidence):
    (found,) = one_effect(without(evidence, 4))

    assert found.text == f"complete {story.calls[3].op_id} was answered and is not there"


def test_a_call_that_was_refused_and_landed_is_seen(story, evidence):
    story.calls[3].answer, story.calls[3].error = None, "LockLost"

    (found,) = one_effect(evidence)

    assert found.text == f"complete {story.calls[3].op_id} was refused (LockLost) and landed"


def test_a_call_without_an_answer_may_have_landed_or_not(story, evidence):
    story.calls[3].answer, story.calls[3].error = None, "OutcomeUnknown"

    assert not list(one_effect(evidence))
    assert not list(one_effect(without(evidence, 4)))


def test_one_request_id_with_two_effects_on_a_workset_is_seen(evidence):
    twice = replaced(replaced(evidence, 3, request_id="r"), 4, request_id="r")

    (found,) = one_effect(twice)

    assert "request r made 2" in found.text
