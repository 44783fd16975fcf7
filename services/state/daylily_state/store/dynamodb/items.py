"""An item as DynamoDB speaks of it, attribute by attribute: {"id": {"S": "ws-1"}, …}."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pynamodb.models import Model

Item = Mapping[str, Mapping[str, Any]]
M = TypeVar("M", bound=Model)


def item_of(row: Model) -> dict[str, dict[str, Any]]:
    """The row's item."""
    return row.serialize()


def row_from(kind: type[M], item: Item) -> M:
    """The row that this item holds; attributes that an index leaves out are as if they were empty."""
    row = kind()
    row.deserialize({name: dict(value) for name, value in item.items()})
    return row
