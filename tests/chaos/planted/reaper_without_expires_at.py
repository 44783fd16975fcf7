"""A timeout is committed without looking whether the holder renewed meanwhile."""

from dataclasses import replace
from typing import Any

from daylily_state.domain import lifecycle
from tests.chaos.planted import put_in_place


def plant(service: str) -> None:
    if service != "state":
        return
    time_out: Any = lifecycle.time_out

    def patched(*args: Any, **kwargs: Any) -> Any:
        commit = time_out(*args, **kwargs)
        if commit is None:
            return None
        return replace(commit, workset=replace(commit.workset, expiry_seen=None))

    put_in_place(lifecycle, "time_out", patched)
