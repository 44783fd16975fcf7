"""Values as people read them."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final

from daylily.workset.v1 import workset_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from daylily_gateway.messages import word

NOTHING: Final = "–"

_SPANS: Final = ((86_400, "d"), (3600, "h"), (60, "min"), (1, "s"))


def moment(value: Timestamp) -> datetime:
    """A Timestamp as a datetime."""
    return datetime.fromtimestamp(value.seconds + value.nanos / 1e9, UTC)


def clock(value: Timestamp | datetime) -> str:
    """A time to the second, in UTC."""
    at = value if isinstance(value, datetime) else moment(value)
    return f"{at:%Y-%m-%d %H:%M:%S} UTC"


def machine_time(value: Timestamp | datetime) -> str:
    """A time for the attribute `datetime`."""
    at = value if isinstance(value, datetime) else moment(value)
    return at.isoformat(timespec="seconds")


def span(length: timedelta | Duration | float) -> str:
    """A length of time by its two largest units: "2 h 5 min"."""
    if isinstance(length, Duration):
        length = length.ToTimedelta()
    total = length.total_seconds() if isinstance(length, timedelta) else length
    left = max(0, round(total))
    parts: list[str] = []
    for size, unit in _SPANS:
        number, left = divmod(left, size)
        if number or (parts and unit != "s"):
            parts.append(f"{number} {unit}")
        if len(parts) == 2:
            break
    return " ".join(part for part in parts if not part.startswith("0 ")) or "0 s"


def ago(value: Timestamp, now: datetime) -> str:
    """How long ago, or how far ahead."""
    passed = now - moment(value)
    return f"in {span(-passed)}" if passed < timedelta(0) else f"{span(passed)} ago"


def number(value: float) -> str:
    """A count with thin spaces between thousands, or an amount with what of it matters."""
    if float(value).is_integer():
        return f"{int(value):,}".replace(",", "\u202f")
    return f"{value:,.2f}".replace(",", "\u202f")


def dollars(value: float) -> str:
    """An amount of US dollars."""
    return f"${value:,.2f}"


def name_of(message: Message, field: str) -> str:
    """An enum field as a word: "in progress"; a dash when it is unspecified."""
    enum: Any = message.DESCRIPTOR.fields_by_name[field].enum_type
    found = word(enum, getattr(message, field)) if enum is not None else None
    return (found or NOTHING).replace("_", " ")


def time_left(workset: workset_pb2.Workset, now: datetime) -> str:
    """About how long a run goes on: by how far it has come, else by its estimate."""
    if not workset.HasField("lock"):
        return NOTHING
    passed = now - moment(workset.lock.acquired_at)
    percent = workset.progress.percent
    if percent >= 5:
        return f"about {span(passed * (100 - percent) / percent)}"
    if workset.requirements.HasField("estimated_duration"):
        left = workset.requirements.estimated_duration.ToTimedelta() - passed
        return f"about {span(left)}" if left > timedelta(0) else "longer than estimated"
    return "not known"


def share(part: float, whole: float) -> int:
    """A part of a whole in percent, between 0 and 100."""
    return max(0, min(100, round(100 * part / whole))) if whole else 0


FILTERS: Final[dict[str, Any]] = {
    "clock": clock,
    "machine_time": machine_time,
    "span": span,
    "ago": ago,
    "number": number,
    "dollars": dollars,
    "name_of": name_of,
    "time_left": time_left,
}
