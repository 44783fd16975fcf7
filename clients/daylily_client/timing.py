"""Clocks, sleeping and chance as values, so that tests decide about time."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timezone


def _utc_now() -> datetime:
    return datetime.now(timezone.utc)


def _steady() -> float:
    """Seconds on a clock that never goes back and also counts while the machine sleeps.

    Python's own monotonic clock stands still in a suspended machine, and a lease does not. Only
    Linux has a clock for that.
    """
    boot_time = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if boot_time is None else time.clock_gettime(boot_time)


@dataclass(frozen=True)
class SyncTime:
    """Time for the synchronous clients.

    Attributes:
        monotonic: seconds on a clock that never goes back.
        now: the time of day, UTC.
        sleep: wait for so many seconds.
        random: a number in [0, 1), for jitter.
    """

    monotonic: Callable[[], float] = _steady
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random


@dataclass(frozen=True)
class AsyncTime:
    """Time for the asynchronous clients and the lock keeper; as `SyncTime`, but `sleep` is awaited."""

    monotonic: Callable[[], float] = _steady
    now: Callable[[], datetime] = _utc_now
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    random: Callable[[], float] = random.random
