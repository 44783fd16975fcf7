"""The services' messages as JSON, and as the schemas that the OpenAPI document shows.

One way for all of them, read off the message's descriptor, so that an answer and its schema cannot
come apart: field names as in the proto; enum values in lower case without their prefix
("in_progress"), none for unspecified; times in ISO 8601; a Duration `lease` as `lease_seconds`;
a Struct as an object, empty where there is none.
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import cache
from typing import Any, TypeAlias, cast

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FieldDescriptor
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp
from pydantic import BaseModel, create_model

Json: TypeAlias = Any
"""What json.dumps takes."""

_Convert: TypeAlias = Callable[[Any], Json]

_EXACT_INTEGERS = 2**53


def plain(message: Message) -> dict[str, Json]:
    """A message as JSON."""
    return {
        name: read(message)
        for name, read in _plan(message.DESCRIPTOR)  # the cache makes it one look-up
    }


def model_of(kind: type[Message]) -> type[BaseModel]:
    """The schema of what `plain` makes of messages of this kind."""
    return _model(kind.DESCRIPTOR)


def word(enum: EnumDescriptor, number: int) -> str | None:
    """A value of an enum as JSON has it; None for unspecified."""
    if not number:
        return None
    value = enum.values_by_number.get(number)
    # From a service that is newer than this gateway.
    return str(number) if value is None else value.name.removeprefix(_prefix(enum)).lower()


def words(enum: EnumDescriptor) -> dict[str, int]:
    """The words of an enum, and their numbers."""
    prefix = _prefix(enum)
    return {v.name.removeprefix(prefix).lower(): v.number for v in enum.values if v.number}


def moment(value: Timestamp) -> str:
    """A time, in UTC, to the microsecond."""
    at = datetime.fromtimestamp(value.seconds, UTC).replace(microsecond=value.nanos // 1000)
    return at.isoformat().replace("+00:00", "Z")


def seconds(value: Duration) -> float:
    """A length of time."""
    return value.seconds + value.nanos / 1e9


def struct(value: Struct) -> dict[str, Json]:
    """An object, by name, as the order was lost on the way. Numbers are doubles there; those without
    a fraction come back as integers.
    """
    return {key: _value(value.fields[key]) for key in sorted(value.fields)}


# --- inside ---


def _value(value: Value) -> Json:
    match value.WhichOneof("kind"):
        case "struct_value":
            return struct(value.struct_value)
        case "list_value":
            return [_value(entry) for entry in value.list_value.values]
        case "number_value":
            number = value.number_value
            whole = number.is_integer() and abs(number) < _EXACT_INTEGERS
            return int(number) if whole else number
        case "string_value":
            return value.string_value
        case "bool_value":
            return value.bool_value
    return None


_SPECIAL: Mapping[str, tuple[_Convert, Any]] = {
    Timestamp.DESCRIPTOR.full_name: (moment, datetime),
    Duration.DESCRIPTOR.full_name: (seconds, float),
    Struct.DESCRIPTOR.full_name: (struct, dict[str, Any]),
    ListValue.DESCRIPTOR.full_name: (lambda value: [_value(v) for v in value.values], list[Any]),
}


@cache
def _plan(descriptor: Descriptor) -> tuple[tuple[str, _Convert], ...]:
    return tuple((_key(field), _reader(field)) for field in descriptor.fields)


def _key(field: FieldDescriptor) -> str:
    kind = field.message_type
    is_length = kind is not None and kind.full_name == Duration.DESCRIPTOR.full_name
    return f"{field.name}_seconds" if is_length else field.name


def _reader(field: FieldDescriptor) -> _Convert:
    name = field.name
    if _is_map(field):
        return lambda message: dict(getattr(message, name))
    convert = _converter(field)
    if field.is_repeated:
        if convert is None:
            return lambda message: list(getattr(message, name))
        each = convert
        return lambda message: [each(entry) for entry in getattr(message, name)]
    if convert is None:
        return lambda message: getattr(message, name)
    one = convert
    kind = field.message_type
    if kind is not None and kind.full_name != Struct.DESCRIPTOR.full_name:
        return lambda message: one(getattr(message, name)) if message.HasField(name) else None
    return lambda message: one(getattr(message, name))


def _converter(field: FieldDescriptor) -> _Convert | None:
    """How a value of the field becomes JSON; None when it is JSON already."""
    if field.enum_type is not None:
        enum = field.enum_type
        return lambda number: word(enum, number)
    if field.message_type is not None:
        special = _SPECIAL.get(field.message_type.full_name)
        return special[0] if special else plain
    return None


def _is_map(field: FieldDescriptor) -> bool:
    kind = field.message_type
    return kind is not None and kind.GetOptions().map_entry


def _prefix(enum: EnumDescriptor) -> str:
    return enum.values[0].name.removesuffix("UNSPECIFIED")


_SCALARS: Mapping[int, Any] = {
    FieldDescriptor.CPPTYPE_BOOL: bool,
    FieldDescriptor.CPPTYPE_STRING: str,
    FieldDescriptor.CPPTYPE_DOUBLE: float,
    FieldDescriptor.CPPTYPE_FLOAT: float,
    FieldDescriptor.CPPTYPE_INT32: int,
    FieldDescriptor.CPPTYPE_INT64: int,
    FieldDescriptor.CPPTYPE_UINT32: int,
    FieldDescriptor.CPPTYPE_UINT64: int,
}


@cache
def _model(descriptor: Descriptor) -> type[BaseModel]:
    fields: dict[str, Any] = {_key(field): (_type(field), ...) for field in descriptor.fields}
    outer = descriptor.containing_type
    name = f"{outer.name}{descriptor.name}" if outer else descriptor.name
    return cast("type[BaseModel]", create_model(name, **fields))


def _type(field: FieldDescriptor) -> Any:
    if _is_map(field):
        return dict[str, str]
    one: Any
    if field.enum_type is not None:
        one = str | None
    elif field.message_type is not None:
        special = _SPECIAL.get(field.message_type.full_name)
        kind = special[1] if special else _model(field.message_type)
        one = kind if field.is_repeated or kind == dict[str, Any] else kind | None
    else:
        one = _SCALARS[field.cpp_type]
    return list[one] if field.is_repeated else one
