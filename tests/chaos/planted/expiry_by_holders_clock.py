"""Locks expire by the clocks of their holders, which are some seconds off, instead of state's."""

import zlib
from dataclasses import replace
from datetime import timedelta
from typing import Any

from daylily_state.app.worksets import Worksets
from daylily_state.domain import locking
from tests.chaos.planted import put_in_place


def plant(service: str) -> None:
    if service != "state":
        return
    acquire: Any = locking.acquire
    touch: Any = Worksets._touch

    def patched_acquire(workset: Any, *rest: Any) -> Any:
        commit = acquire(workset, *rest)
        after = commit.workset.after
        lock = replace(after.lock, expires_at=after.lock.expires_at + _off(after.workset_id))
        return replace(commit, workset=replace(commit.workset, after=replace(after, lock=lock)))

    async def patched_touch(self: Worksets, wanted: Any) -> Any:
        if wanted.expires_at is not None:
            wanted = replace(wanted, expires_at=wanted.expires_at + _off(wanted.workset_id))
        return await touch(self, wanted)

    put_in_place(locking, "acquire", patched_acquire)
    put_in_place(Worksets, "_touch", patched_touch)


def _off(workset_id: str) -> timedelta:
    """How far the clock of whoever holds this is off: up to four seconds either way."""
    return timedelta(seconds=zlib.crc32(workset_id.encode()) % 9 - 4)
