"""How many worksets stand where: a fold of the feed, exact at the position it has come to."""

import json
import zlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from daylily_state.domain.events import PUBLISHABLE, Event, to_json
from daylily_state.domain.model import Priority, SubjectKind, WorksetState
from daylily_state.domain.times import Times

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_LINE: Final = 2_000  # READY worksets in a line of a checkpoint


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
        self._since = Times()  # the same times in order

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
        self._note(event)

    def depth(self, now: datetime) -> Depth:
        """The counts, with READY split by what can start now."""
        ready = self._since.until(now)
        first = self._since.first
        return Depth(
            counts=dict(self._counts),
            total=self._counts.total(),
            ready=ready,
            waiting=len(self._startable_since) - ready,
            oldest_ready_age=now - first if ready and first else None,
        )

    def image(self) -> "Image":
        """The fold as it is now, for a checkpoint: what comes later does not change it."""
        return Image(dict(self._counts), dict(self._startable_since))

    @classmethod
    def of(cls, image: "Image") -> "Counts":
        """A fold that goes on from an image."""
        self = cls()
        self._counts.update(image.counts)
        self._startable_since.update(image.startable_since)
        self._since = Times(at for at in image.startable_since.values() if at is not None)
        return self

    def _count(self, state: WorksetState, priority: Priority, by: int) -> None:
        key = (state, priority)
        self._counts[key] += by
        if not self._counts[key]:
            del self._counts[key]

    def _note(self, event: Event) -> None:
        """Since when the workset can start, if it is READY."""
        known = self._startable_since.get(event.subject_id)
        if event.to_state is WorksetState.READY:
            since = _since(event, known)
            self._startable_since[event.subject_id] = since
        else:
            since = None
            self._startable_since.pop(event.subject_id, None)
        if known is not None:
            self._since.remove(known)
        if since is not None:
            self._since.add(since)


def _since(event: Event, known: datetime | None) -> datetime | None:
    if event.details.get("dependencies_met") is False:
        return None
    available_at = event.details.get("available_at")
    if isinstance(available_at, str):
        return datetime.fromisoformat(available_at)
    stayed = event.from_state is WorksetState.READY and known is not None
    return known if stayed else event.occurred_at


@dataclass(frozen=True, slots=True)
class Image:
    """A fold that stands still.

    Attributes:
        counts: worksets by state and priority.
        startable_since: READY worksets, with the time since when each can start.
    """

    counts: Mapping[tuple[WorksetState, Priority], int]
    startable_since: Mapping[str, datetime | None]

    def dump(self) -> bytes:
        """The image as bytes: lines of JSON, compressed. The first has the counts, the others READY
        worksets, some at a time, so that whoever writes or reads millions in a thread lets the others
        have their turn in between.
        """
        packer = zlib.compressobj(level=1)
        counts = [[state.name, rank.name, n] for (state, rank), n in sorted(self.counts.items())]
        packed = [packer.compress(to_json(counts).encode())]
        since = iter(self.startable_since.items())
        while some := dict(islice(since, _LINE)):
            line = {key: None if at is None else _micros(at) for key, at in some.items()}
            packed.append(packer.compress(b"\n" + to_json(line).encode()))
        packed.append(packer.flush())
        return b"".join(packed)

    @classmethod
    def load(cls, data: bytes) -> "Image":
        """The image that `dump` made these bytes of.

        Raises:
            ValueError: it did not make them.
        """
        try:
            first, *lines = zlib.decompress(data).split(b"\n")
            counts = {
                (WorksetState[state], Priority[rank]): n for state, rank, n in json.loads(first)
            }
            since = {
                key: None if at is None else _EPOCH + at * _MICROSECOND
                for line in lines
                for key, at in json.loads(line).items()
            }
        except (AttributeError, KeyError, TypeError, OverflowError, zlib.error) as error:
            raise ValueError("no fold of this version") from error
        return cls(counts, since)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND
