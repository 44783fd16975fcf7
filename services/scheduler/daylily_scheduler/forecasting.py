"""Estimates of waits, for people; and a few for nobody, whose fate tells how good they are.

A forecast is computed in slices between which the service goes on with its work, one at a time, and is
good for everybody who asks within some seconds.
"""

import asyncio
import math
import random
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, TypeVar

import structlog

from daylily_runtime.clock import Clock
from daylily_scheduler.domain.advice import MOST_PLANNED, Creation, creations
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.forecast import MOST_PLAYED, Forecast, Scene, Wait, forecast
from daylily_scheduler.domain.model import Workset
from daylily_scheduler.domain.offers import Offer
from daylily_scheduler.domain.runtimes import RunTime, RunTimes
from daylily_scheduler.domain.scores import Promise, Scores

T = TypeVar("T")

SLICE_SECONDS: Final = 0.004
"""So long at most a claim waits for a slice of a forecast."""
FRESH: Final = timedelta(seconds=30)
PROMISE_SECONDS: Final = 60.0
PROMISES_A_ROUND: Final = 20
GONE: Final = timedelta(minutes=5)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Estimated:
    """When a workset is expected to start: hours from `made_at`, infinite beyond the horizon."""

    p50: float
    p90: float
    basis: str
    made_at: datetime
    extrapolated: bool
    ahead: int
    run_time: RunTime
    coverage: float
    scored: int


class Forecaster:
    """Makes forecasts of a book.

    Args:
        book: what is known.
        times: what was learned of run times.
        scores: where estimates are kept for their test.
        clock: time.
    """

    def __init__(self, book: Book, times: RunTimes, scores: Scores, clock: Clock) -> None:
        self._book = book
        self.times = times
        self.scores = scores
        self._clock = clock
        self._one_at_a_time = asyncio.Lock()
        self._last: Forecast | None = None
        self._seen: frozenset[str] = frozenset()
        self._gone: dict[str, datetime] = {}

    async def estimate(self, workset: Workset, after: Iterable[str] = ()) -> Estimated:
        """When a workset that waits will start.

        Args:
            workset: as state has it now.
            after: worksets that have to end before.
        """
        ahead = self._book.queue.ahead_of(workset, self._book.behind())
        waits_for = frozenset(after)
        if waits_for or not workset.can_start(self._clock.now()):
            found = await self._play(workset, waits_for)
        else:
            found = await self.whole()
            if workset.workset_id not in found.played and ahead < MOST_PLAYED:
                # It came since.
                found = await self._play(workset, waits_for)
        return self._told(workset, found, ahead)

    async def whole(self) -> Forecast:
        """A forecast of all that waits, made now or a few seconds ago."""
        async with self._one_at_a_time:
            last = self._last
            if last is None or not timedelta(0) <= self._clock.now() - last.made_at < FRESH:
                scene = Scene.of(self._book, self._clock.now())
                last = self._last = await self.finish(forecast(scene, self.times))
            return last

    async def creations(self, offers: Sequence[Offer]) -> tuple[Creation, ...]:
        """The clusters that are worth creating now."""
        async with self._one_at_a_time:
            scene = Scene.of(self._book, self._clock.now(), most=MOST_PLANNED)
            return await self.finish(creations(scene, self.times, offers))

    async def finish(self, steps: Generator[None, None, T]) -> T:
        """Runs a computation to its end, a slice at a time."""
        until = self._clock.monotonic() + SLICE_SECONDS
        while True:
            try:
                next(steps)
            except StopIteration as end:
                result: T = end.value
                return result
            if self._clock.monotonic() >= until:
                await asyncio.sleep(0)
                until = self._clock.monotonic() + SLICE_SECONDS

    async def promise(self) -> None:
        """Estimates some of the worksets that came since the last round, for ever, so that the
        estimates are put to the test also where nobody asks.
        """
        while True:
            await self._clock.sleep(PROMISE_SECONDS)
            self._forget_what_went()
            waiting = frozenset(self._book.queue.ids())
            new, self._seen = waiting - self._seen, waiting
            if new and self.scores.room:
                found = await self.whole()
                chosen = sorted(new & found.played)
                random.shuffle(chosen)
                for workset_id in chosen[:PROMISES_A_ROUND]:
                    workset = self._book.queue.get(workset_id)
                    if workset is not None:
                        self._told(
                            workset, found, self._book.queue.ahead_of(workset, self._book.behind())
                        )

    # --- inside ---

    async def _play(self, workset: Workset, after: frozenset[str]) -> Forecast:
        async with self._one_at_a_time:
            scene = Scene.of(self._book, self._clock.now(), [workset])
            steps = forecast(scene, self.times, target=workset.workset_id, after=after)
            return await self.finish(steps)

    def _told(self, workset: Workset, found: Forecast, ahead: int) -> Estimated:
        """What is said of a wait that was played, and kept for its test."""
        played = found.wait(workset.workset_id, ahead)
        p50, p90 = self._corrected(workset, played)
        if math.isfinite(p90):
            self.scores.promise(
                Promise(
                    workset.workset_id,
                    workset.priority,
                    found.made_at,
                    played.p50,
                    played.p90,
                    p90,
                )
            )
        coverage, scored = self.scores.coverage(self._clock.now())
        return Estimated(
            p50,
            p90,
            found.basis.value,
            found.made_at,
            played.extrapolated,
            ahead,
            self.times.of(workset),
            coverage,
            scored,
        )

    def _corrected(self, workset: Workset, played: Wait) -> tuple[float, float]:
        if not math.isfinite(played.p90):
            return played.p50, played.p90
        return self.scores.corrected(workset.priority, played.p50, played.p90, self._clock.now())

    def _forget_what_went(self) -> None:
        """Drops estimates of worksets that left the queue and of whose start nothing was heard: they
        had started when they were estimated, and this process did not know yet.
        """
        now = self._clock.now()
        gone = {
            workset_id: self._gone.get(workset_id, now)
            for workset_id in self.scores.open_ids
            if workset_id not in self._book.queue
        }
        for workset_id, since in gone.items():
            if now - since > GONE:
                self.scores.drop(workset_id)
        self._gone = gone
