"""How many worksets stand where: a fold of the feed, exact at the position it has come to."""

import json
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from daylily_state.domain.events import PUBLISHABLE, Event, to_json
from daylily_state.domain.model import Priority, SubjectKind, WorksetState


@dataclass(frozen=True, slots=True)
class Depth:
    """The counts at one moment. READY worksets are `ready` (can start) or `waiting`."""

    counts: Mapping[tuple[WorksetState, Priority], int]
    total: int
    ready: int
    waiting: int
    oldest_ready_age: timedelta | None


class Counts:
    """Takes every event of every lane, each once, in order within a lane.

    READY worksets are kept one by one, with the time since when each can start (None: a dependency is
    missing), because time alone makes a waiting one ready.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[WorksetState, Priority]] = Counter()
        self._startable_since: dict[str, datetime | None] = {}

    def apply(self, event: Event) -> None:
        """Counts one event."""
        workset = event.subject_kind is SubjectKind.WORKSET
        if not workset or event.to_state is None or event.priority is None:
            return
        if event.type in PUBLISHABLE:
            return  # it changed nothing, and its details are whatever somebody outside wrote
        if event.from_state is not None:
            before = event.details.get("from_priority")
            from_priority = Priority[before] if isinstance(before, str) else event.priority
            self._count(event.from_state, from_priority, -1)
        self._count(event.to_state, event.priority, 1)
        if event.to_state is WorksetState.READY:
            self._startable_since[event.subject_id] = self._since(event)
        else:
            self._startable_since.pop(event.subject_id, None)

    def depth(self, now: datetime) -> Depth:
        """The counts, with READY split by what can start now."""
        since = [at for at in self._startable_since.values() if at is not None and at <= now]
        return Depth(
            counts=dict(self._counts),
            total=self._counts.total(),
            ready=len(since),
            waiting=len(self._startable_since) - len(since),
            oldest_ready_age=now - min(since) if since else None,
        )

    def dump(self) -> bytes:
        """The fold as bytes, for a checkpoint."""
        counts = [[state.name, rank.name, n] for (state, rank), n in sorted(self._counts.items())]
        since = {key: at and at.isoformat() for key, at in self._startable_since.items()}
        return zlib.compress(to_json({"counts": counts, "startable_since": since}).encode())

    @classmethod
    def load(cls, data: bytes) -> "Counts":
        """The fold that `dump` gave.

        Raises:
            ValueError: it did not give these bytes.
        """
        self = cls()
        try:
            held = json.loads(zlib.decompress(data))
            for state, rank, number in held["counts"]:
                self._counts[WorksetState[state], Priority[rank]] = number
            for key, at in held["startable_since"].items():
                self._startable_since[key] = at and datetime.fromisoformat(at)
        except (AttributeError, KeyError, TypeError, zlib.error) as error:
            raise ValueError("no fold of this version") from error
        return self

    def _count(self, state: WorksetState, priority: Priority, by: int) -> None:
        key = (state, priority)
        self._counts[key] += by
        if not self._counts[key]:
            del self._counts[key]

    def _since(self, event: Event) -> datetime | None:
        if event.details.get("dependencies_met") is False:
            return None
        available_at = event.details.get("available_at")
        if isinstance(available_at, str):
            return datetime.fromisoformat(available_at)
        known = self._startable_since.get(event.subject_id)
        stayed = event.from_state is WorksetState.READY and known is not None
        return known if stayed else event.occurred_at
