"""The last day in numbers, folded from the feed: depths, what ended, and how long starts took. Pure."""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from statistics import median
from typing import Final

from daylily.workset.v1 import event_pb2, workset_pb2

STEP: Final = timedelta(minutes=15)
STEPS: Final = 96
"""A day."""

# Starts kept for each step and priority: enough for a median, few enough for a day of any size.
_STARTS_KEPT: Final = 500

_Started = workset_pb2.WORKSET_STATE_LOCKED
_READY = workset_pb2.WORKSET_STATE_READY
_ENDS: Final[Mapping[int, str]] = {
    workset_pb2.WORKSET_STATE_COMPLETE: "complete",
    workset_pb2.WORKSET_STATE_ERROR: "error",
}


@dataclass(slots=True)
class _Step:
    """What happened in a quarter of an hour."""

    change: Counter[int] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    waits: dict[int, deque[float]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Day:
    """The last day, a value for each step, the newest last.

    Attributes:
        begins: of the first step.
        depth: worksets in a state at the end of each step; of the newest, now.
        ended: worksets that came to COMPLETE and to ERROR.
        waits: seconds from being able to start to the lock, the median by priority; None where
            nothing started.
    """

    begins: datetime
    depth: Mapping[int, list[int]]
    ended: Mapping[str, list[int]]
    waits: Mapping[int, list[float | None]]


class History:
    """Takes events in any order between worksets, each once."""

    def __init__(self) -> None:
        self._steps: dict[int, _Step] = {}
        # Since when each waiting workset has been ready, as far as the day shows it.
        self._ready_since: dict[str, float] = {}

    def apply(self, event: event_pb2.Event) -> None:
        """Count one event."""
        if not event.workset_id or event.from_state == event.to_state:
            return
        at = event.occurred_at.seconds + event.occurred_at.nanos / 1e9
        step = self._steps.setdefault(_number(at), _Step())
        if event.from_state:
            step.change[event.from_state] -= 1
        if event.to_state:
            step.change[event.to_state] += 1
        if event.to_state in _ENDS:
            step.ended[_ENDS[event.to_state]] += 1
        if event.to_state == _READY:
            self._ready_since[event.workset_id] = at
            return
        since = self._ready_since.pop(event.workset_id, None)
        if event.to_state == _Started and since is not None:
            waits = step.waits.setdefault(event.priority, deque(maxlen=_STARTS_KEPT))
            waits.append(max(0.0, at - since))

    def forget_before(self, now: datetime) -> None:
        """Drop what is older than a day."""
        oldest = _number(now.timestamp()) - STEPS + 1
        for number in [number for number in self._steps if number < oldest]:
            del self._steps[number]

    def day(self, now: datetime, counts: Mapping[int, int]) -> Day:
        """The last day, from how many worksets are in each state now."""
        newest = _number(now.timestamp())
        numbers = range(newest - STEPS + 1, newest + 1)
        steps = [self._steps.get(number, _Step()) for number in numbers]
        priorities = {priority for step in steps for priority in step.waits}
        return Day(
            begins=datetime.fromtimestamp(numbers[0] * STEP.total_seconds(), UTC),
            depth={state: _backwards(steps, state, count) for state, count in counts.items()},
            ended={word: [step.ended[word] for step in steps] for word in _ENDS.values()},
            waits={
                priority: [_median(step.waits.get(priority)) for step in steps]
                for priority in sorted(priorities)
            },
        )


def _backwards(steps: list[_Step], state: int, count: int) -> list[int]:
    """What the counts were: those of now, less what changed since."""
    depth = []
    for step in reversed(steps):
        depth.append(max(0, count))
        count -= step.change[state]
    return depth[::-1]


def _median(waits: deque[float] | None) -> float | None:
    return median(waits) if waits else None


def _number(at: float) -> int:
    return int(at // STEP.total_seconds())
