"""Attribute types that PynamoDB does not have: the values of the domain, exact and small."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from enum import IntEnum
from typing import Any, Final, TypeVar

import msgspec
from pynamodb.attributes import Attribute, UnicodeAttribute
from pynamodb.constants import BINARY, NUMBER, STRING

from daylily_state.domain.events import to_json

E = TypeVar("E", bound=IntEnum)

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Whole microseconds since 1970, exact."""
    return (moment - _EPOCH) // _MICROSECOND


def moment_at(micros_since_epoch: int) -> datetime:
    """The other way."""
    return _EPOCH + micros_since_epoch * _MICROSECOND


class IntAttribute(Attribute[int]):
    """A whole number, where PynamoDB's own NumberAttribute is typed as float."""

    attr_type = NUMBER

    def serialize(self, value: int) -> str:
        return str(int(value))

    def deserialize(self, value: str) -> int:
        return int(value)


class TimeAttribute(Attribute[datetime]):
    """A moment, as whole microseconds since 1970 UTC: exact, comparable, 9 bytes."""

    attr_type = NUMBER

    def serialize(self, value: datetime) -> str:
        return str(micros(value))

    def deserialize(self, value: str) -> datetime:
        return moment_at(int(value))


class SpanAttribute(Attribute[timedelta]):
    """A length of time, as whole microseconds."""

    attr_type = NUMBER

    def serialize(self, value: timedelta) -> str:
        return str(value // _MICROSECOND)

    def deserialize(self, value: str) -> timedelta:
        return int(value) * _MICROSECOND


class EnumAttribute(Attribute[E]):
    """A member of an enum, as its number."""

    attr_type = NUMBER

    def __init__(self, kind: type[E], *, attr_name: str, null: bool = False) -> None:
        super().__init__(attr_name=attr_name, null=null)
        self._kind = kind

    def serialize(self, value: E) -> str:
        return str(int(value))

    def deserialize(self, value: str) -> E:
        return self._kind(int(value))


class TextAttribute(UnicodeAttribute):
    """A text that takes no room when it is empty."""

    def __init__(self, *, attr_name: str) -> None:
        super().__init__(attr_name=attr_name, null=True, default="")

    def serialize(self, value: str) -> str | None:
        return value or None


class JsonAttribute(Attribute[Mapping[str, Any]]):
    """A JSON object as compact text, the form that limits are counted in; no room when empty."""

    attr_type = STRING

    def __init__(self, *, attr_name: str) -> None:
        super().__init__(attr_name=attr_name, null=True, default=dict)

    def serialize(self, value: Mapping[str, Any]) -> str | None:
        return to_json(value) if value else None

    def deserialize(self, value: str) -> Mapping[str, Any]:
        decoded: Mapping[str, Any] = msgspec.json.decode(value)
        return decoded


class BytesAttribute(Attribute[bytes]):
    """Bytes as they are; no room when there are none."""

    attr_type = BINARY

    def __init__(self, *, attr_name: str) -> None:
        super().__init__(attr_name=attr_name, null=True, default=b"")

    def serialize(self, value: bytes) -> bytes | None:
        return value or None

    def deserialize(self, value: bytes) -> bytes:
        return value
