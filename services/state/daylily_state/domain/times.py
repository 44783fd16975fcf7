"""An ordered bag of times: how many lie at or before a moment, and which is the first."""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable
from datetime import datetime
from typing import Final

_PART: Final = 1024


class Times:
    """Times in order, equal ones too.

    They lie in parts of some hundred to two thousand, each in order and before the next, as the
    leaves of a B-tree do: what adding, taking out and counting cost hardly grows with their number.

    Args:
        times: to begin with, in any order.
        part: how many lie together at first; twice as many at most.
    """

    def __init__(self, times: Iterable[datetime] = (), *, part: int = _PART) -> None:
        ordered = sorted(times)
        self._part = part
        # None of them is empty.
        self._parts = [ordered[start : start + part] for start in range(0, len(ordered), part)]

    @property
    def first(self) -> datetime | None:
        """The earliest; None if there is none."""
        return self._parts[0][0] if self._parts else None

    def until(self, moment: datetime) -> int:
        """How many are not after this moment."""
        passed = bisect_right(self._parts, moment, key=_end)
        whole = sum(map(len, self._parts[:passed]))
        if passed == len(self._parts):
            return whole
        return whole + bisect_right(self._parts[passed], moment)

    def add(self, moment: datetime) -> None:
        """Puts one more in."""
        if not self._parts:
            self._parts.append([moment])
            return
        at = min(self._part_of(moment), len(self._parts) - 1)
        insort(self._parts[at], moment)
        self._split(at)

    def remove(self, moment: datetime) -> None:
        """Takes one out that is equal to this.

        Raises:
            KeyError: there is none.
        """
        at = self._part_of(moment)
        part = self._parts[at] if at < len(self._parts) else []
        found = bisect_left(part, moment)
        if found == len(part) or part[found] != moment:
            raise KeyError(moment)
        del part[found]
        if not part or len(part) < self._part // 4:
            self._join(at)

    def _part_of(self, moment: datetime) -> int:
        """The first part that does not end before this moment; the number of parts if all do."""
        return bisect_left(self._parts, moment, key=_end)

    def _split(self, at: int) -> None:
        part = self._parts[at]
        if len(part) > 2 * self._part:
            middle = len(part) // 2
            self._parts[at : at + 1] = [part[:middle], part[middle:]]

    def _join(self, at: int) -> None:
        """Puts a small part and a neighbour together, or there would be ever more of them."""
        left = max(at - 1, 0)
        joined = [moment for part in self._parts[left : left + 2] for moment in part]
        self._parts[left : left + 2] = [joined] if joined else []
        if joined:
            self._split(left)


def _end(part: list[datetime]) -> datetime:
    return part[-1]
