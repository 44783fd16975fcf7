"""What this process has done so far."""

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

_LATENCIES = 1000


@dataclass
class Stats:
    """Counters of one process since its start."""

    started_at: datetime
    events_handled: int = 0
    events_unrouted: int = 0
    delivered: int = 0
    retried: int = 0
    dead: int = 0
    latencies: deque[timedelta] = field(default_factory=lambda: deque(maxlen=_LATENCIES))
    """From commit to the channel's answer, of the last deliveries."""

    def latency(self, share: float) -> timedelta:
        """The latency that `share` (0 to 1) of the last deliveries did not exceed; 0 for none."""
        ordered = sorted(self.latencies)
        if not ordered:
            return timedelta(0)
        return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
