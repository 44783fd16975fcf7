"""Random and hostile messages of any type, by its descriptor."""

import math
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]

KNOWN: Final = ("ws-1", "ws-2", "held", "c1", "m1", "acme", "notifier", "reader", "r-1", "lab")
"""Names that a server under test has something for, so that not all is refused at the door."""

HOSTILE: Final = (
    "",
    " ",
    "\x00",
    "a\x00b",
    "\n\r\t",
    "\x1b[31mred",
    "../../../../etc/passwd",
    "' OR 1=1; --",
    "${jndi:ldap://127.0.0.1/a}",
    "{0.__class__} %s %n {workset_id}",
    "<script>alert(1)</script>",
    "\u4f60\u597d \u202e \ufeff \U0010ffff",
    "é" * 64,
    "a" * 129,
    "#" * 5000,
    "C1" + "A" * 40,
    "-1",
    "NaN",
    "null",
)

_MOST_DEPTH: Final = 4
_EXTREME_SECONDS: Final = (0, 1, -1, 10, 45, 3600, 315_576_000_000, -(2**63), 2**63 - 1)

texts: Strategy = st.one_of(
    st.sampled_from(KNOWN),
    st.sampled_from(HOSTILE),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)
floats: Strategy = st.one_of(
    st.sampled_from([0.0, -0.0, 1.0, -1.0, math.nan, math.inf, -math.inf, 1e308, 5e-324, 0.5]),
    st.floats(),
)


def _integers(least: int, most: int) -> Strategy:
    return st.one_of(
        st.sampled_from(
            [number for number in (0, 1, 2, 7, least, most) if least <= number <= most]
        ),
        st.integers(least, most),
    )


_SCALARS: Final[dict[int, Strategy]] = {
    FieldDescriptor.TYPE_STRING: texts,
    FieldDescriptor.TYPE_BYTES: st.binary(max_size=64),
    FieldDescriptor.TYPE_BOOL: st.booleans(),
    FieldDescriptor.TYPE_DOUBLE: floats,
    FieldDescriptor.TYPE_FLOAT: st.floats(width=32),
    FieldDescriptor.TYPE_UINT32: _integers(0, 2**32 - 1),
    FieldDescriptor.TYPE_UINT64: _integers(0, 2**64 - 1),
    FieldDescriptor.TYPE_INT32: _integers(-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: _integers(-(2**63), 2**63 - 1),
}


@cache
def messages(kind: Descriptor, depth: int = 0) -> Strategy:
    """Messages of this type: any of its fields set, to anything that its wire type can carry."""
    special = _SPECIAL.get(kind.full_name)
    if special is not None:
        return special(depth)
    fields = [field for field in kind.fields if depth < _MOST_DEPTH or not field.message_type]
    build = GetMessageClass(kind)
    if not fields:
        return st.builds(build)
    choices = st.lists(
        st.sampled_from(fields).flatmap(
            lambda field: st.tuples(st.just(field), _value(field, depth))
        ),
        max_size=len(fields),
        unique_by=lambda chosen: chosen[0].name,
    )
    return choices.map(lambda chosen: _filled(build(), chosen))


def _value(field: FieldDescriptor, depth: int) -> Strategy:
    if _is_map(field):
        assert field.message_type is not None
        key, value = (field.message_type.fields_by_name[name] for name in ("key", "value"))
        return st.dictionaries(_one(key, depth), _one(value, depth), max_size=4)
    if field.is_repeated:
        one = _one(field, depth)
        often = 150 if field.message_type is None else 30
        return st.one_of(
            st.lists(one, max_size=3),
            one.map(lambda found: [found] * 2),
            one.map(lambda found: [found] * often),
        )
    return _one(field, depth)


def _one(field: FieldDescriptor, depth: int) -> Strategy:
    if field.type in {FieldDescriptor.TYPE_MESSAGE, FieldDescriptor.TYPE_GROUP}:
        assert field.message_type is not None
        return messages(field.message_type, depth + 1)
    if field.type == FieldDescriptor.TYPE_ENUM:
        assert field.enum_type is not None
        known = [value.number for value in field.enum_type.values]
        return st.sampled_from([*known, *known, 99, -1, 2**31 - 1])
    return _SCALARS[field.type]


def _is_map(field: FieldDescriptor) -> bool:
    found = field.message_type
    return field.is_repeated and found is not None and found.GetOptions().map_entry


def _filled(message: Message, chosen: list[tuple[FieldDescriptor, Any]]) -> Message:
    for field, value in chosen:
        target = getattr(message, field.name)
        if _is_map(field):
            for key, item in value.items():
                if isinstance(item, Message):
                    target[key].CopyFrom(item)
                else:
                    target[key] = item
        elif field.is_repeated:
            target.extend(value)
        elif isinstance(value, Message):
            target.CopyFrom(value)
        else:
            setattr(message, field.name, value)
    return message


def _times(name: str) -> Callable[[int], Strategy]:
    def times(_depth: int) -> Strategy:
        # Imported for its effect: the type has to be known to the pool.
        from google.protobuf import duration_pb2, timestamp_pb2  # noqa: PLC0415

        kinds = {"Duration": duration_pb2.Duration, "Timestamp": timestamp_pb2.Timestamp}
        return st.builds(
            kinds[name],
            seconds=st.one_of(st.sampled_from(_EXTREME_SECONDS), st.integers(-100, 2_000_000_000)),
            nanos=st.sampled_from([0, 1, 999_999_999, -1, 2**31 - 1, -(2**31)]),
        )

    return times


def _structs(depth: int) -> Strategy:
    from google.protobuf import struct_pb2  # noqa: PLC0415

    leaves = st.one_of(texts, floats, st.booleans(), st.none())
    values = st.recursive(
        leaves,
        lambda inner: st.one_of(
            st.lists(inner, max_size=3), st.dictionaries(texts, inner, max_size=3)
        ),
        max_leaves=8,
    )

    def struct(content: dict[str, Any]) -> struct_pb2.Struct:
        found = struct_pb2.Struct()
        found.update(content)
        return found

    def deep(levels: int) -> struct_pb2.Struct:
        found = struct_pb2.Struct()
        inner = found
        for _ in range(levels):
            inner.fields["a"].struct_value.SetInParent()
            inner = inner.fields["a"].struct_value
        return found

    def with_nothing(content: dict[str, Any]) -> struct_pb2.Struct:
        found = struct(content)
        found.fields["nothing"].SetInParent()  # a Value of no kind, which JSON has no word for
        return found

    contents = st.dictionaries(texts, values, max_size=4)
    return st.one_of(
        contents.map(struct),
        contents.map(with_nothing),
        st.sampled_from([5, 25]).map(deep),
        st.just({"big": "x" * (300_000 if depth == 1 else 1000)}).map(struct),
    )


_SPECIAL: Final[dict[str, Callable[[int], Strategy]]] = {
    "google.protobuf.Duration": _times("Duration"),
    "google.protobuf.Timestamp": _times("Timestamp"),
    "google.protobuf.Struct": _structs,
}
