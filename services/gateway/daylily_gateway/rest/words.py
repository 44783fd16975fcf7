"""The words of states, priorities and the like in queries and bodies, and the numbers behind them."""

from collections.abc import Iterable
from enum import StrEnum

from daylily.workset.v1 import delivery_pb2, event_pb2, workset_pb2


class State(StrEnum):
    """Where a workset stands."""

    READY = "ready"
    LOCKED = "locked"
    IN_PROGRESS = "in_progress"
    COMPLETE = "complete"
    ERROR = "error"
    IGNORED = "ignored"

    @property
    def number(self) -> workset_pb2.WorksetState.ValueType:
        return workset_pb2.WorksetState.Value(f"WORKSET_STATE_{self.name}")


class Priority(StrEnum):
    """Which workset goes first."""

    URGENT = "urgent"
    NORMAL = "normal"
    LOW = "low"

    @property
    def number(self) -> workset_pb2.Priority.ValueType:
        return workset_pb2.Priority.Value(f"PRIORITY_{self.name}")


class ErrorCategory(StrEnum):
    """Why a run failed; it decides whether it is tried again."""

    TRANSIENT = "transient"
    RESOURCE = "resource"
    INFRASTRUCTURE = "infrastructure"
    CONFIGURATION = "configuration"
    DATA = "data"
    PERMANENT = "permanent"

    @property
    def number(self) -> workset_pb2.ErrorCategory.ValueType:
        return workset_pb2.ErrorCategory.Value(f"ERROR_CATEGORY_{self.name}")


class DeliveryState(StrEnum):
    """How far a notification has come."""

    PENDING = "pending"
    CLAIMED = "claimed"
    DELIVERED = "delivered"
    DEAD = "dead"
    FOLDED = "folded"

    @property
    def number(self) -> delivery_pb2.DeliveryState.ValueType:
        return delivery_pb2.DeliveryState.Value(f"DELIVERY_STATE_{self.name}")


EventType = StrEnum(  # type: ignore[misc]  # the words of the proto, which has no others
    "EventType",
    {
        name.removeprefix("EVENT_TYPE_"): name.removeprefix("EVENT_TYPE_").lower()
        for name in event_pb2.EventType.keys()  # noqa: SIM118 - no mapping
        if not name.endswith("UNSPECIFIED")
    },
)


def event_numbers(types: Iterable[StrEnum]) -> list[event_pb2.EventType.ValueType]:
    """The numbers of event types."""
    return [event_pb2.EventType.Value(f"EVENT_TYPE_{kind.name}") for kind in types]


def state_word(number: workset_pb2.WorksetState.ValueType) -> str:
    """A state as JSON has it."""
    return workset_pb2.WorksetState.Name(number).removeprefix("WORKSET_STATE_").lower()


def priority_word(number: workset_pb2.Priority.ValueType) -> str:
    """A priority as JSON has it."""
    return workset_pb2.Priority.Name(number).removeprefix("PRIORITY_").lower()
