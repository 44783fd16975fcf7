"""Learns from the feed how long runs take, and puts estimates of waits to the test.

What was learned is rebuilt from a checkpoint that state keeps, and the events since its cursor. It is an
aid and never in the way: it is read beside everything else, and a scheduler serves before it is done.
Each scheduler learns for itself, from the same feed; the checkpoint is that of the one who wrote last.
"""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import structlog
from daylily.workset.v1 import event_pb2

from daylily_client.errors import DaylilyError, InvalidCursor, SnapshotNotFound
from daylily_client.state import AsyncStateClient
from daylily_runtime.clock import Clock
from daylily_scheduler.domain.runtimes import Run, RunTimes, estimate_hours, kind_of
from daylily_scheduler.domain.scores import Scores
from daylily_scheduler.feed.reader import Reader
from daylily_scheduler.feed.rows import moment

SNAPSHOT: Final = "scheduler.learned"
FORMAT: Final = 1
"""Of the checkpoint; one of another format is left aside and learned anew."""
KEEP_SECONDS: Final = 60.0
LAST_KEEP_SECONDS: Final = 2.0
PAUSE_SECONDS: Final = 5.0
LOOK_BACK: Final = timedelta(days=90)
"""How far the feed is read when there is no checkpoint. Older runs say little of today's."""

_STARTED: Final = event_pb2.EVENT_TYPE_LOCK_ACQUIRED
_COMPLETED: Final = event_pb2.EVENT_TYPE_COMPLETED
_OVER: Final = frozenset({event_pb2.EVENT_TYPE_FAILED, event_pb2.EVENT_TYPE_IGNORED})
_FOLLOWED: Final = (_STARTED, _COMPLETED, *sorted(_OVER))

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Learner:
    """Keeps `times` and `scores` up to date with the feed, for ever.

    Args:
        state: the state service.
        reader: for rows of worksets that ended.
        times: what is learned of run times.
        scores: estimates that wait to be put to the test.
        clock: time.
        after: what goes first: a scheduler that starts reads the queue before the past.
    """

    def __init__(
        self,
        state: AsyncStateClient,
        reader: Reader,
        times: RunTimes,
        scores: Scores,
        *,
        clock: Clock,
        after: asyncio.Event,
    ) -> None:
        self._state = state
        self._reader = reader
        self._times = times
        self._scores = scores
        self._clock = clock
        self._after = after
        self._cursor = ""
        self._kept = ""
        self.caught_up = asyncio.Event()
        """Set when all was learned that had happened before."""

    async def run(self) -> None:
        """Takes up the checkpoint and follows the feed from there."""
        await self._after.wait()
        await self._restore()
        while True:
            try:
                await self._follow()
            except InvalidCursor:
                # The store was set back behind the checkpoint: what was learned is still true.
                _log.warning("learning_position_refused", cursor=self._cursor)
                self._cursor = ""
            except DaylilyError as error:
                _log.warning("learning_interrupted", error=str(error))
            await self._clock.sleep(PAUSE_SECONDS)

    async def keep(self) -> None:
        """Writes the checkpoint now and then, when something was learned since."""
        while True:
            await self._clock.sleep(KEEP_SECONDS)
            await self._write()

    async def close(self) -> None:
        """Writes the last checkpoint, if state takes it soon."""
        try:
            async with asyncio.timeout(LAST_KEEP_SECONDS):
                await self._write()
        except TimeoutError:
            _log.warning("checkpoint_not_written", error="state did not answer in time")

    # --- inside ---

    async def _follow(self) -> None:
        since = None if self._cursor else await self._reader.now() - LOOK_BACK
        watch = self._state.watch_events(cursor=self._cursor, since=since, event_types=_FOLLOWED)
        try:
            async for answer in watch:
                runs = await self._runs(answer.events)
                # From here to the cursor nothing waits: a checkpoint has both or neither.
                for run in runs:
                    self._times.learn(run)
                for event in answer.events:
                    self._score(event)
                self._cursor = answer.cursor
                if not answer.events:
                    self.caught_up.set()
        finally:
            await watch.aclose()

    async def _runs(self, events: Sequence[event_pb2.Event]) -> list[Run]:
        """The runs that ended well by these events."""
        held: dict[str, float] = {}
        for event in events:
            if event.type == _COMPLETED and "held_seconds" in event.details:
                seconds = event.details["held_seconds"]
                if isinstance(seconds, float):
                    held[event.workset_id] = seconds
        if not held:
            return []
        rows, _ = await self._reader.worksets(held)
        return [Run(kind_of(row), held[row.workset_id] / 3600, estimate_hours(row)) for row in rows]

    def _score(self, event: event_pb2.Event) -> None:
        if event.type == _STARTED:
            self._scores.start(event.workset_id, moment(event.occurred_at))
        elif event.type in _OVER:
            self._scores.drop(event.workset_id)

    async def _restore(self) -> None:
        try:
            found = await self._reader.snapshot(SNAPSHOT)
        except SnapshotNotFound:
            return
        except DaylilyError as error:
            _log.warning("checkpoint_not_read", error=str(error))
            return
        try:
            record = json.loads(found.data)
            if record["format"] != FORMAT:
                raise ValueError(f"its format is {record['format']}")  # noqa: TRY301
            self._times.restore(record["run_times"])
            self._scores.restore(record["scores"])
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            _log.warning("checkpoint_of_no_use", error=str(error))
            return
        self._cursor = self._kept = found.cursor
        _log.info("learned_before", kinds=self._times.kinds, scored=self._scores.scored)

    async def _write(self) -> None:
        if not self._cursor or self._cursor == self._kept:
            return
        cursor = self._cursor
        record = {
            "format": FORMAT,
            "run_times": self._times.to_record(),
            "scores": self._scores.to_record(),
        }
        data = json.dumps(record, separators=(",", ":")).encode()
        try:
            await self._state.put_snapshot(name=SNAPSHOT, cursor=cursor, data=data)
        except DaylilyError as error:
            _log.warning("checkpoint_not_written", error=str(error))
            return
        self._kept = cursor
