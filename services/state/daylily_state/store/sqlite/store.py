"""The store port over one SQLite file."""

import queue as queues
import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Concatenate, ParamSpec, TypeVar

from daylily_runtime import Offload, OffloadClosedError, OffloadSaturatedError, OffloadTimeoutError
from daylily_state.domain.commit import Commit, CommitOutcome
from daylily_state.domain.errors import OutcomeUnknownError, StoreUnavailableError
from daylily_state.domain.events import Event
from daylily_state.domain.filters import DeliveryFilter, WorksetFilter
from daylily_state.domain.model import Cluster, Customer, Priority, Workset
from daylily_state.domain.records import Consumer, Delivery, Episode, Position, Snapshot
from daylily_state.ports import Page, ReadSet, Rows, Touch
from daylily_state.store.sqlite import commits, queries, records, rows, schema

P = ParamSpec("P")
T = TypeVar("T")

_READERS = 2
_WAITING = 512
# A local file that does not answer for this long is as good as gone (a full or failing disk).
_READ_SECONDS = 5.0
_WRITE_SECONDS = 5.0
_RETRY_AFTER = timedelta(seconds=1)


class SqliteStore:
    """Everything in one file: durable, one writer at a time, readers beside it (WAL).

    Implements `daylily_state.ports.Store`; call `create_tables` first. One thread writes, two read.
    Several processes may open the same file, but none wakes the other's feed.

    Args:
        path: of the file; its folder must exist.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer = Offload(workers=1, waiting=_WAITING, name="sqlite-writer")
        self._readers = Offload(workers=_READERS, waiting=_WAITING, name="sqlite-reader")
        self._write_connections: queues.SimpleQueue[sqlite3.Connection] = queues.SimpleQueue()
        self._read_connections: queues.SimpleQueue[sqlite3.Connection] = queues.SimpleQueue()

    # --- the two ways to the file ---

    async def _write(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `work` in a write transaction of its own.

        Raises:
            StoreUnavailableError: nothing was written.
            OutcomeUnknownError: it had begun and did not end in time.
        """
        return await self._write_within(_WRITE_SECONDS, "", work, *args, **kwargs)

    async def _write_within(
        self,
        seconds: float,
        what: str,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        def transaction() -> T:
            with _Borrowed(self._write_connections, self._path) as db:
                db.execute("BEGIN IMMEDIATE")
                try:
                    result = work(db, *args, **kwargs)
                    db.execute("COMMIT")
                except BaseException:
                    if db.in_transaction:
                        db.execute("ROLLBACK")
                    raise
                return result

        try:
            return await self._writer.run_within(seconds, transaction)
        except OffloadTimeoutError as error:
            if error.started:
                raise OutcomeUnknownError(event_id=what) from error
            raise StoreUnavailableError(retry_after=_RETRY_AFTER) from error
        except (OffloadSaturatedError, OffloadClosedError, sqlite3.OperationalError) as error:
            raise StoreUnavailableError(retry_after=_RETRY_AFTER) from error

    async def _read(
        self,
        work: Callable[Concatenate[sqlite3.Connection, P], T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `work` on one snapshot of the file.

        Raises:
            StoreUnavailableError: the file does not answer.
        """

        def snapshot() -> T:
            with _Borrowed(self._read_connections, self._path) as db:
                db.execute("BEGIN")
                try:
                    return work(db, *args, **kwargs)
                finally:
                    db.execute("ROLLBACK")

        try:
            return await self._readers.run_within(_READ_SECONDS, snapshot)
        except (
            OffloadTimeoutError,
            OffloadSaturatedError,
            OffloadClosedError,
            sqlite3.OperationalError,
        ) as error:
            raise StoreUnavailableError(retry_after=_RETRY_AFTER) from error

    # --- worksets, clusters, customers, events: loading and deciding ---

    async def read(self, wanted: ReadSet) -> Rows:
        return await self._read(rows.read_rows, wanted)

    async def commit(self, commit: Commit, timeout: timedelta) -> CommitOutcome:
        return await self._write_within(
            timeout.total_seconds(), commit.event.event_id, commits.apply, commit
        )

    async def touch(self, touch: Touch) -> Workset | None:
        return await self._write(commits.touch, touch)

    async def find_request(self, workset_id: str, request_id: str) -> Event | None:
        return await self._read(queries.find_request, workset_id, request_id)

    async def promote(self, workset_id: str, available_at: datetime) -> bool:
        return await self._write(commits.promote, workset_id, available_at)

    # --- lists ---

    async def list_worksets(
        self, wanted: WorksetFilter, after: str | None, limit: int
    ) -> Page[Workset]:
        return await self._read(queries.list_worksets, wanted, after, limit)

    async def queue(
        self,
        priorities: frozenset[Priority],
        now: datetime,
        after: str | None,
        limit: int,
    ) -> Page[Workset]:
        return await self._read(queries.queue, priorities, now, after, limit)

    async def list_waiting(
        self, due_before: datetime, after: str | None, limit: int
    ) -> Page[Workset]:
        return await self._read(queries.list_waiting, due_before, after, limit)

    async def list_held(self, after: str | None, limit: int) -> Page[Workset]:
        return await self._read(queries.list_held, after, limit)

    # --- the feed ---

    async def heads(self) -> Position:
        return await self._read(queries.heads)

    async def probe(self, position: Position) -> frozenset[int]:
        return await self._read(queries.probe, position)

    async def read_lane(
        self,
        lane: int,
        after: int,
        limit: int,
        *,
        strong: bool = False,  # noqa: ARG002 — every read of the file is
    ) -> Sequence[Event]:
        return await self._read(queries.read_lane, lane, after, limit)

    async def workset_events(
        self, workset_id: str, after_version: int, limit: int
    ) -> Sequence[Event]:
        return await self._read(queries.workset_events, workset_id, after_version, limit)

    # --- clusters, customers, dependencies, log tails ---

    async def list_clusters(self) -> Sequence[Cluster]:
        return await self._read(queries.list_clusters)

    async def list_customers(self) -> Sequence[Customer]:
        return await self._read(queries.list_customers)

    async def add_dependents(self, workset_id: str, depends_on: Sequence[str]) -> None:
        def insert(db: sqlite3.Connection) -> None:
            db.executemany(
                "INSERT OR IGNORE INTO dependents VALUES (?, ?)",
                [(dependency, workset_id) for dependency in depends_on],
            )

        await self._write(insert)

    async def list_dependents(self, workset_id: str, after: str | None, limit: int) -> Page[str]:
        return await self._read(queries.list_dependents, workset_id, after, limit)

    async def put_log_tail(self, workset_id: str, lock_token: int, text: str) -> None:
        def put(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO log_tails VALUES (?, ?, ?) ON CONFLICT DO UPDATE"
                " SET token = excluded.token, text = excluded.text"
                " WHERE excluded.token >= token",
                (workset_id, lock_token, text),
            )

        await self._write(put)

    async def get_log_tail(self, workset_id: str) -> str:
        def get(db: sqlite3.Connection) -> str:
            row = db.execute(
                "SELECT text FROM log_tails WHERE workset_id = ?", (workset_id,)
            ).fetchone()
            return row[0] if row else ""

        return await self._read(get)

    # --- records ---

    async def get_consumer(self, name: str) -> Consumer | None:
        return await self._read(records.get_consumer, name)

    async def put_consumer(self, consumer: Consumer) -> bool:
        return await self._write(records.put_consumer, consumer)

    async def get_snapshot(self, name: str) -> Snapshot | None:
        return await self._read(records.get_snapshot, name)

    async def put_snapshot(self, snapshot: Snapshot) -> None:
        await self._write(records.put_snapshot, snapshot)

    async def add_deliveries(self, deliveries: Sequence[Delivery]) -> int:
        return await self._write(records.add_deliveries, deliveries)

    async def get_delivery(self, delivery_id: str) -> Delivery | None:
        return await self._read(records.get_delivery, delivery_id)

    async def put_delivery(self, delivery: Delivery) -> bool:
        return await self._write(records.put_delivery, delivery)

    async def due_deliveries(self, channel: str, limit: int) -> Sequence[Delivery]:
        return await self._read(records.due_deliveries, channel, limit)

    async def list_deliveries(
        self, wanted: DeliveryFilter, after: str | None, limit: int
    ) -> Page[Delivery]:
        return await self._read(records.list_deliveries, wanted, after, limit)

    async def get_episode(self, episode_id: str) -> Episode | None:
        return await self._read(records.get_episode, episode_id)

    async def put_episode(self, episode: Episode) -> bool:
        return await self._write(records.put_episode, episode)

    # --- the store itself ---

    async def heartbeat(self, replica_id: str) -> datetime | None:
        def beat(db: sqlite3.Connection) -> None:
            db.execute(
                "INSERT INTO heartbeats VALUES (?, 1) ON CONFLICT DO UPDATE SET beats = beats + 1",
                (replica_id,),
            )

        await self._write(beat)
        return None  # the file has no clock of its own

    async def create_tables(self) -> None:
        def create() -> None:
            with _Borrowed(self._write_connections, self._path) as db:
                schema.create(db)

        try:
            await self._writer.run_within(_WRITE_SECONDS, create)
        except (OffloadTimeoutError, sqlite3.OperationalError) as error:
            raise StoreUnavailableError(retry_after=_RETRY_AFTER) from error
        except sqlite3.DatabaseError as error:
            raise schema.SchemaError(f"It is no store of daylily-state ({error}).") from error

    async def close(self) -> None:
        await self._writer.close()
        await self._readers.close()
        for connections in (self._read_connections, self._write_connections):
            while not connections.empty():
                connections.get_nowait().close()


class _Borrowed:
    """A connection for one piece of work, opened on first need and kept for the next."""

    def __init__(self, kept: "queues.SimpleQueue[sqlite3.Connection]", path: Path) -> None:
        self._kept = kept
        self._path = path

    def __enter__(self) -> sqlite3.Connection:
        try:
            self._connection = self._kept.get_nowait()
        except queues.Empty:
            self._connection = schema.connect(self._path)
        return self._connection

    def __exit__(self, *_: object) -> None:
        self._kept.put(self._connection)
