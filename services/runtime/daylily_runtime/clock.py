"""Time as a dependency: nothing in a service asks the operating system for it directly."""

import asyncio
import time
from datetime import UTC, datetime
from typing import Protocol


class Clock(Protocol):
    """Wall time, monotonic time and sleep. Tests use `daylily_runtime.testing.ManualClock`."""

    def now(self) -> datetime:
        """The wall clock, aware, in UTC. It may jump; measure durations with `monotonic`."""
        ...

    def monotonic(self) -> float:
        """Seconds from an arbitrary start. Never runs backwards."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Return when `seconds` of monotonic time have passed; zero or less lets others run."""
        ...


class SystemClock:
    """The machine's clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        await asyncio.sleep(max(0.0, seconds))
