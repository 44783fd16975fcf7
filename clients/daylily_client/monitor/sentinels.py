"""The sentinel files of a workset folder, and the rule for what is new work.

Before there was a state service these files were the state. Now they are the message by which a
person or an older tool hands a folder in, and by which such tools see what became of it.
"""

from collections.abc import Collection
from datetime import datetime
from enum import Enum


class Sentinel(str, Enum):
    """A sentinel's file name; its place is directly in the workset's folder."""

    READY = "daylily.ready"
    LOCK = "daylily.lock"
    IN_PROGRESS = "daylily.in_progress"
    ERROR = "daylily.error"
    COMPLETE = "daylily.complete"
    IGNORE = "daylily.ignore"


COMMON_PREFIX = "daylily."
"""What every sentinel's name begins with, and none of the other files of a folder."""

_NAMES = frozenset(sentinel.value for sentinel in Sentinel)


def sentinels_among(names: Collection[str]) -> frozenset[Sentinel]:
    """The sentinels among the names of the files that lie directly in a folder."""
    return frozenset(Sentinel(name) for name in _NAMES.intersection(names))


def is_new_work(present: Collection[Sentinel]) -> bool:
    """Whether a folder with these sentinels is new: ready, and nobody has had it yet."""
    return set(present) == {Sentinel.READY}


def sentinel_body(at: datetime, reason: str = "") -> str:
    """What older tools expect in a sentinel: the time, and in daylily.error the reason as well."""
    stamp = at.isoformat().replace("+00:00", "Z")
    one_line = " ".join(reason.split())
    return f"{stamp}\t{one_line}" if one_line else stamp
