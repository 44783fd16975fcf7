"""Many worksets at once: the rows that registering each would leave, written in bulk.

State's own rules make each commit and its stores' own code makes the rows of it; only the conditions
are left out, as nobody else writes meanwhile. Lanes stay gapless: they are read first and gone on with.
"""

import asyncio
import uuid
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from benchmarks.measure import progress
from daylily_state.domain import registering
from daylily_state.domain.commands import Register
from daylily_state.domain.commit import Commit
from daylily_state.domain.errors import StoreUnavailableError
from daylily_state.domain.model import Priority, Requirements, SubjectKind, lane_of
from daylily_state.domain.moment import Moment
from daylily_state.domain.records import Position
from daylily_state.ports import Store
from daylily_state.store.dynamodb import DynamoDBStore
from daylily_state.store.dynamodb.transaction import transaction_of
from daylily_state.store.sqlite import SqliteStore, commits, schema
from tests.support.dynamodb_local import DynamoDBLocal
from tests.support.stores import batched, dynamodb_settings

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient

T = TypeVar("T")

PRIORITIES = (Priority.URGENT, Priority.NORMAL, Priority.NORMAL, Priority.LOW)
NEEDS = Requirements(vcpus=8, memory_mb=32 * 1024)
CUSTOMERS = 7
APART = timedelta(milliseconds=50)
"""Between two registrations; the last of a load was just now."""

_IN_A_TRANSACTION = 5_000
_ITEMS_AT_ONCE = 25  # of a BatchWriteItem
_WRITERS = 4
_SECONDS_TO_MAKE_TABLES = 120


def registrations(number: int, *, first: int = 0) -> Iterator[Register]:
    """The commands that would register so many worksets, called ws-<number>."""
    for at in range(first, first + number):
        workset_id = f"ws-{at}"
        yield Register(
            workset_id=workset_id,
            bucket="lab",
            prefix=f"runs/{workset_id}/",
            priority=PRIORITIES[at % len(PRIORITIES)],
            customer_id=f"customer-{at % CUSTOMERS}",
            requirements=NEEDS,
            actor="anonymous",
        )


def commits_of(commands: Iterable[Register], heads: Position, begin: datetime) -> Iterator[Commit]:
    """What state would commit for these, one after the other, behind these heads."""
    ends = list(heads)
    for number, command in enumerate(commands):
        lane = lane_of(SubjectKind.WORKSET, command.workset_id)
        moment = Moment(begin + number * APART, uuid.uuid4().hex, ends[lane], dice=0.5)
        yield registering.register(None, {}, command, moment)
        ends[lane] += 1


def fill_sqlite(path: Path, number: int, *, first: int = 0, begin: datetime | None = None) -> None:
    """So many worksets into the file, which need not exist."""
    heads = asyncio.run(_heads_of(SqliteStore(path)))
    db = schema.connect(path)
    try:
        for some in _in_parts(_made(number, first, begin, heads), _IN_A_TRANSACTION):
            db.execute("BEGIN IMMEDIATE")
            for commit in some:
                commits.apply(db, commit)
            db.execute("COMMIT")
        db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    finally:
        db.close()


def fill_dynamodb(
    local: DynamoDBLocal,
    prefix: str,
    number: int,
    *,
    first: int = 0,
    begin: datetime | None = None,
) -> None:
    """So many worksets into the tables of this prefix, which are made if they are missing."""
    heads = asyncio.run(_heads_of(DynamoDBStore(dynamodb_settings(local, prefix))))
    client = local.client()
    written = 0
    with ThreadPoolExecutor(_WRITERS) as pool:
        for some in _in_parts(_made(number, first, begin, heads), _IN_A_TRANSACTION):
            items = [
                {prefix + put.table: [{"PutRequest": {"Item": put.item}}]}
                for commit in some
                for put in transaction_of(commit).puts
            ]
            list(pool.map(lambda part: _write(client, part), batched(items, _ITEMS_AT_ONCE)))
            written += len(some)
            progress(f"{written:,} of {number:,} worksets written")


# --- inside ---


def _made(number: int, first: int, begin: datetime | None, heads: Position) -> Iterator[Commit]:
    begin = begin or datetime.now(UTC) - number * APART
    return commits_of(registrations(number, first=first), heads, begin)


async def _heads_of(store: Store) -> Position:
    try:
        async with asyncio.timeout(_SECONDS_TO_MAKE_TABLES):
            while True:
                # A DynamoDB Local that was just started does not answer in the time of a call.
                with suppress(StoreUnavailableError):
                    await store.create_tables()
                    return await store.heads()
    finally:
        await store.close()


def _write(client: "DynamoDBClient", requests: Sequence[dict[str, list[Any]]]) -> None:
    wanted: dict[str, list[Any]] = {}
    for request in requests:
        for table, writes in request.items():
            wanted.setdefault(table, []).extend(writes)
    while wanted:
        wanted = client.batch_write_item(RequestItems=wanted).get("UnprocessedItems", {})


def _in_parts(items: Iterator[T], size: int) -> Iterator[list[T]]:
    while part := list(islice(items, size)):
        yield part
