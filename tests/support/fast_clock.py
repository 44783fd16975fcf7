"""Time that runs faster than the wall: a lease is over before a test is bored."""

import asyncio
import time
from datetime import UTC, datetime, timedelta


class FastClock:
    """A `Clock` of which `factor` seconds pass in one, shared by all services of a test."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._begun = time.monotonic()
        self._start = datetime.now(UTC)
        self._skipped = 0.0

    def now(self) -> datetime:
        return self._start + timedelta(seconds=self._passed())

    def monotonic(self) -> float:
        return 1000.0 + self._passed()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds) / self._factor)

    def skip(self, seconds: float) -> None:
        """Let this pass at once; who sleeps goes on sleeping."""
        self._skipped += seconds

    def _passed(self) -> float:
        return (time.monotonic() - self._begun) * self._factor + self._skipped
