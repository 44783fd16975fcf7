"""Values of requests to values of the domain; what cannot be expressed there is a violation.

How large a value may be is checked by the domain. Here only what has no domain value is refused: an
enum number that nobody defined, a time that no calendar has, a number that is none.
"""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Final, TypeVar

from daylily.workset.v1 import cluster_pb2, workset_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.json_format import MessageToDict, SerializeToJsonError
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

from daylily_state.domain.checks import Checks
from daylily_state.domain.commands import ReportedProgress
from daylily_state.domain.events import to_json
from daylily_state.domain.limits import NAME_BYTES
from daylily_state.domain.model import Amount, Preferences, Requirements
from daylily_state.domain.units import CENTS_PER_USD, MB_PER_GB, whole

E = TypeVar("E", bound=IntEnum)

# Durations beyond this are refused before Python's timedelta overflows.
_MAX_SECONDS: Final = 10**10

# What the names of state's own consumers and checkpoints begin with.
_OF_STATE: Final = "state."


class Reader(Checks):
    """Reads the fields of one request and collects what is wrong with them.

    Each method takes the value and its path in the request, and gives a harmless value where it
    finds a violation; `done` then refuses the request with all of them.
    """

    def choice(self, kind: type[E], number: int, field: str, default: E) -> E:
        """The member of an enum; 0 (unspecified) means the default."""
        if number == 0:
            return default
        try:
            return kind(number)
        except ValueError:
            names = ", ".join(member.name for member in kind)
            self.wrong(field, f"is {number}, which is none of {names}")
            return default

    def needed_choice(self, kind: type[E], number: int, field: str) -> E:
        """The member of an enum, which must be given."""
        default = next(iter(kind))
        if number == 0:
            self.wrong(field, f"is needed: one of {', '.join(member.name for member in kind)}")
        return self.choice(kind, number, field, default)

    def choices(self, kind: type[E], numbers: Iterable[int], field: str) -> frozenset[E]:
        """The members of an enum; UNSPECIFIED is none of them."""
        return frozenset(
            self.needed_choice(kind, number, f"{field}[{at}]") for at, number in enumerate(numbers)
        )

    def own_name(self, field: str, value: str) -> None:
        """The name of a caller's consumer or checkpoint; state has some itself."""
        self.id(field, value, NAME_BYTES)
        if value.startswith(_OF_STATE):
            self.wrong(field, f"names that begin with {_OF_STATE} are those of this service")

    def whole(self, view: int, *, by_default: bool) -> bool:
        """Whether a view is FULL; a call has its own default."""
        if view not in workset_pb2.WorksetView.values():
            self.wrong("view", f"is {view}, which is none of BASIC, FULL")
        return by_default if view == 0 else view == workset_pb2.WORKSET_VIEW_FULL

    def moment(self, message: Message, field: str) -> datetime | None:
        """A timestamp field of a message, None when it is not set; below microseconds is cut."""
        name = field.rsplit(".", 1)[-1]
        if not message.HasField(name):
            return None
        return self.timestamp(getattr(message, name), field)

    def timestamp(self, value: Timestamp, field: str) -> datetime | None:
        try:
            moment: datetime = value.ToDatetime(tzinfo=UTC)
        except (ValueError, OverflowError):
            self.wrong(field, "is no time between the years 1 and 9999")
            return None
        return moment

    def length(self, message: Message, field: str) -> timedelta | None:
        """A duration field of a message, None when it is not set; below microseconds is cut."""
        name = field.rsplit(".", 1)[-1]
        if not message.HasField(name):
            return None
        value: Duration = getattr(message, name)
        if abs(value.seconds) > _MAX_SECONDS or abs(value.nanos) >= 10**9:
            self.wrong(field, "is no duration that makes sense here")
            return None
        return timedelta(seconds=value.seconds, microseconds=int(value.nanos / 1000))

    def scaled(self, value: float, per_unit: int, field: str) -> int:
        """A number of GiB or dollars in whole MiB or cents."""
        found = whole(value, per_unit)
        if found is None:
            self.wrong(field, "is no number")
        return found or 0

    def struct(self, value: Struct, field: str) -> str:
        """A Struct as compact JSON text with sorted keys."""
        try:
            return to_json(MessageToDict(value))
        except (SerializeToJsonError, ValueError, RecursionError):
            self.wrong(field, "holds a value that JSON does not have, such as NaN")
            return "{}"

    def json_value(self, value: Struct, field: str) -> dict[str, object]:
        """A Struct as the JSON object that it stands for."""
        found: dict[str, object] = json.loads(self.struct(value, field))
        return found

    # --- messages ---

    def requirements(self, value: workset_pb2.Requirements, field: str) -> Requirements:
        return Requirements(
            vcpus=value.vcpus,
            memory_mb=self.scaled(value.memory_gb, MB_PER_GB, f"{field}.memory_gb"),
            storage_mb=self.scaled(value.storage_gb, MB_PER_GB, f"{field}.storage_gb"),
            vcpu_hours=value.vcpu_hours,
            estimated_cost_cents=self.scaled(
                value.estimated_cost_usd, CENTS_PER_USD, f"{field}.estimated_cost_usd"
            ),
            estimated_duration=self.length(value, f"{field}.estimated_duration") or timedelta(0),
            max_cost_cents=self.scaled(value.max_cost_usd, CENTS_PER_USD, f"{field}.max_cost_usd"),
            sample_count=value.sample_count,
        )

    @staticmethod
    def preferences(value: workset_pb2.Requirements) -> Preferences:
        return Preferences(
            instance_types=tuple(value.preferred_instance_types),
            availability_zone=value.preferred_availability_zone,
            cluster_name=value.preferred_cluster,
            input_gb=value.input_gb,
            input_region=value.input_region,
        )

    def amount(self, value: cluster_pb2.Resources, field: str) -> Amount:
        return Amount(
            vcpus=value.vcpus,
            memory_mb=self.scaled(value.memory_gb, MB_PER_GB, f"{field}.memory_gb"),
            storage_mb=self.scaled(value.storage_gb, MB_PER_GB, f"{field}.storage_gb"),
            slots=value.slots,
        )

    @staticmethod
    def progress(
        value: workset_pb2.Progress,
    ) -> ReportedProgress:
        return ReportedProgress(step=value.step, percent=value.percent, message=value.message)
