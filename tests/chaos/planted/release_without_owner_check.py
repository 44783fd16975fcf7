"""ReleaseLock takes any token."""

from dataclasses import replace
from typing import Any

from daylily_state.domain import locking
from tests.chaos.planted import put_in_place


def plant(service: str) -> None:
    if service != "state":
        return
    release = locking.release

    def patched(workset: Any, details: Any, command: Any, moment: Any) -> Any:
        if workset is not None and workset.lock is not None:
            command = replace(command, lock_token=workset.lock.token)
        return release(workset, details, command, moment)

    put_in_place(locking, "release", patched)
