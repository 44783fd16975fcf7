"""State's stores over real engines, each test's data apart from all others."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, TypeVar

import boto3

from daylily_state.ports import Store
from daylily_state.store.dynamodb import DynamoDBSettings, DynamoDBStore
from daylily_state.store.dynamodb.tables import TABLES
from daylily_state.store.sqlite import SqliteStore

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")


class Endpoint(Protocol):
    """What speaks DynamoDB: moto or DynamoDB Local."""

    @property
    def endpoint_url(self) -> str: ...
    @property
    def region(self) -> str: ...
    @property
    def access_key_id(self) -> str: ...
    @property
    def secret_access_key(self) -> str: ...


@dataclass(frozen=True)
class Replicas:
    """Opens store objects on the same data: `replicas()` is what one more process would have."""

    first: Store
    open_another: Callable[[], Store]
    _closing: AsyncExitStack

    def __call__(self) -> Store:
        store = self.open_another()
        self._closing.push_async_callback(store.close)
        return store


def dynamodb_settings(
    endpoint: Endpoint, prefix: str, *, url: str = "", connections: int = 8
) -> DynamoDBSettings:
    """Settings for tables at this endpoint, or at `url` that leads there."""
    return DynamoDBSettings(
        region=endpoint.region,
        prefix=prefix,
        endpoint_url=url or endpoint.endpoint_url,
        access_key_id=endpoint.access_key_id,
        secret_access_key=endpoint.secret_access_key,
        connections=connections,
    )


def own_prefix() -> str:
    """A prefix for the tables of one test."""
    return f"t-{uuid.uuid4().hex[:12]}-"


@asynccontextmanager
async def replicas_on(
    open_another: Callable[[], Store], *, create: bool = True
) -> AsyncIterator[Replicas]:
    """Replicas of a store, whose tables are made first; all are closed at the end."""
    async with AsyncExitStack() as closing:
        first = open_another()
        closing.push_async_callback(first.close)
        if create:
            await first.create_tables()
        yield Replicas(first, open_another, closing)


@asynccontextmanager
async def dynamodb_replicas(endpoint: Endpoint) -> AsyncIterator[Replicas]:
    """Replicas on fresh tables; the engines hold them in memory and end with the session."""
    settings = dynamodb_settings(endpoint, own_prefix())
    async with replicas_on(lambda: DynamoDBStore(settings)) as replicas:
        yield replicas


@asynccontextmanager
async def emptied_replicas(endpoint: Endpoint, *, url: str = "") -> AsyncIterator[Replicas]:
    """Replicas on tables that tests before may have used, and emptied: making tables takes long.

    For tests after which nothing is under way any more. They reach the endpoint at `url`, if given.
    """
    free = _free_prefixes.setdefault(endpoint.endpoint_url, [])
    fresh = not free or not await asyncio.to_thread(_exists, endpoint, free[-1])
    prefix = own_prefix() if fresh else free.pop()
    settings = dynamodb_settings(endpoint, prefix, url=url)
    async with replicas_on(lambda: DynamoDBStore(settings), create=fresh) as replicas:
        yield replicas
    await asyncio.to_thread(_empty, endpoint, prefix)
    free.append(prefix)


_free_prefixes: dict[str, list[str]] = {}


_clients: dict[str, "DynamoDBClient"] = {}


def _client(endpoint: Endpoint) -> "DynamoDBClient":
    """One for all tests: a client is dear to make."""
    if endpoint.endpoint_url not in _clients:
        _clients[endpoint.endpoint_url] = boto3.client(
            "dynamodb",
            endpoint_url=endpoint.endpoint_url,
            region_name=endpoint.region,
            aws_access_key_id=endpoint.access_key_id,
            aws_secret_access_key=endpoint.secret_access_key,
        )
    return _clients[endpoint.endpoint_url]


def _exists(endpoint: Endpoint, prefix: str) -> bool:
    """Whether the tables are still there: a test may have made moto forget everything."""
    client = _client(endpoint)
    try:
        client.describe_table(TableName=prefix + next(iter(TABLES)))
    except client.exceptions.ResourceNotFoundException:
        return False
    return True


def _empty(endpoint: Endpoint, prefix: str) -> None:
    client = _client(endpoint)
    for name, model in TABLES.items():
        keys = [
            attribute.attr_name
            for attribute in model.get_attributes().values()
            if attribute.is_hash_key or attribute.is_range_key
        ]
        for page in client.get_paginator("scan").paginate(TableName=prefix + name):
            for some in batched(page["Items"], 25):
                client.batch_write_item(
                    RequestItems={
                        prefix + name: [
                            {"DeleteRequest": {"Key": {key: item[key] for key in keys}}}
                            for item in some
                        ]
                    }
                )


def batched(items: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The items in parts of this size."""
    for start in range(0, len(items), size):
        yield items[start : start + size]


@asynccontextmanager
async def sqlite_replicas(folder: Path) -> AsyncIterator[Replicas]:
    """Replicas on a fresh file."""
    path = folder / "state.sqlite"
    async with replicas_on(lambda: SqliteStore(path)) as replicas:
        yield replicas
