"""What will be free on a cluster, from now on: a staircase over time.

It begins with what is free now, rises where runs are expected to end, and falls where something holds
a reservation. Times are hours from the moment of the plan.
"""

import math
from bisect import bisect_right
from collections.abc import Iterable

from daylily_scheduler.domain.resources import Resources

Amount = tuple[float, float, float, float]

# Clocks are sums of floats: what overlaps by less does not overlap.
TOO_SHORT = 1e-9


def amount(of: Resources) -> Amount:
    return (of.vcpus, of.memory_mb, of.storage_mb, of.slots)


def need(of: Resources) -> Amount:
    """What has to be there. What is not needed is not looked at, even where it is below zero."""
    vcpus, memory, storage, slots = amount(of)
    return (
        vcpus or -math.inf,
        memory or -math.inf,
        storage or -math.inf,
        slots or -math.inf,
    )


class Profile:
    """The staircase of one cluster.

    Args:
        free: what is free now.
        ends: (hours, amount) of what is expected to be given back, in any order.
    """

    __slots__ = ("_at", "_free")

    def __init__(self, free: Resources, ends: Iterable[tuple[float, Resources]]) -> None:
        now = amount(free)
        self._at = [0.0]
        self._free = [now]
        vcpus, memory, storage, slots = now
        for at, freed in sorted(ends, key=_hours):
            vcpus += freed.vcpus
            memory += freed.memory_mb
            storage += freed.storage_mb
            slots += freed.slots
            if at > self._at[-1]:
                self._at.append(at)
                self._free.append((vcpus, memory, storage, slots))
            else:
                self._free[-1] = (vcpus, memory, storage, slots)

    def copy(self) -> "Profile":
        """Another one that begins as this one is."""
        other = Profile.__new__(Profile)
        other._at, other._free = self._at.copy(), self._free.copy()  # noqa: SLF001 - of its own kind
        return other

    def earliest(self, wanted: Amount, hours: float) -> float | None:
        """The first time from which on `wanted` (see `need`) is free for so long; None for never."""
        at, free = self._at, self._free
        vcpus, memory, storage, slots = wanted
        begun: float | None = None
        for index, (has_vcpus, has_memory, has_storage, has_slots) in enumerate(free):
            if begun is not None and at[index] >= begun + hours - TOO_SHORT:
                return begun
            if (
                has_vcpus < vcpus
                or has_memory < memory
                or has_storage < storage
                or has_slots < slots
            ):
                begun = None
            elif begun is None:
                begun = at[index]
        return begun

    def free_for(self, wanted: Amount) -> float:
        """For how many hours from now on `wanted` is free without a break; 0 when it is not now."""
        vcpus, memory, storage, slots = wanted
        for at, (has_vcpus, has_memory, has_storage, has_slots) in zip(
            self._at, self._free, strict=True
        ):
            if (
                has_vcpus < vcpus
                or has_memory < memory
                or has_storage < storage
                or has_slots < slots
            ):
                return at
        return math.inf

    def take(self, start: float, hours: float, taken: Resources) -> None:
        """Reserves the amount for so long."""
        first, last = self._step(start), self._step(start + hours)
        for index in range(first, last):
            vcpus, memory, storage, slots = self._free[index]
            self._free[index] = (
                vcpus - taken.vcpus,
                memory - taken.memory_mb,
                storage - taken.storage_mb,
                slots - taken.slots,
            )

    def _step(self, at: float) -> int:
        """The index of the step that begins then; made if there is none."""
        index = bisect_right(self._at, at + TOO_SHORT) - 1
        if at - self._at[index] <= TOO_SHORT:
            return index
        self._at.insert(index + 1, at)
        self._free.insert(index + 1, self._free[index])
        return index + 1


def _hours(end: tuple[float, Resources]) -> float:
    return end[0]
