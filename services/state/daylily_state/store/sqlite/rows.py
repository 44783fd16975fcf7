"""Single rows: reading them by key, and writing worksets, clusters and customers."""

import json
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import replace

from daylily_state.domain.commit import RequestRow
from daylily_state.domain.events import Event
from daylily_state.domain.model import (
    Amount,
    Cluster,
    Customer,
    Details,
    Results,
    Workset,
    WorksetState,
)
from daylily_state.ports import ReadSet, Rows
from daylily_state.store.sqlite.codec import decode, encode, micros, micros_or_none

_AMONG = "IN (SELECT value FROM json_each(?))"
WAITING = 0
_NOTHING = Amount()


def read_rows(db: sqlite3.Connection, wanted: ReadSet) -> Rows:
    """What a ReadSet asks for; the caller holds a read transaction."""
    return Rows(
        worksets={
            key: decode(Workset, body)
            for key, body in _by_key(
                db, "SELECT workset_id, body FROM worksets WHERE workset_id", wanted.worksets
            )
        },
        details={
            key: decode(Details, body)
            for key, body in _by_key(
                db, "SELECT workset_id, body FROM details WHERE workset_id", wanted.details
            )
        },
        metadata=dict(
            _by_key(db, "SELECT workset_id, body FROM metadata WHERE workset_id", wanted.metadata)
        ),
        results={
            key: decode(Results, body)
            for key, body in _by_key(
                db, "SELECT workset_id, body FROM results WHERE workset_id", wanted.results
            )
        },
        clusters={
            row[0]: cluster_from(row)
            for row in _by_key(db, f"{CLUSTERS} WHERE cluster_name", wanted.clusters)
        },
        customers={
            row[0]: customer_from(row)
            for row in _by_key(db, f"{CUSTOMERS} WHERE customer_id", wanted.customers)
        },
        requests={
            key: decode(RequestRow, body)
            for key, body in _by_key(
                db, "SELECT request_id, body FROM requests WHERE request_id", wanted.requests
            )
        },
        heads={lane: head(db, lane) for lane in wanted.lanes},
    )


def _by_key(db: sqlite3.Connection, select: str, keys: Sequence[str]) -> Sequence[tuple]:  # type: ignore[type-arg]
    if not keys:
        return ()
    return db.execute(f"{select} {_AMONG}", (json.dumps(list(keys)),)).fetchall()


def head(db: sqlite3.Connection, lane: int) -> int:
    """The last slot in use of a lane, 0 when it is empty."""
    (found,) = db.execute("SELECT max(seq) FROM events WHERE lane = ?", (lane,)).fetchone()
    return found or 0


# --- worksets ---


def load_workset(db: sqlite3.Connection, workset_id: str) -> Workset | None:
    row = db.execute("SELECT body FROM worksets WHERE workset_id = ?", (workset_id,)).fetchone()
    return decode(Workset, row[0]) if row else None


def save_workset(db: sqlite3.Connection, workset: Workset) -> None:
    """Write the row whole: the writer holds the file, so nobody else has changed it meanwhile."""
    waits_for_time = workset.state is WorksetState.READY and workset.dependencies_met
    db.execute(
        "INSERT OR REPLACE INTO worksets VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            workset.workset_id,
            WAITING if workset.waits else int(workset.state),
            int(workset.priority),
            micros(workset.created_at),
            micros_or_none(workset.available_at) if waits_for_time else None,
            workset.lock is not None,
            encode(workset),
        ),
    )


def save_workset_body(db: sqlite3.Connection, workset: Workset) -> None:
    """Write a row of which no indexed column changed."""
    db.execute(
        "UPDATE worksets SET body = ? WHERE workset_id = ?", (encode(workset), workset.workset_id)
    )


def save_parts(
    db: sqlite3.Connection,
    workset_id: str,
    details: Details | None,
    metadata: str | None,
    results: Results | None,
) -> None:
    parts: Mapping[str, object | None] = {
        "details": details and encode(details),
        "metadata": metadata,
        "results": results and encode(results),
    }
    for table, body in parts.items():
        if body is not None:
            db.execute(f"INSERT OR REPLACE INTO {table} VALUES (?, ?)", (workset_id, body))


def save_event(db: sqlite3.Connection, event: Event) -> None:
    db.execute(
        "INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?)",
        (
            event.lane,
            event.seq,
            event.event_id,
            event.workset_id,
            event.version,
            event.request_id,
            encode(event),
        ),
    )


# --- clusters and customers: use is kept in columns of its own ---

CLUSTERS = "SELECT cluster_name, vcpus, memory_mb, storage_mb, slots, body FROM clusters"
CUSTOMERS = "SELECT customer_id, running, committed_cents, spent_cents, body FROM customers"


def cluster_from(row: tuple) -> Cluster:  # type: ignore[type-arg]
    _, *reserved, body = row
    return replace(decode(Cluster, body), reserved=Amount(*reserved))


def load_cluster(db: sqlite3.Connection, cluster_name: str) -> Cluster | None:
    row = db.execute(f"{CLUSTERS} WHERE cluster_name = ?", (cluster_name,)).fetchone()
    return cluster_from(row) if row else None


def save_cluster(db: sqlite3.Connection, cluster: Cluster) -> None:
    """Write everything but what is reserved."""
    db.execute(
        "INSERT INTO clusters (cluster_name, version, body) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET version = excluded.version, body = excluded.body",
        (cluster.cluster_name, cluster.version, encode(replace(cluster, reserved=_NOTHING))),
    )


def customer_from(row: tuple) -> Customer:  # type: ignore[type-arg]
    _, running, committed, spent, body = row
    return replace(
        decode(Customer, body), running=running, committed_cents=committed, spent_cents=spent
    )


def load_customer(db: sqlite3.Connection, customer_id: str) -> Customer | None:
    row = db.execute(f"{CUSTOMERS} WHERE customer_id = ?", (customer_id,)).fetchone()
    return customer_from(row) if row else None


def save_customer(db: sqlite3.Connection, customer: Customer) -> None:
    """Write everything but the use."""
    bare = replace(customer, running=0, committed_cents=0, spent_cents=0)
    db.execute(
        "INSERT INTO customers (customer_id, version, body) VALUES (?, ?, ?)"
        " ON CONFLICT DO UPDATE SET version = excluded.version, body = excluded.body",
        (customer.customer_id, customer.version, encode(bare)),
    )
