"""A lock is granted whenever nobody has one, whatever state the workset is in."""

from typing import Any

from daylily_state.domain import transitions
from daylily_state.domain.model import WorksetState
from daylily_state.domain.transitions import Cause
from tests.chaos.planted import put_in_place


def plant(service: str) -> None:
    if service != "state":
        return
    check = transitions.check
    (row,) = (row for row in transitions.TABLE if row.cause is Cause.ACQUIRE)

    def patched(workset: Any, to: WorksetState, cause: Cause) -> Any:
        return row if cause is Cause.ACQUIRE else check(workset, to, cause)

    put_in_place(transitions, "check", patched)
