"""Records of the other services: consumers, snapshots, deliveries, episodes."""

import sqlite3
from collections.abc import Sequence

from daylily_state.domain.filters import DeliveryFilter
from daylily_state.domain.records import Consumer, Delivery, Episode, Snapshot
from daylily_state.ports import Page
from daylily_state.store.positions import page_position, read_position
from daylily_state.store.sqlite.codec import decode, encode, micros, micros_or_none

# A page of a filter that few deliveries match ends after reading this many, and comes back short.
_READ_AT_MOST = 5_000


def get_consumer(db: sqlite3.Connection, name: str) -> Consumer | None:
    row = db.execute("SELECT body FROM consumers WHERE name = ?", (name,)).fetchone()
    return decode(Consumer, row[0]) if row else None


def put_consumer(db: sqlite3.Connection, consumer: Consumer) -> bool:
    return _put(db, "consumers", "name", consumer.name, consumer)


def get_episode(db: sqlite3.Connection, episode_id: str) -> Episode | None:
    row = db.execute("SELECT body FROM episodes WHERE episode_id = ?", (episode_id,)).fetchone()
    return decode(Episode, row[0]) if row else None


def put_episode(db: sqlite3.Connection, episode: Episode) -> bool:
    return _put(db, "episodes", "episode_id", episode.episode_id, episode)


def _put(
    db: sqlite3.Connection, table: str, key_name: str, key: str, record: Consumer | Episode
) -> bool:
    """Write the record if the row has the version before this one."""
    version = record.version
    if version == 1:
        done = db.execute(
            f"INSERT OR IGNORE INTO {table} VALUES (?, ?, ?)", (key, version, encode(record))
        )
    else:
        done = db.execute(
            f"UPDATE {table} SET version = ?, body = ? WHERE {key_name} = ? AND version = ?",
            (version, encode(record), key, version - 1),
        )
    return done.rowcount == 1


def get_snapshot(db: sqlite3.Connection, name: str) -> Snapshot | None:
    row = db.execute("SELECT body FROM snapshots WHERE name = ?", (name,)).fetchone()
    return decode(Snapshot, row[0]) if row else None


def put_snapshot(db: sqlite3.Connection, snapshot: Snapshot) -> None:
    db.execute("INSERT OR REPLACE INTO snapshots VALUES (?, ?)", (snapshot.name, encode(snapshot)))


# --- deliveries ---


def add_deliveries(db: sqlite3.Connection, deliveries: Sequence[Delivery]) -> int:
    return sum(
        db.execute(
            "INSERT OR IGNORE INTO deliveries VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                delivery.delivery_id,
                delivery.channel,
                int(delivery.state),
                micros_or_none(delivery.due_at),
                micros(delivery.created_at),
                delivery.event.workset_id,
                delivery.version,
                encode(delivery),
            ),
        ).rowcount
        for delivery in deliveries
    )


def get_delivery(db: sqlite3.Connection, delivery_id: str) -> Delivery | None:
    row = db.execute("SELECT body FROM deliveries WHERE delivery_id = ?", (delivery_id,)).fetchone()
    return decode(Delivery, row[0]) if row else None


def put_delivery(db: sqlite3.Connection, delivery: Delivery) -> bool:
    done = db.execute(
        "UPDATE deliveries SET state = ?, due_at = ?, version = ?, body = ?"
        " WHERE delivery_id = ? AND version = ?",
        (
            int(delivery.state),
            micros_or_none(delivery.due_at),
            delivery.version,
            encode(delivery),
            delivery.delivery_id,
            delivery.version - 1,
        ),
    )
    return done.rowcount == 1


def due_deliveries(db: sqlite3.Connection, channel: str, limit: int) -> Sequence[Delivery]:
    rows = db.execute(
        "SELECT body FROM deliveries WHERE channel = ? AND due_at IS NOT NULL"
        " ORDER BY due_at, delivery_id LIMIT ?",
        (channel, limit),
    )
    return tuple(decode(Delivery, body) for (body,) in rows)


def list_deliveries(
    db: sqlite3.Connection, wanted: DeliveryFilter, after: str | None, limit: int
) -> Page[Delivery]:
    position = read_position(after, int, str)
    conditions, values = ["TRUE"], list[int | str]()
    if position is not None:
        conditions.append("(created_at, delivery_id) < (?, ?)")
        values += position
    if wanted.workset_id:
        conditions.append("workset_id = ?")
        values.append(wanted.workset_id)
    rows = db.execute(
        "SELECT created_at, delivery_id, body FROM deliveries"
        f" WHERE {' AND '.join(conditions)} ORDER BY created_at DESC, delivery_id DESC LIMIT ?",
        (*values, _READ_AT_MOST),
    )
    found: list[Delivery] = []
    for read, (created_at, delivery_id, body) in enumerate(rows, start=1):
        delivery = decode(Delivery, body)
        if wanted.matches(delivery):
            found.append(delivery)
        if len(found) == limit or read == _READ_AT_MOST:
            return Page(tuple(found), page_position(created_at, delivery_id))
    return Page(tuple(found), None)
