"""Rows to items as DynamoDB speaks of them ({"id": {"S": "ws-1"}, …}) and back.

PynamoDB does the same through a model's constructor and descriptors, several times slower: a queue
of some thousand worksets would hold the interpreter for seconds.
"""

from collections.abc import Callable, Mapping
from functools import cache
from typing import Any, NamedTuple, TypeVar

from pynamodb.models import Model

Item = Mapping[str, Mapping[str, Any]]
M = TypeVar("M", bound=Model)


class _Field(NamedTuple):
    """One attribute: its name in the model and in DynamoDB, its DynamoDB type, and its codec."""

    name: str
    stored_name: str
    stored_type: str
    serialize: Callable[[Any], Any]
    deserialize: Callable[[Any], Any]


@cache
def _fields(kind: type[Model]) -> tuple[_Field, ...]:
    return tuple(
        _Field(
            name,
            attribute.attr_name,
            attribute.attr_type,
            attribute.serialize,
            attribute.deserialize,
        )
        for name, attribute in kind.get_attributes().items()
    )


@cache
def _defaults(kind: type[Model]) -> Mapping[str, Any]:
    """What attributes are that have no room in the item, being empty."""
    return {
        name: attribute.default() if callable(attribute.default) else attribute.default
        for name, attribute in kind.get_attributes().items()
    }


def make_row(kind: type[M], /, **values: Any) -> M:
    """A row with these values."""
    row = kind.__new__(kind)
    row.attribute_values = {**_defaults(kind), **values}
    return row


def item_of(row: Model) -> dict[str, dict[str, Any]]:
    """The row's item."""
    values = row.attribute_values
    item: dict[str, dict[str, Any]] = {}
    for field in _fields(type(row)):
        value = values[field.name]
        stored = None if value is None else field.serialize(value)
        if stored is not None:
            item[field.stored_name] = {field.stored_type: stored}
    return item


def row_from(kind: type[M], item: Item) -> M:
    """The row that this item holds; attributes that an index leaves out are as if they were empty."""
    row = kind.__new__(kind)
    row.attribute_values = values_from(kind, item)
    return row


def values_from(kind: type[Model], item: Item) -> dict[str, Any]:
    """The values of that row by the names of the model's attributes, for what is read by the thousand:
    a model's descriptors take as long as all the rest.
    """
    values = dict(_defaults(kind))
    for field in _fields(kind):
        stored = item.get(field.stored_name)
        if stored is not None:
            values[field.name] = field.deserialize(stored[field.stored_type])
    return values
