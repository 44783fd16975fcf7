"""Write units by AWS's rules, counted from what is sent and what lies in the tables.

DynamoDB Local answers with figures of its own that count transactions once too often, so they are not
used. The rules (Amazon DynamoDB developer guide, "Capacity unit consumption", "Item sizes", "Global
secondary indexes: write throughput"):

- A write costs a unit for each KB begun of the item before or after it, whichever is larger.
- Inside a transaction it costs twice that.
- An index costs a write for an entry that appears, disappears or changes, and two for one whose key
  changes: one to remove the old entry and one to put the new.
"""

import base64
import json
from collections import defaultdict
from dataclasses import dataclass, field
from math import ceil
from typing import TYPE_CHECKING, Any

from tests.support.faulty_proxy import Exchange

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

Item = dict[str, dict[str, Any]]


def item_size(item: Item) -> int:
    """Bytes of an item: names and values."""
    return sum(len(name.encode()) + value_size(value) for name, value in item.items())


def value_size(value: dict[str, Any]) -> int:
    """Bytes of an attribute value as DynamoDB counts them."""
    ((kind, content),) = value.items()
    if kind == "S":
        return len(content.encode())
    if kind == "B":
        return len(content if isinstance(content, bytes) else base64.b64decode(content))
    if kind == "N":
        return _number_size(content)
    if kind in {"BOOL", "NULL"}:
        return 1
    if kind == "L":
        return 3 + sum(1 + value_size(member) for member in content)
    if kind == "M":
        return 3 + sum(
            1 + len(key.encode()) + value_size(member) for key, member in content.items()
        )
    raise ValueError(f"no rule for the size of {kind}")


def _number_size(text: str) -> int:
    """A byte for every two significant digits, one more, and one for a minus sign."""
    digits = text.lstrip("-").replace(".", "").strip("0")
    return ceil(len(digits) / 2) + 1 + text.startswith("-")


def units(size: int) -> int:
    """Of a plain write of so many bytes."""
    return max(1, ceil(size / 1024))


@dataclass
class WriteMeter:
    """Counts the units of every write that passes a proxy (`proxy.always(meter)`), by table."""

    client: "DynamoDBClient"
    by_table: defaultdict[str, int] = field(default_factory=lambda: defaultdict(int))
    _tables: dict[str, Any] = field(default_factory=dict)

    def total(self, *, without: str = "") -> int:
        """All units, those of tables whose name ends so apart."""
        return sum(
            count
            for table, count in self.by_table.items()
            if not (without and table.endswith(without))
        )

    def __call__(self, exchange: Exchange) -> None:
        """Forwards the exchange and counts what it wrote."""
        writes = _writes(exchange.operation, json.loads(exchange.body))
        before = [self._read(table, key_source) for table, key_source in writes]
        answered = exchange.forward()
        if answered.status != 200:
            return
        factor = 2 if exchange.operation == "TransactWriteItems" else 1
        for (table, key_source), old in zip(writes, before, strict=True):
            new = self._read(table, key_source)
            self.by_table[table] += factor * units(max(item_size(old), item_size(new)))
            self.by_table[table] += sum(
                _index_units(
                    _entry(index, self._keys(table), old),
                    _entry(index, self._keys(table), new),
                    index,
                )
                for index in self._table(table).get("GlobalSecondaryIndexes", [])
            )

    def _read(self, table: str, key_source: Item) -> Item:
        key = {name: _as_sent(key_source[name]) for name in self._keys(table)}
        found = self.client.get_item(TableName=table, Key=key, ConsistentRead=True)
        return found.get("Item", {})  # type: ignore[return-value]

    def _keys(self, table: str) -> list[str]:
        return [part["AttributeName"] for part in self._table(table)["KeySchema"]]

    def _table(self, table: str) -> Any:
        if table not in self._tables:
            self._tables[table] = self.client.describe_table(TableName=table)["Table"]
        return self._tables[table]


def _as_sent(value: dict[str, Any]) -> Any:
    return {kind: base64.b64decode(v) if kind == "B" else v for kind, v in value.items()}


def _writes(operation: str, request: dict[str, Any]) -> list[tuple[str, Item]]:
    """The table of each write and an item that holds its key."""
    if operation == "TransactWriteItems":
        entries = [next(iter(entry.values())) for entry in request["TransactItems"]]
    elif operation in {"PutItem", "UpdateItem", "DeleteItem"}:
        entries = [request]
    elif operation == "BatchWriteItem":
        return [
            (table, one.get("Item") or one["Key"])
            for table, some in request["RequestItems"].items()
            for one in (next(iter(entry.values())) for entry in some)
        ]
    else:
        return []
    return [(entry["TableName"], entry.get("Item") or entry["Key"]) for entry in entries]


def _entry(index: Any, table_keys: list[str], item: Item) -> Item:
    """The item's entry in an index, empty if it has none."""
    keys = [part["AttributeName"] for part in index["KeySchema"]]
    if any(name not in item for name in keys):
        return {}
    projection = index["Projection"]
    if projection["ProjectionType"] == "ALL":
        return item
    wanted = {*keys, *table_keys, *projection.get("NonKeyAttributes", [])}
    return {name: value for name, value in item.items() if name in wanted}


def _index_units(old: Item, new: Item, index: Any) -> int:
    if old == new:
        return 0
    keys = [part["AttributeName"] for part in index["KeySchema"]]
    moved = old and new and any(old[name] != new[name] for name in keys)
    if moved:
        return units(item_size(old)) + units(item_size(new))
    return units(max(item_size(old), item_size(new)))
