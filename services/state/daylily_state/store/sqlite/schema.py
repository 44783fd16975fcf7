"""The file: its tables, and how it is opened.

A record is kept whole in `body`; columns beside it are copies that an index or a condition needs.
Times are whole microseconds since 1970.
"""

import sqlite3
from pathlib import Path
from typing import Final

SCHEMA_VERSION: Final = 1

# How long a connection waits for another process that writes, milliseconds.
_BUSY_TIMEOUT_MS: Final = 5_000

# `queue` is the state's number, 0 for READY that waits. `available_at` is set where time alone is
# waited for. A renewal changes `body` only, so it touches no index.
_TABLES: Final = """
CREATE TABLE worksets (
    workset_id TEXT PRIMARY KEY,
    queue INTEGER NOT NULL,
    priority INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    available_at INTEGER,
    has_lock INTEGER NOT NULL,
    body BLOB NOT NULL
) WITHOUT ROWID;
CREATE INDEX worksets_queue ON worksets (queue, priority, created_at, workset_id);
CREATE INDEX worksets_created ON worksets (created_at, workset_id);
CREATE INDEX worksets_waiting ON worksets (available_at) WHERE available_at IS NOT NULL;
CREATE INDEX worksets_held ON worksets (workset_id) WHERE has_lock = 1;

CREATE TABLE details (workset_id TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE metadata (workset_id TEXT PRIMARY KEY, body TEXT NOT NULL);
CREATE TABLE results (workset_id TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE log_tails (workset_id TEXT PRIMARY KEY, token INTEGER NOT NULL, text TEXT NOT NULL);
CREATE TABLE dependents (
    depends_on TEXT NOT NULL, workset_id TEXT NOT NULL, PRIMARY KEY (depends_on, workset_id)
) WITHOUT ROWID;

CREATE TABLE events (
    lane INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    event_id TEXT NOT NULL,
    workset_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    request_id TEXT NOT NULL,
    body BLOB NOT NULL,
    PRIMARY KEY (lane, seq)
) WITHOUT ROWID;
CREATE UNIQUE INDEX events_of_workset ON events (workset_id, version) WHERE workset_id != '';
CREATE INDEX events_of_request ON events (request_id, workset_id) WHERE request_id != '';

CREATE TABLE requests (
    request_id TEXT PRIMARY KEY, expires_at INTEGER NOT NULL, body BLOB NOT NULL
);
CREATE INDEX requests_expiry ON requests (expires_at);

CREATE TABLE clusters (
    cluster_name TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    vcpus INTEGER NOT NULL DEFAULT 0,
    memory_mb INTEGER NOT NULL DEFAULT 0,
    storage_mb INTEGER NOT NULL DEFAULT 0,
    slots INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL
);
CREATE TABLE customers (
    customer_id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    running INTEGER NOT NULL DEFAULT 0,
    committed_cents INTEGER NOT NULL DEFAULT 0,
    spent_cents INTEGER NOT NULL DEFAULT 0,
    body BLOB NOT NULL
);

CREATE TABLE consumers (name TEXT PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE snapshots (name TEXT PRIMARY KEY, body BLOB NOT NULL);
CREATE TABLE deliveries (
    delivery_id TEXT PRIMARY KEY,
    channel TEXT NOT NULL,
    state INTEGER NOT NULL,
    due_at INTEGER,
    created_at INTEGER NOT NULL,
    workset_id TEXT NOT NULL,
    version INTEGER NOT NULL,
    body BLOB NOT NULL
);
CREATE INDEX deliveries_due ON deliveries (channel, due_at, delivery_id) WHERE due_at IS NOT NULL;
CREATE INDEX deliveries_created ON deliveries (created_at, delivery_id);
CREATE INDEX deliveries_of_workset ON deliveries (workset_id, created_at, delivery_id);
CREATE TABLE episodes (episode_id TEXT PRIMARY KEY, version INTEGER NOT NULL, body BLOB NOT NULL);
CREATE TABLE heartbeats (replica_id TEXT PRIMARY KEY, beats INTEGER NOT NULL);
"""


class SchemaError(Exception):
    """The file was written by another version of this program."""


def connect(path: Path) -> sqlite3.Connection:
    """Open the file. A commit is on disk when it returns (WAL, synchronous FULL)."""
    connection = sqlite3.connect(
        path, timeout=_BUSY_TIMEOUT_MS / 1000, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def create(connection: sqlite3.Connection) -> None:
    """Make the tables if the file is new.

    Raises:
        SchemaError: the file has tables of another version.
    """
    connection.execute("BEGIN IMMEDIATE")
    try:
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        _check(version)
        if version == 0:
            for statement in _TABLES.split(";\n"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise


def _check(version: int) -> None:
    if version not in {0, SCHEMA_VERSION}:
        raise SchemaError(
            f"The store has schema {version}; this program knows {SCHEMA_VERSION}. Use the "
            "version of daylily-state that wrote it, or start with a new file."
        )
