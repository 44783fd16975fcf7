"""Amounts of what a cluster has and a workset needs, in whole units so that sums stay exact."""

from dataclasses import dataclass

MB_PER_GB = 1024


@dataclass(frozen=True, slots=True)
class Resources:
    """An amount of each thing. `vcpus` and `slots` are counts, memory and storage are MiB."""

    vcpus: int = 0
    memory_mb: int = 0
    storage_mb: int = 0
    slots: int = 0

    def __add__(self, other: "Resources") -> "Resources":
        return Resources(
            self.vcpus + other.vcpus,
            self.memory_mb + other.memory_mb,
            self.storage_mb + other.storage_mb,
            self.slots + other.slots,
        )

    def __sub__(self, other: "Resources") -> "Resources":
        return Resources(
            self.vcpus - other.vcpus,
            self.memory_mb - other.memory_mb,
            self.storage_mb - other.storage_mb,
            self.slots - other.slots,
        )

    def covers(self, need: "Resources") -> bool:
        """Whether `need` fits into this. What is not needed is not looked at: a cluster may be
        over-full in storage and still take a workset that asks for none.
        """
        return (
            (not need.vcpus or need.vcpus <= self.vcpus)
            and (not need.memory_mb or need.memory_mb <= self.memory_mb)
            and (not need.storage_mb or need.storage_mb <= self.storage_mb)
            and (not need.slots or need.slots <= self.slots)
        )

    def at_least_zero(self) -> "Resources":
        return Resources(
            max(self.vcpus, 0),
            max(self.memory_mb, 0),
            max(self.storage_mb, 0),
            max(self.slots, 0),
        )

    def at_most(self, other: "Resources") -> "Resources":
        """The smaller of both, thing by thing."""
        return Resources(
            min(self.vcpus, other.vcpus),
            min(self.memory_mb, other.memory_mb),
            min(self.storage_mb, other.storage_mb),
            min(self.slots, other.slots),
        )


NOTHING = Resources()
# More than anybody asks for: the storage of a cluster that does not state any.
UNSTATED_MB = 2**53
ONE_SLOT = Resources(slots=1)
