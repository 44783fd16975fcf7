"""For tests of services: time that passes when a test says so."""

import asyncio
import heapq
from datetime import UTC, datetime, timedelta

_BEGIN = 1000.0  # of monotonic time, seconds
_SETTLE_ROUNDS = 20  # turns of the loop that woken tasks get to come to rest


class ManualClock:
    """A `Clock` that stands still until it is told to advance.

    Args:
        start: the wall time to begin with; must be aware.
    """

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._start = start
        self._set_by = timedelta()
        self._monotonic = _BEGIN
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._count = 0

    @property
    def sleepers(self) -> int:
        """How many tasks sleep now."""
        return sum(not wake.done() for _, _, wake in self._sleepers)

    def now(self) -> datetime:
        # From the beginning, not by adding up: many small steps would drift by microseconds.
        return self._start + self._set_by + timedelta(seconds=self._monotonic - _BEGIN)

    def monotonic(self) -> float:
        return self._monotonic

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        wake = asyncio.get_running_loop().create_future()
        self._count += 1
        heapq.heappush(self._sleepers, (self._monotonic + seconds, self._count, wake))
        await wake

    def jump_wall(self, seconds: float) -> None:
        """Move the wall clock alone, as a clock that is set does; nobody wakes up."""
        self._set_by += timedelta(seconds=seconds)

    def tick(self, seconds: float) -> None:
        """Let time pass without giving anybody the chance to see the moments between."""
        self._monotonic += seconds
        while self._sleepers and self._sleepers[0][0] <= self._monotonic:
            wake = heapq.heappop(self._sleepers)[2]
            if not wake.done():
                wake.set_result(None)

    async def advance(self, seconds: float) -> None:
        """Let time pass from one sleeper to the next, each finding the time it asked for.

        Returns when `seconds` have passed and what woke up had turns of the loop to react.
        """
        end = self._monotonic + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= end:
            self.tick(self._sleepers[0][0] - self._monotonic)
            await self.settle()
        self.tick(end - self._monotonic)
        await self.settle()

    async def settle(self) -> None:
        """Let other tasks run until they wait for something."""
        for _ in range(_SETTLE_ROUNDS):
            await asyncio.sleep(0)
