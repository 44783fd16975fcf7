"""How much each identity may ask: calls in a second, and streams at a time."""

from dataclasses import dataclass
from typing import Final

_BURST_SECONDS: Final = 2.0
"""Calls that were not made are saved up for so long."""


@dataclass(slots=True)
class _Bucket:
    """A token bucket: it fills with time, and a call takes one out."""

    tokens: float
    filled_at: float


class CallRate:
    """At most so many calls in a second for each name, with a burst of twice as many.

    Args:
        most: calls in a second.
    """

    def __init__(self, most: float) -> None:
        self._rate = most
        self._full = max(most * _BURST_SECONDS, 1.0)
        self._buckets: dict[str, _Bucket] = {}

    def take(self, name: str, now: float) -> float:
        """0 when the call may be made, else the seconds after which it may. `now` is monotonic."""
        bucket = self._buckets.get(name)
        if bucket is None:
            bucket = self._buckets[name] = _Bucket(self._full, now)
        passed = max(0.0, now - bucket.filled_at)
        bucket.tokens = min(self._full, bucket.tokens + passed * self._rate)
        bucket.filled_at = now
        if bucket.tokens < 1.0:
            return (1.0 - bucket.tokens) / self._rate
        bucket.tokens -= 1.0
        return 0.0


class OpenStreams:
    """At most so many streams at a time for each name."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._open: dict[str, int] = {}

    def enter(self, name: str) -> bool:
        """Whether one more may be opened; then `leave` has to follow."""
        count = self._open.get(name, 0)
        if count >= self._most:
            return False
        self._open[name] = count + 1
        return True

    def leave(self, name: str) -> None:
        """One ended."""
        left = self._open[name] - 1
        if left:
            self._open[name] = left
        else:
            del self._open[name]
