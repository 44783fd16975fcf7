from pathlib import Path

import pytest

from daylily_state.domain.errors import IllegalTransitionError
from daylily_state.domain.model import WorksetState
from daylily_state.domain.transitions import TABLE, Cause, allows, check
from daylily_state.state_machine_doc import diagram, rewrite, table
from tests.unit.state.given import locked, ready

PAGE = Path(__file__).parents[3] / "docs" / "state-machine.md"


def test_the_page_shows_the_table_of_the_code() -> None:
    page = PAGE.read_text()
    assert rewrite(page) == page, "run: python -m daylily_state.state_machine_doc <the page>"
    assert diagram() in page
    assert table() in page


def test_every_row_of_the_table_is_a_move_of_its_own() -> None:
    moves = {(row.from_state, row.to_state, row.cause) for row in TABLE}
    assert len(moves) == len(TABLE)


def test_nothing_leaves_complete() -> None:
    assert not [row for row in TABLE if row.from_state is WorksetState.COMPLETE]


def test_what_never_ran_cannot_be_complete() -> None:
    into = {row.from_state for row in TABLE if row.to_state is WorksetState.COMPLETE}
    assert into == {WorksetState.IN_PROGRESS}


def test_a_move_that_the_table_lacks_is_refused_with_both_states() -> None:
    with pytest.raises(IllegalTransitionError) as refusal:
        check(ready(), WorksetState.COMPLETE, Cause.COMPLETE)
    assert refusal.value.metadata == {"workset_id": "ws-1", "from": "READY", "to": "COMPLETE"}
    assert str(refusal.value) == "Workset ws-1 is READY; it cannot become COMPLETE this way."


def test_the_cause_is_part_of_the_move() -> None:
    assert check(locked(), WorksetState.READY, Cause.RELEASE)
    assert not allows(WorksetState.LOCKED, WorksetState.READY, Cause.RESTORE)
