"""How people read things: enums without their prefix, ages, times, amounts."""

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, Protocol

from daylily.workset.v1 import workset_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

NOTHING = "-"


class ProtoEnum(Protocol):
    """What every enum of the protos offers."""

    def keys(self) -> Sequence[str]: ...
    def values(self) -> Sequence[int]: ...
    def Name(self, number: Any) -> str: ...


def word(enum: ProtoEnum, number: int) -> str:
    """Name of an enum value without the prefix that all of its values share."""
    names = enum.keys()
    prefix = names[0].removesuffix("UNSPECIFIED")
    known = enum.values()
    return enum.Name(number).removeprefix(prefix) if number in known else str(number)


def state(workset: workset_pb2.Workset, now: datetime) -> str:
    """State of a workset; READY that cannot start yet is WAITING."""
    ready = workset.state == workset_pb2.WORKSET_STATE_READY
    if ready and (not workset.dependencies_met or _in_future(workset, now)):
        return "WAITING"
    return word(workset_pb2.WorksetState, workset.state)


def _in_future(workset: workset_pb2.Workset, now: datetime) -> bool:
    return workset.HasField("available_at") and moment(workset.available_at) > now


def moment(value: Timestamp) -> datetime:
    """A Timestamp as a datetime in UTC."""
    return value.ToDatetime(tzinfo=timezone.utc)


def span(length: timedelta) -> str:
    """A length in its largest unit, as people say it: "42 s", "3 h", "12 d"."""
    seconds = abs(length.total_seconds())
    if seconds < 1:
        return "0 s"
    for size, unit, limit in ((1, "s", 90), (60, "min", 90), (3600, "h", 48)):
        if seconds < limit * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds / 86400:.0f} d"


def age(at: Timestamp, now: datetime) -> str:
    """How long ago something was, or a dash when it never was."""
    return span(now - moment(at)) if at.seconds else NOTHING


def clock(value: Timestamp, now: datetime) -> str:
    """A time on the reader's own clock, its zone named, with the distance from now."""
    at = moment(value)
    local = at.astimezone()
    distance = f"{span(now - at)} ago" if at <= now else f"in {span(at - now)}"
    return f"{local:%Y-%m-%d %H:%M:%S} {local.tzname()} ({distance})"


def length(value: Duration) -> str:
    """A Duration, as people say it."""
    return span(value.ToTimedelta())


def money(usd: float) -> str:
    """An amount in dollars, or a dash for none."""
    return f"${usd:,.2f}" if usd else NOTHING


def amount(value: float, unit: str = "") -> str:
    """An amount without needless digits, or a dash for none."""
    return f"{value:,.6g}{' ' if unit else ''}{unit}" if value else NOTHING


def count(number: int, noun: str) -> str:
    """A number of things: "1 workset", "2 worksets"."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
