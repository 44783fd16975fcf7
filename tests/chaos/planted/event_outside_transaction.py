"""The event is written after the workset, in a transaction of its own."""

from datetime import timedelta
from typing import Any

from daylily_state.domain.commit import Commit, CommitOutcome, Committed
from daylily_state.store.sqlite import commits, rows
from daylily_state.store.sqlite.store import SqliteStore
from tests.chaos.planted import put_in_place


def plant(service: str) -> None:
    if service != "state":
        return
    apply = commits.apply
    put_in_place(commits, "save_event", lambda *_: None)

    async def patched(self: SqliteStore, commit: Commit, timeout: timedelta) -> CommitOutcome:
        seconds, event_id = timeout.total_seconds(), commit.event.event_id
        outcome = await self._write_within(seconds, event_id, apply, commit)
        if isinstance(outcome, Committed):
            await self._write_within(seconds, event_id, _put, commit)
        return outcome

    put_in_place(SqliteStore, "commit", patched)


def _put(db: Any, commit: Commit) -> None:
    rows.save_event(db, commit.event)
