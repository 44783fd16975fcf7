"""Records decisions as they are made, so many and no more, and never in their way."""

import asyncio
import contextvars
from datetime import datetime
from typing import Final

import structlog

from daylily_runtime.clock import Clock
from daylily_runtime.offload import Offload, OffloadClosedError, OffloadSaturatedError
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.inputs import Answer, Inputs, Question, inputs_of
from daylily_scheduler.recording.files import Folder, Record

LEAST_SECONDS: Final = 1.0
"""Between two recordings: with a long queue, each is a megabyte and a second of a core."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Recorder:
    """Writes decisions into a folder, in a thread. What cannot be written is logged and left out.

    Args:
        folder: where they go.
        threads: where writing blocks.
        clock: time.
    """

    def __init__(self, folder: Folder, threads: Offload, clock: Clock) -> None:
        self._folder = folder
        self._threads = threads
        self._clock = clock
        self._last = -LEAST_SECONDS
        self._writing: asyncio.Task[None] | None = None
        self.recorded = 0
        """Decisions that were written."""

    def inputs(self, book: Book, question: Question, now: datetime) -> Inputs | None:
        """What the decision depends on, when it is one that is recorded: to be asked before it is made."""
        busy = self._writing is not None and not self._writing.done()
        if busy or self._clock.monotonic() - self._last < LEAST_SECONDS:
            return None
        return inputs_of(book, question, now)

    def record(self, inputs: Inputs | None, answer: Answer) -> None:
        """Writes a decision beside everything else; nothing when there are no inputs."""
        if inputs is None:
            return
        self._last = self._clock.monotonic()
        # Not in the context of the call under way: its deadline is not that of the file.
        self._writing = asyncio.create_task(
            self._write(Record(inputs, answer)), context=contextvars.Context()
        )

    async def close(self) -> None:
        """Waits for the decision that is being written."""
        if self._writing is not None:
            await asyncio.wait([self._writing])

    async def _write(self, record: Record) -> None:
        try:
            path = await self._threads.run(self._folder.write, record)
        except (OSError, OffloadClosedError, OffloadSaturatedError) as error:
            _log.warning("decision_not_recorded", error=str(error))
            return
        if path is None:
            _log.warning("decision_not_recorded", error="it is larger than the whole folder may be")
        else:
            self.recorded += 1
