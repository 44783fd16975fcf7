"""Time that passes when the test says so, for code that takes an `AsyncTime`."""

import asyncio
import heapq
import itertools
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from daylily_client import AsyncTime

EPOCH = datetime(2026, 1, 1, tzinfo=UTC)
# More than the hops between tasks that one wake-up causes.
HOPS = 40


class VirtualTime:
    """A clock at 0 s that `advance` moves, waking sleepers in the order of their time."""

    def __init__(self, random: Callable[[], float] = lambda: 0.5) -> None:
        self.seconds = 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()
        self.time = AsyncTime(
            monotonic=lambda: self.seconds,
            now=lambda: EPOCH + timedelta(seconds=self.seconds),
            sleep=self.sleep,
            random=random,
        )

    async def sleep(self, seconds: float) -> None:
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self.seconds + seconds, next(self._order), woken))
        await woken

    async def advance(self, seconds: float) -> None:
        """Let `seconds` pass, and everything happen that is due in them."""
        target = self.seconds + seconds
        await self.settle()
        while self._sleepers and self._sleepers[0][0] <= target:
            due, _, woken = heapq.heappop(self._sleepers)
            self.seconds = max(self.seconds, due)
            if not woken.done():
                woken.set_result(None)
                await self.settle()
        self.seconds = target
        await self.settle()

    async def settle(self) -> None:
        """Let every task run until it waits for time or for another task."""
        for _ in range(HOPS):
            await asyncio.sleep(0)
