"""What the other services keep here: consumers, deliveries, episodes, snapshots; and heartbeats."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from hashlib import sha256
from itertools import islice
from typing import Final
from uuid import uuid4

from daylily_state.domain.errors import StoreUnavailableError
from daylily_state.domain.filters import DeliveryFilter
from daylily_state.domain.records import Consumer, Delivery, Episode, Snapshot
from daylily_state.ports import Page
from daylily_state.store.dynamodb.attributes import micros, moment_at
from daylily_state.store.dynamodb.client import (
    RETRY_AFTER,
    Client,
    Key,
    Pauses,
)
from daylily_state.store.dynamodb.failures import FAILURES
from daylily_state.store.dynamodb.items import Item, item_of, make_row, row_from
from daylily_state.store.dynamodb.pools import from_text, to_text
from daylily_state.store.dynamodb.stretches import (
    SortKey,
    Stretch,
    merge,
    read_stretch,
    rows_to_ask_for,
)
from daylily_state.store.dynamodb.tables import (
    CONSUMERS,
    RECORDS,
    AgeIndex,
    ConsumerRow,
    DueIndex,
    RecordRow,
)
from daylily_state.store.dynamodb.threads import Threads
from daylily_state.store.dynamodb.worksets import time_key
from daylily_state.store.positions import page_position, read_position

_WHOLE: Final = "-"  # the part of a record that has one
_SHARDS: Final = 8
_READ_AT_MOST: Final = 1_000
_READ_AT_LEAST: Final = 50
_FIRST: Final = moment_at(0)
_LAST: Final = moment_at(10**16 - 1)


# --- consumers ---


def get_consumer(client: Client, name: str) -> Consumer | None:
    item = client.get(CONSUMERS, name)
    return from_text(Consumer, row_from(ConsumerRow, item).body) if item else None


def put_consumer(client: Client, consumer: Consumer) -> bool:
    row = make_row(
        ConsumerRow, name=consumer.name, version=consumer.version, body=to_text(consumer)
    )
    return client.put_next(CONSUMERS, (consumer.name, None), row, _before(consumer.version))


def _before(version: int) -> int | None:
    return version - 1 or None


# --- episodes ---


def get_episode(client: Client, episode_id: str) -> Episode | None:
    item = client.get(RECORDS, *_episode_key(episode_id))
    return from_text(Episode, row_from(RecordRow, item).body) if item else None


def put_episode(client: Client, episode: Episode) -> bool:
    key = _episode_key(episode.episode_id)
    row = make_row(
        RecordRow, record_id=key[0], part=key[1], version=episode.version, body=to_text(episode)
    )
    return client.put_next(RECORDS, key, row, _before(episode.version))


def _episode_key(episode_id: str) -> Key:
    return f"episode#{episode_id}", _WHOLE


# --- deliveries ---


def add_deliveries(client: Client, deliveries: Sequence[Delivery]) -> int:
    return sum(
        client.put_next(RECORDS, _delivery_key(delivery.delivery_id), _delivery_row(delivery), None)
        for delivery in deliveries
    )


def get_delivery(client: Client, delivery_id: str) -> Delivery | None:
    item = client.get(RECORDS, *_delivery_key(delivery_id))
    return _delivery_from(item) if item else None


def put_delivery(client: Client, delivery: Delivery) -> bool:
    return client.put_next(
        RECORDS,
        _delivery_key(delivery.delivery_id),
        _delivery_row(delivery),
        delivery.version - 1,
    )


def due_deliveries(client: Client, channel: str, limit: int) -> Sequence[Delivery]:
    """The index says which; strong reads say whether they are unfinished still, and when due."""
    items = client.query_items(RECORDS, channel, index=DueIndex.Meta.index_name, limit=limit)
    rows = _deliveries(client, list(islice(items, limit)))
    due = [(delivery.due_at, delivery.delivery_id, delivery) for delivery in rows]
    return tuple(
        delivery
        for _, _, delivery in sorted(
            ((moment, key, delivery) for moment, key, delivery in due if moment is not None),
            key=lambda entry: entry[:2],
        )
    )


async def list_deliveries(
    threads: Threads, client: Client, wanted: DeliveryFilter, after: str | None, limit: int
) -> Page[Delivery]:
    """Matching deliveries, newest first, over all shards."""
    position = read_position(after, int, str)
    found: list[Delivery] = []
    read = 0
    while True:
        each = max(limit, _READ_AT_LEAST) // _SHARDS + 4
        shards = (threads.run(_of_shard, client, shard, position, each) for shard in range(_SHARDS))
        stretch = merge(await asyncio.gather(*shards))
        rows = await threads.run(_deliveries, client, [item for _, item in stretch.items])
        found += [delivery for delivery in sorted(rows, key=_newest) if wanted.matches(delivery)]
        read += len(stretch.items)
        if len(found) >= limit:
            more = len(found) > limit or not stretch.ended
            page = found[:limit]
            return Page(tuple(page), page_position(*_newest(page[-1])) if more else None)
        if stretch.ended:
            return Page(tuple(found), None)
        position = stretch.items[-1][0]
        if read >= _READ_AT_MOST:
            return Page(tuple(found), page_position(*position))


def _of_shard(client: Client, shard: int, position: SortKey | None, limit: int) -> Stretch:
    newest = moment_at(-position[0]) if position else _LAST
    pages = client.query(
        RECORDS,
        str(shard),
        RecordRow.created_at.between(_FIRST, newest),
        index=AgeIndex.Meta.index_name,
        newest_first=True,
        limit=rows_to_ask_for(limit, position),
    )
    return read_stretch(pages, _created, _newest_of_item, position, limit)


def _deliveries(client: Client, items: Sequence[Item]) -> list[Delivery]:
    keys = [(item["id"]["S"], item["part"]["S"]) for item in items]
    return [_delivery_from(item) for item in client.batch_get({RECORDS: keys})[RECORDS]]


def _newest(delivery: Delivery) -> SortKey:
    return -micros(delivery.created_at), delivery.delivery_id


def _created(item: Item) -> int:
    return int(item[RecordRow.created_at.attr_name]["N"])


def _newest_of_item(item: Item) -> SortKey:
    return -_created(item), item["id"]["S"].removeprefix(_DELIVERY)


_DELIVERY: Final = "delivery#"


def _delivery_key(delivery_id: str) -> Key:
    return _DELIVERY + delivery_id, _WHOLE


def _delivery_row(delivery: Delivery) -> RecordRow:
    key = _delivery_key(delivery.delivery_id)
    due_at = delivery.due_at
    return make_row(
        RecordRow,
        record_id=key[0],
        part=key[1],
        version=delivery.version,
        body=to_text(delivery),
        channel=delivery.channel if due_at else None,
        due_at=due_at,
        shard=sha256(delivery.delivery_id.encode()).digest()[0] % _SHARDS,
        created_at=delivery.created_at,
    )


def _delivery_from(item: Item) -> Delivery:
    return from_text(Delivery, row_from(RecordRow, item).body)


# --- snapshots ---

# A snapshot is written as chunks under a generation of its own; the pointer names the generation and
# is swapped last, so that a reader finds the one before or this one, whole.

_POINTER: Final = "pointer"
_CHUNK_BYTES: Final = 300 * 1024  # an item takes 400 KB
_LEFT_BEHIND: Final = timedelta(hours=1)  # no writer takes so long between its chunks and its swap
_SWAPPED_AWAY: Final = 5  # so often a reader whose chunks were removed under it begins again


def put_snapshot(client: Client, snapshot: Snapshot) -> None:
    record_id = _snapshot_id(snapshot.name)
    generation = f"{time_key(snapshot.written_at)}-{uuid4().hex}"
    parts = [
        snapshot.data[start : start + _CHUNK_BYTES]
        for start in range(0, len(snapshot.data), _CHUNK_BYTES)
    ]
    for number, chunk in enumerate(parts):
        key = (record_id, _chunk_part(generation, number))
        client.put(
            RECORDS, key, item_of(make_row(RecordRow, record_id=key[0], part=key[1], chunk=chunk))
        )
    pointer = make_row(
        RecordRow,
        record_id=record_id,
        part=_POINTER,
        generation=generation,
        chunks=len(parts),
        body=to_text((snapshot.cursor, snapshot.written_at)),
    )
    before = client.get(RECORDS, record_id, _POINTER)
    client.put(RECORDS, (record_id, _POINTER), item_of(pointer))
    _remove_old(client, snapshot, before)


def _remove_old(client: Client, snapshot: Snapshot, before: Item | None) -> None:
    """Removes the chunks of the snapshot before, and those of writers that died before their swap."""
    record_id = _snapshot_id(snapshot.name)
    gone = _chunk_parts(row_from(RecordRow, before)) if before else []
    # Chunks sort by generation and that by time; "pointer" sorts behind every chunk.
    stale = time_key(snapshot.written_at - _LEFT_BEHIND)
    left = client.query_items(RECORDS, record_id, within=RecordRow.part < stale, strong=True)
    gone += [item["part"]["S"] for item in left]
    now = client.get(RECORDS, record_id, _POINTER)
    keep = _chunk_parts(row_from(RecordRow, now)) if now else []
    client.delete(RECORDS, [(record_id, part) for part in sorted({*gone} - {*keep})])


def get_snapshot(client: Client, name: str) -> Snapshot | None:
    record_id = _snapshot_id(name)
    pauses = Pauses()
    for _ in range(_SWAPPED_AWAY):
        item = client.get(RECORDS, record_id, _POINTER)
        if item is None:
            return None
        pointer = row_from(RecordRow, item)
        keys = [(record_id, part) for part in _chunk_parts(pointer)]
        chunks = sorted(
            (row_from(RecordRow, chunk) for chunk in client.batch_get({RECORDS: keys})[RECORDS]),
            key=lambda chunk: chunk.part,
        )
        if len(chunks) == pointer.chunks:
            cursor, written_at = from_text(tuple[str, datetime], pointer.body)
            return Snapshot(name, cursor, b"".join(chunk.chunk for chunk in chunks), written_at)
        pauses.pause()
    raise StoreUnavailableError(retry_after=RETRY_AFTER)


def _snapshot_id(name: str) -> str:
    return f"snapshot#{name}"


def _chunk_parts(pointer: RecordRow) -> list[str]:
    return [_chunk_part(pointer.generation, number) for number in range(pointer.chunks)]


def _chunk_part(generation: str, number: int) -> str:
    return f"{generation}#{number:04d}"


# --- heartbeats ---

_FORGOTTEN_AFTER: Final = timedelta(days=1)


def heartbeat(client: Client, replica_id: str, now: datetime) -> datetime | None:
    """One write, not sent again; the Date header of the answer (whole seconds)."""
    row = make_row(
        RecordRow,
        record_id=f"heartbeat#{replica_id}",
        part=_WHOLE,
        forget_at=(now + _FORGOTTEN_AFTER).replace(microsecond=0),
    )
    try:
        answer = client.once(
            lambda db: db.put_item(
                client.table(RECORDS), row.record_id, range_key=_WHOLE, attributes=item_of(row)
            )
        )
    except FAILURES as error:
        raise StoreUnavailableError(retry_after=RETRY_AFTER) from error
    date = answer["ResponseMetadata"]["HTTPHeaders"].get("date")
    return parsedate_to_datetime(date).astimezone(UTC) if date else None
