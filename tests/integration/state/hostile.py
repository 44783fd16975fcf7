"""Requests of somebody who means harm, or of a client that is broken: one bad field at a time."""

from collections.abc import Iterator
from typing import Any

from google.protobuf.descriptor import FieldDescriptor as Field
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct, Value
from google.protobuf.timestamp_pb2 import Timestamp

NAN, INFINITY = float("nan"), float("inf")

TEXTS = (
    "",
    "a\0b",
    "é",
    "../../etc/passwd",
    "'; DROP TABLE worksets; --",
    "\u202e\ufeff\U0001f9ec",
    "state.counts",
    "x" * 300_000,
)
NUMBERS = (0, 1, 2**31 - 1, 2**31, 2**32 - 1)
DOUBLES = (0.0, -0.0, -1.0, NAN, INFINITY, -INFINITY, 1e308, -1e308, 5e-324, 2.0**53)
ENUMS = (0, 1, 7, 99, -1, 2**31 - 1, -(2**31))


def _deep() -> Struct:
    """As deep as protobuf reads."""
    outer = Struct()
    inner = outer
    for _ in range(30):
        inner = inner.fields["a"].struct_value
    inner.fields["a"].bool_value = True
    return outer


def _wide() -> Struct:
    wide = Struct()
    for number in range(5_000):
        wide.fields[f"k{number}"].number_value = 1e300
    return wide


def _odd() -> Struct:
    odd = Struct()
    odd.fields[""].null_value = 0
    odd.fields["no kind"].CopyFrom(Value())
    odd.fields["\0"].string_value = "\0"
    odd.fields["cost_usd"].number_value = -1e308
    odd.fields["available_at"].string_value = "yesterday"
    odd.fields["from_priority"].string_value = "BOGUS"
    odd.fields["dependencies_met"].bool_value = False
    odd.fields["expires_at"].list_value.SetInParent()
    return odd


def _not_json() -> Struct:
    bad = Struct()
    bad.fields["a"].list_value.values.add().number_value = NAN
    return bad


WELL_KNOWN: dict[str, tuple[Message, ...]] = {
    "google.protobuf.Struct": (Struct(), _deep(), _wide(), _odd(), _not_json()),
    "google.protobuf.Timestamp": (
        Timestamp(),
        Timestamp(seconds=2**63 - 1, nanos=2**31 - 1),
        Timestamp(seconds=-(2**63), nanos=-(2**31)),
        Timestamp(seconds=253402300800),
        Timestamp(seconds=-62135596800),
        Timestamp(seconds=253402300799, nanos=999_999_999),
    ),
    "google.protobuf.Duration": (
        Duration(),
        Duration(seconds=2**63 - 1, nanos=2**31 - 1),
        Duration(seconds=-(2**63), nanos=-(2**31)),
        Duration(seconds=315_576_000_000),
        Duration(seconds=-1, nanos=1),
        Duration(seconds=86_400, nanos=999_999_999),
    ),
}


def bad_ones(good: Message) -> Iterator[Message]:
    """The request with each of its fields, and those of its parts, bad in every way."""
    for path, field in _fields(good):
        for change in _changes(field):
            bad = type(good)()
            bad.CopyFrom(good)
            owner: Any = bad
            for name in path:
                owner = getattr(owner, name)
            change(owner)
            yield bad


def _fields(message: Message, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    for field in message.DESCRIPTOR.fields:
        yield path, field
        plain = field.type == Field.TYPE_MESSAGE and not field.is_repeated
        if plain and field.message_type.full_name not in WELL_KNOWN and len(path) < 3:
            yield from _fields(getattr(message, field.name), (*path, field.name))


def _changes(field: Any) -> Iterator[Any]:
    name = field.name
    if field.type == Field.TYPE_MESSAGE and field.message_type.GetOptions().map_entry:
        for entries in (
            {f"k{number}": "v" for number in range(1_000)},
            {text: text for text in TEXTS},
        ):
            yield lambda owner, e=entries: (
                getattr(owner, name).clear(),
                getattr(owner, name).update(e),
            )
        return
    for value in _values(field):
        if field.is_repeated:
            for count in (1, 1_000):
                yield lambda owner, v=value, n=count: (
                    owner.ClearField(name),
                    getattr(owner, name).extend([v] * (n if len(str(v)) < 1_000 else 1)),
                )
        elif field.type == Field.TYPE_MESSAGE:
            yield lambda owner, v=value: getattr(owner, name).CopyFrom(v)
        else:
            yield lambda owner, v=value: setattr(owner, name, v)


def _values(field: Any) -> tuple[Any, ...]:
    if field.type == Field.TYPE_STRING:
        return TEXTS
    if field.type == Field.TYPE_BYTES:
        return (b"", b"\0\xff" * 1_000)
    if field.type == Field.TYPE_ENUM:
        return ENUMS
    if field.type == Field.TYPE_UINT32:
        return NUMBERS
    if field.type == Field.TYPE_DOUBLE:
        return DOUBLES
    if field.type == Field.TYPE_BOOL:
        return (True, False)
    if field.message_type.full_name == "google.protobuf.FieldMask":
        kind = field.message_type._concrete_class
        return tuple(kind(paths=[text]) for text in TEXTS)
    return WELL_KNOWN.get(field.message_type.full_name, ())
