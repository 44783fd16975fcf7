"""Requests to DynamoDB: one connection, time limits that fit an RPC, and resending what may be.

Everything here blocks; the store runs it in its threads.
"""

import random
import threading
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final, TypeVar

import botocore
from botocore.config import Config
from pynamodb.connection import Connection
from pynamodb.connection.base import MetaTable
from pynamodb.expressions.condition import Condition
from pynamodb.expressions.update import Action
from pynamodb.models import Model

from daylily_state.domain.errors import StoreUnavailableError
from daylily_state.store.dynamodb.failures import FAILURES, Failure, classify
from daylily_state.store.dynamodb.items import Item, item_of
from daylily_state.store.dynamodb.tables import TABLES, VersionedRow

T = TypeVar("T")

CONNECT_SECONDS: Final = 1.0
READ_SECONDS: Final = 2.0
# An idempotent request is sent again at most so often, and not after this time.
_ATTEMPTS: Final = 5
_PATIENCE_SECONDS: Final = 3.0
_FIRST_PAUSE: Final = 0.04
_LAST_PAUSE: Final = 0.5
RETRY_AFTER: Final = timedelta(seconds=1)

_KEYS_AT_ONCE: Final = 100  # of a BatchGetItem
_DELETES_AT_ONCE: Final = 25  # of a BatchWriteItem

# Left to itself, botocore puts this together anew for each request, for a tenth of its time.
_USER_AGENT: Final = f"daylily-state Botocore/{botocore.__version__}"

# PynamoDB asks what each request consumed, and nobody here wants to know.
NO_CAPACITY: Final = "NONE"

Key = tuple[str, str | None]  # hash and range key


@dataclass(frozen=True, slots=True)
class DynamoDBSettings:
    """Where the tables are.

    Without keys, credentials come from where botocore finds them (environment, profile, role).
    """

    region: str
    prefix: str = "daylily-"
    endpoint_url: str | None = None
    access_key_id: str | None = None
    secret_access_key: str | None = None
    connections: int = 32  # requests at the same time


class ConditionFailedError(Exception):
    """The condition of a plain write did not hold; nothing was written."""


class Client:
    """DynamoDB through one PynamoDB connection."""

    def __init__(self, settings: DynamoDBSettings) -> None:
        self._prefix = settings.prefix
        self._ready = threading.Lock()
        self._made = False
        self._connection = Connection(
            region=settings.region,
            host=settings.endpoint_url,
            connect_timeout_seconds=CONNECT_SECONDS,
            read_timeout_seconds=READ_SECONDS,
            # Resending is decided here: botocore would do it blindly, and past every deadline.
            max_retry_attempts=0,
            max_pool_connections=settings.connections,
            aws_access_key_id=settings.access_key_id,
            aws_secret_access_key=settings.secret_access_key,
        )
        for name, model in TABLES.items():
            self._connection.add_meta_table(meta_table(self.table(name), model))

    def table(self, name: str) -> str:
        """The table's name with the prefix."""
        return self._prefix + name

    @property
    def connection(self) -> Connection:
        """The connection, its botocore client made (which threads must not do at the same time)."""
        with self._ready:
            if not self._made:
                self._connection.session.set_default_client_config(Config(user_agent=_USER_AGENT))
            _ = self._connection.client
            self._made = True
        return self._connection

    def close(self) -> None:
        """Closes the pooled connections."""
        with self._ready:
            if self._made:
                self._connection.client.close()

    # --- sending ---

    def once(self, request: Callable[[Connection], T]) -> T:
        """Sends a request one time.

        Raises:
            FAILURES: whatever came of it.
        """
        return request(self.connection)

    def patiently(self, request: Callable[[Connection], T]) -> T:
        """Sends an idempotent request until it is answered.

        Raises:
            ConditionFailedError: the condition does not hold.
            StoreUnavailableError: no answer in the time there is.
        """
        pauses = Pauses()
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                return self.once(request)
            except FAILURES as error:
                failure = classify(error)
                if failure is Failure.CONDITION:
                    raise ConditionFailedError from error
                if failure is Failure.OURS:
                    raise
                last = failure is Failure.AWAY or attempt == _ATTEMPTS
                if last or pauses.elapsed > _PATIENCE_SECONDS:
                    raise StoreUnavailableError(retry_after=RETRY_AFTER) from error
            pauses.pause()
        raise AssertionError("the last attempt returns or raises")

    # --- reading ---

    def get(self, table: str, hash_key: str, range_key: str | None = None) -> Item | None:
        """The item, read strongly; None if there is none."""
        answer = self.patiently(
            lambda db: db.get_item(
                self.table(table), hash_key, range_key=range_key, consistent_read=True
            )
        )
        return answer.get("Item")

    def batch_get(
        self, wanted: Mapping[str, Iterable[Key]], *, strong: bool = True
    ) -> dict[str, list[Item]]:
        """The items that exist, by table, in no order. Keys may repeat and be many."""
        found: dict[str, list[Item]] = {table: [] for table in wanted}
        todo = [(table, key) for table, keys in wanted.items() for key in dict.fromkeys(keys)]
        names = {self.table(table): table for table in wanted}
        for start in range(0, len(todo), _KEYS_AT_ONCE):
            request = self._batch(todo[start : start + _KEYS_AT_ONCE], strong=strong)
            pauses = Pauses()
            while request:
                answer = self._send_batch(request)
                for name, items in answer.get("Responses", {}).items():
                    found[names[name]] += items
                # What did not fit 16 MB or the table's throughput comes back unread.
                unread = answer.get("UnprocessedKeys") or {}
                if unread and not any(answer.get("Responses", {}).values()):
                    if pauses.elapsed > _PATIENCE_SECONDS:
                        raise StoreUnavailableError(retry_after=RETRY_AFTER)
                    pauses.pause()
                request = unread
        return found

    def _batch(self, keys: Sequence[tuple[str, Key]], *, strong: bool) -> dict[str, Any]:
        request: dict[str, Any] = {}
        for table, (hash_key, range_key) in keys:
            name = self.table(table)
            identifier = self._connection.get_identifier_map(name, hash_key, range_key)
            entry = request.setdefault(name, {"ConsistentRead": strong, "Keys": []})
            entry["Keys"].append(identifier["Key"])
        return request

    def _send_batch(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.patiently(
            lambda db: db.dispatch(
                "BatchGetItem",
                {"RequestItems": dict(request), "ReturnConsumedCapacity": NO_CAPACITY},
            )
        )

    def query(
        self,
        table: str,
        hash_key: str,
        within: Condition | None = None,
        *,
        index: str | None = None,
        filtered: Condition | None = None,
        newest_first: bool = False,
        strong: bool = False,
        limit: int | None = None,
    ) -> Iterator["QueryPage"]:
        """Pages of a partition in the order of the range key, to its end.

        `limit` is of a page. An empty page does not mean the end: pages go on until DynamoDB says so.
        """

        def ask(db: Connection) -> QueryPage:
            answer = db.query(
                self.table(table),
                hash_key,
                range_key_condition=within,
                filter_condition=filtered,
                index_name=index,
                scan_index_forward=not newest_first,
                consistent_read=strong,
                limit=limit,
                exclusive_start_key=start,
            )
            return QueryPage(answer["Items"], answer.get("LastEvaluatedKey"))

        start: Item | None = None
        while True:
            page = self.patiently(ask)
            yield page
            if page.last_key is None:
                return
            start = page.last_key

    def query_items(self, table: str, hash_key: str, **options: Any) -> Iterator[Item]:
        """The items of `query`, page by page as they are asked for."""
        for page in self.query(table, hash_key, **options):
            yield from page.items

    def scan(self, table: str) -> Iterator[Item]:
        """Every item of a small table, read strongly."""
        start: Any = None
        while True:
            answer = self._scan_page(table, start)
            yield from answer["Items"]
            start = answer.get("LastEvaluatedKey")
            if start is None:
                return

    def _scan_page(self, table: str, start: Any) -> dict[str, Any]:
        return self.patiently(
            lambda db: db.scan(self.table(table), consistent_read=True, exclusive_start_key=start)
        )

    # --- plain writes ---

    def put(
        self, table: str, key: Key, item: Item, condition: Condition | None = None
    ) -> dict[str, Any]:
        """Writes an item; for one whose condition, if any, still holds after it was written.

        Raises:
            ConditionFailedError: the condition does not hold.
        """
        return self.patiently(
            lambda db: db.put_item(
                self.table(table), key[0], range_key=key[1], attributes=item, condition=condition
            )
        )

    def update(
        self, table: str, key: Key, actions: Sequence[Action], condition: Condition | None = None
    ) -> Item:
        """Updates an item, under the same rule as `put`; the item after it.

        Raises:
            ConditionFailedError: the condition does not hold.
        """
        answer = self.patiently(
            lambda db: db.update_item(
                self.table(table),
                key[0],
                range_key=key[1],
                actions=actions,
                condition=condition,
                return_values="ALL_NEW",
            )
        )
        item: Item = answer["Attributes"]
        return item

    def put_next(self, table: str, key: Key, row: VersionedRow, seen: int | None) -> bool:
        """Writes a row if the one there has the version `seen` (None: there is none).

        The condition turns false by its own success, so a row carries the name of its write: when
        an answer was lost and the condition then fails, the name says whose version it is.
        """
        row.writer = uuid.uuid4().hex
        # Nobody has written in between: no version is overwritten that was not seen.
        version = VersionedRow.version
        condition = version.does_not_exist() if seen is None else version == seen
        try:
            self.put(table, key, item_of(row), condition)
        except ConditionFailedError:
            there = self.get(table, *key)
            return there is not None and there.get(VersionedRow.writer.attr_name) == {
                "S": row.writer
            }
        return True

    def delete(self, table: str, keys: Sequence[Key]) -> None:
        """Deletes items; those that are gone already do not matter."""
        name = self.table(table)
        for start in range(0, len(keys), _DELETES_AT_ONCE):
            some = [
                {"DeleteRequest": self._connection.get_identifier_map(name, *key)}
                for key in keys[start : start + _DELETES_AT_ONCE]
            ]
            request: dict[str, Any] = {name: some}
            pauses = Pauses()
            while request:
                request = self._write_batch(request).get("UnprocessedItems") or {}
                if request:
                    if pauses.elapsed > _PATIENCE_SECONDS:
                        raise StoreUnavailableError(retry_after=RETRY_AFTER)
                    pauses.pause()

    def _write_batch(self, request: dict[str, Any]) -> dict[str, Any]:
        return self.patiently(
            lambda db: db.dispatch("BatchWriteItem", {"RequestItems": dict(request)})
        )


@dataclass(frozen=True, slots=True)
class QueryPage:
    """One answer to a query. `last_key` is where the next page starts, None at the end."""

    items: list[Item]
    last_key: Item | None


class Pauses:
    """Growing pauses with jitter between attempts, and the time since the first."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._next = _FIRST_PAUSE

    @property
    def elapsed(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._started

    def pause(self) -> None:
        """Blocks for a while, longer each time."""
        time.sleep(self._next * random.uniform(0.5, 1))  # noqa: S311 — it only spreads retries
        self._next = min(self._next * 2, _LAST_PAUSE)


def meta_table(name: str, model: type[Model]) -> MetaTable:
    """What PynamoDB has to know of a table, taken from its model instead of from a request."""
    schema = model._get_schema()  # noqa: SLF001 — PynamoDB gives it away only with a connection
    return MetaTable(
        {
            "TableName": name,
            "KeySchema": schema["key_schema"],
            "AttributeDefinitions": schema["attribute_definitions"],
            "GlobalSecondaryIndexes": [
                {"IndexName": index["index_name"], "KeySchema": index["key_schema"]}
                for index in schema["global_secondary_indexes"]
            ],
        }
    )
