"""What the benchmarks load in bulk is what registering leaves, row by row."""

import asyncio
import sqlite3
from datetime import UTC, datetime

import pytest

from benchmarks.loading import APART, fill_dynamodb, fill_sqlite, registrations
from daylily_runtime.testing import ManualClock
from daylily_state.app.deciding import Decider
from daylily_state.app.worksets import Worksets
from daylily_state.domain.model import LANES
from daylily_state.domain.retries import RetryPolicy
from daylily_state.ports import Store
from daylily_state.store.dynamodb import DynamoDBStore
from daylily_state.store.dynamodb.tables import TABLES
from daylily_state.store.sqlite import SqliteStore
from tests.support.stores import dynamodb_settings, own_prefix

BEGIN = datetime(2026, 3, 1, 12, tzinfo=UTC)
NUMBER = 60


class SqliteFile:
    def __init__(self, folder) -> None:
        self.folder = folder

    def open(self, name) -> SqliteStore:
        return SqliteStore(self.folder / name)

    def fill(self, name, number, first=0) -> None:
        fill_sqlite(self.folder / name, number, first=first, begin=BEGIN + first * APART)

    def rows(self, name):
        """Every row of every table as text, but for what is drawn by lot."""
        db = sqlite3.connect(self.folder / name)
        tables = db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall()
        found = {table: db.execute(f"SELECT * FROM {table}").fetchall() for (table,) in tables}
        lots = [row[0] for row in db.execute("SELECT event_id FROM events")]
        db.close()
        return {table: _without(lots, rows) for table, rows in found.items()}


class Local:
    def __init__(self, engine) -> None:
        self.engine = engine
        self.prefixes: dict[str, str] = {}

    def prefix(self, name) -> str:
        return self.prefixes.setdefault(name, own_prefix())

    def open(self, name) -> DynamoDBStore:
        return DynamoDBStore(dynamodb_settings(self.engine, self.prefix(name)))

    def fill(self, name, number, first=0) -> None:
        begin = BEGIN + first * APART
        fill_dynamodb(self.engine, self.prefix(name), number, first=first, begin=begin)

    def rows(self, name):
        client = self.engine.client()
        found = {
            table: client.scan(TableName=self.prefix(name) + table)["Items"] for table in TABLES
        }
        lots = [item["i"]["S"] for item in found["events"]]
        return {table: _without(lots, rows) for table, rows in found.items()}


def _without(lots, rows):
    texts = []
    for row in rows:
        text = repr(sorted(row.items()) if isinstance(row, dict) else row)
        for lot in lots:
            text = text.replace(lot, "…")
        texts.append(text)
    return sorted(texts)


@pytest.fixture(params=["sqlite", "dynamodb_local"])
def engine(request, tmp_path):
    if request.param == "sqlite":
        return SqliteFile(tmp_path)
    return Local(request.getfixturevalue("dynamodb_local"))


async def register_all(store: Store) -> None:
    """As the service does, one after the other."""
    clock = ManualClock(BEGIN)
    decider = Decider(store, clock, lambda event: None)
    worksets = Worksets(store, decider, clock, RetryPolicy(infrastructure_bound=2))
    for command in registrations(NUMBER):
        await worksets.register(command)
        clock.tick(APART.total_seconds())


async def test_loaded_rows_are_those_of_registered_worksets(engine) -> None:
    store = engine.open("registered")
    await store.create_tables()
    await register_all(store)
    await store.close()
    await asyncio.to_thread(engine.fill, "loaded", NUMBER)
    registered, loaded = engine.rows("registered"), engine.rows("loaded")
    assert registered["worksets"]
    assert loaded == registered


async def test_lanes_stay_gapless_when_more_is_loaded_and_registered(engine) -> None:
    await asyncio.to_thread(engine.fill, "twice", NUMBER // 2)
    await asyncio.to_thread(engine.fill, "twice", NUMBER // 2, NUMBER // 2)
    store = engine.open("twice")
    heads = await store.heads()
    assert sum(heads) == NUMBER
    for lane in range(LANES):
        events = await store.read_lane(lane, 0, NUMBER, strong=True)
        assert [event.seq for event in events] == list(range(1, heads[lane] + 1))
    await store.close()
