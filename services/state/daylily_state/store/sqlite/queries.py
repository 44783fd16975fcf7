"""Lists of worksets and events."""

import sqlite3
from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import merge
from itertools import islice
from typing import Any

from daylily_state.domain.events import Event
from daylily_state.domain.filters import WorksetFilter
from daylily_state.domain.model import (
    LANES,
    Cluster,
    Customer,
    Details,
    Priority,
    Workset,
    WorksetState,
)
from daylily_state.domain.records import Position
from daylily_state.ports import Page
from daylily_state.store.positions import page_position, read_position
from daylily_state.store.sqlite.codec import decode, micros
from daylily_state.store.sqlite.rows import (
    CLUSTERS,
    CUSTOMERS,
    WAITING,
    cluster_from,
    customer_from,
    head,
)

# A page of a filter that few worksets match ends after reading this many, and comes back short.
_READ_AT_MOST = 5_000


def list_worksets(
    db: sqlite3.Connection, wanted: WorksetFilter, after: str | None, limit: int
) -> Page[Workset]:
    """Matching worksets by (created_at, workset_id), which never change. The caller holds a read
    transaction.
    """
    found: list[Workset] = []
    rows = islice(_by_age(db, wanted, read_position(after, int, str)), _READ_AT_MOST)
    for read, (created_at, workset_id, body, details) in enumerate(rows, start=1):
        workset = decode(Workset, body)
        if wanted.matches(workset) and (
            not wanted.labels or wanted.matches_labels(decode(Details, details).labels)
        ):
            found.append(workset)
        if len(found) == limit or read == _READ_AT_MOST:
            return Page(tuple(found), page_position(created_at, workset_id))
    return Page(tuple(found), None)


def _by_age(
    db: sqlite3.Connection, wanted: WorksetFilter, after: tuple[Any, ...] | None
) -> Iterator[tuple[int, str, bytes, bytes]]:
    """Rows that SQL can look up for a filter, oldest first; the filter itself decides."""
    bounds, values = _bounds(wanted, after)
    if not wanted.states:
        return _selected(db, "worksets", bounds, values)
    # Few may be in these states and very many in others: each queue is read by its own index.
    queues = [int(state) for state in wanted.states]
    if WorksetState.READY in wanted.states:
        queues.append(WAITING)
    return merge(
        *(
            _selected(
                db,
                "worksets INDEXED BY worksets_queue",
                ["queue = ?", "priority = ?", *bounds],
                [queue, int(priority), *values],
            )
            for queue in queues
            for priority in wanted.priorities or Priority
        )
    )


def _selected(
    db: sqlite3.Connection, table: str, conditions: Sequence[str], values: Sequence[int | str]
) -> Iterator[tuple[int, str, bytes, bytes]]:
    return db.execute(
        "SELECT created_at, worksets.workset_id, worksets.body, details.body"
        f" FROM {table} JOIN details USING (workset_id)"
        f" WHERE {' AND '.join(conditions)} ORDER BY created_at, worksets.workset_id",
        values,
    )


def _bounds(
    wanted: WorksetFilter, after: tuple[Any, ...] | None
) -> tuple[list[str], list[int | str]]:
    conditions, values = ["TRUE"], list[int | str]()
    if after is not None:
        conditions.append("(created_at, worksets.workset_id) > (?, ?)")
        values += after
    if wanted.created_after is not None:
        conditions.append("created_at >= ?")
        values.append(micros(wanted.created_after))
    if wanted.created_before is not None:
        conditions.append("created_at < ?")
        values.append(micros(wanted.created_before))
    return conditions, values


def queue(
    db: sqlite3.Connection,
    priorities: frozenset[Priority],
    now: datetime,
    after: str | None,
    limit: int,
) -> Page[Workset]:
    """The queue: each priority is read in order of its index, those whose time has come merged in."""
    position = read_position(after, int, int, str) or (0, 0, "")
    found: list[tuple[int, int, str, bytes]] = []
    for priority in sorted(priorities or Priority):
        if priority < position[0] or len(found) >= limit:
            continue
        since = position[1:] if priority == position[0] else (0, "")
        found += db.execute(
            "SELECT * FROM ("
            "  SELECT priority, created_at, workset_id, body FROM worksets"
            "  WHERE queue = 1 AND priority = ? AND (created_at, workset_id) > (?, ?)"
            "  ORDER BY created_at, workset_id LIMIT ?)"
            " UNION ALL SELECT * FROM ("
            # Left to itself, SQLite reads all worksets by age for the order.
            "  SELECT priority, created_at, workset_id, body"
            "  FROM worksets INDEXED BY worksets_waiting"
            "  WHERE available_at <= ? AND priority = ? AND (created_at, workset_id) > (?, ?)"
            "  ORDER BY created_at, workset_id LIMIT ?)"
            " ORDER BY created_at, workset_id LIMIT ?",
            (
                *(int(priority), *since, limit),
                *(micros(now), int(priority), *since, limit),
                limit - len(found),
            ),
        ).fetchall()
    worksets = tuple(decode(Workset, row[3]) for row in found)
    return Page(worksets, page_position(*found[-1][:3]) if len(found) == limit else None)


def list_waiting(
    db: sqlite3.Connection, due_before: datetime, after: str | None, limit: int
) -> Page[Workset]:
    rows = db.execute(
        "SELECT available_at, workset_id, body FROM worksets INDEXED BY worksets_waiting"
        " WHERE available_at < ? AND (available_at, workset_id) > (?, ?)"
        " ORDER BY available_at, workset_id LIMIT ?",
        (micros(due_before), *(read_position(after, int, str) or (0, "")), limit),
    ).fetchall()
    worksets = tuple(decode(Workset, row[2]) for row in rows)
    return Page(worksets, page_position(*rows[-1][:2]) if len(rows) == limit else None)


def list_held(db: sqlite3.Connection, after: str | None, limit: int) -> Page[Workset]:
    (last,) = read_position(after, str) or ("",)
    rows = db.execute(
        "SELECT workset_id, body FROM worksets WHERE has_lock = 1 AND workset_id > ?"
        " ORDER BY workset_id LIMIT ?",
        (last, limit),
    ).fetchall()
    worksets = tuple(decode(Workset, body) for _, body in rows)
    return Page(worksets, page_position(rows[-1][0]) if len(rows) == limit else None)


# --- events ---


def heads(db: sqlite3.Connection) -> Position:
    return tuple(head(db, lane) for lane in range(LANES))


def probe(db: sqlite3.Connection, position: Position) -> frozenset[int]:
    return frozenset(lane for lane, seq in enumerate(position) if head(db, lane) > seq)


def read_lane(db: sqlite3.Connection, lane: int, after: int, limit: int) -> Sequence[Event]:
    rows = db.execute(
        "SELECT body FROM events WHERE lane = ? AND seq > ? ORDER BY seq LIMIT ?",
        (lane, after, limit),
    )
    return tuple(decode(Event, body) for (body,) in rows)


def workset_events(
    db: sqlite3.Connection, workset_id: str, after_version: int, limit: int
) -> Sequence[Event]:
    rows = db.execute(
        "SELECT body FROM events WHERE workset_id = ? AND workset_id != '' AND version > ?"
        " ORDER BY version LIMIT ?",
        (workset_id, after_version, limit),
    )
    return tuple(decode(Event, body) for (body,) in rows)


def find_request(db: sqlite3.Connection, workset_id: str, request_id: str) -> Event | None:
    row = db.execute(
        "SELECT body FROM events"
        " WHERE request_id = ? AND request_id != '' AND workset_id = ? LIMIT 1",
        (request_id, workset_id),
    ).fetchone()
    return decode(Event, row[0]) if row else None


# --- clusters, customers, dependents ---


def list_clusters(db: sqlite3.Connection) -> Sequence[Cluster]:
    return tuple(map(cluster_from, db.execute(f"{CLUSTERS} ORDER BY cluster_name")))


def list_customers(db: sqlite3.Connection) -> Sequence[Customer]:
    return tuple(map(customer_from, db.execute(f"{CUSTOMERS} ORDER BY customer_id")))


def list_dependents(
    db: sqlite3.Connection, workset_id: str, after: str | None, limit: int
) -> Page[str]:
    (last,) = read_position(after, str) or ("",)
    ids = tuple(
        found
        for (found,) in db.execute(
            "SELECT workset_id FROM dependents WHERE depends_on = ? AND workset_id > ?"
            " ORDER BY workset_id LIMIT ?",
            (workset_id, last, limit),
        )
    )
    return Page(ids, page_position(ids[-1]) if len(ids) == limit else None)
