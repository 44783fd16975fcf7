"""A store for one run, of the kind that was asked for, with any number of worksets in it."""

import argparse
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.loading import fill_dynamodb, fill_sqlite
from benchmarks.processes import on_dynamodb, on_sqlite
from benchmarks.read_units import ReadUnits, counting_reads
from daylily_state.domain.model import Workset, WorksetState
from daylily_state.domain.records import Snapshot
from daylily_state.ports import Store
from daylily_state.store.dynamodb import DynamoDBStore
from daylily_state.store.dynamodb.tables import WORKSETS
from daylily_state.store.dynamodb.worksets import workset_from
from daylily_state.store.sqlite import SqliteStore
from daylily_state.store.sqlite.codec import decode
from tests.support.dynamodb_local import DynamoDBLocal, run_dynamodb_local
from tests.support.stores import dynamodb_settings

KINDS = ("dynamodb", "sqlite")
FILE = "bench.db"


def add_store_option(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--store", choices=KINDS, default=KINDS[0], help="DynamoDB Local, or a SQLite file"
    )


_KEYS_AT_ONCE = 100  # of a BatchGetItem


@dataclass(frozen=True)
class Filled:
    """A store with so many worksets; `settings` tell state to use it."""

    worksets: int
    settings: Mapping[str, str]
    place: "Path | tuple[DynamoDBLocal, str]"

    async def snapshot(self, name: str) -> Snapshot | None:
        """A checkpoint that a service has left there."""
        store = self._open()
        try:
            return await store.get_snapshot(name)
        finally:
            await store.close()

    async def standing(self, now: datetime) -> tuple[Mapping[tuple[int, int], int], int, int]:
        """How many rows there are by state and priority, and of the READY ones, how many can start
        at this time (UTC) and how many cannot. Every row is read.
        """
        counts: Counter[tuple[int, int]] = Counter()
        can_start = 0
        for workset in self._rows():
            counts[int(workset.state), int(workset.priority)] += 1
            can_start += workset.can_start(now.replace(tzinfo=UTC))
        ready = sum(n for (state, _), n in counts.items() if state == WorksetState.READY)
        return counts, can_start, ready - can_start

    @contextmanager
    def counting_reads(self) -> Iterator[ReadUnits | None]:
        """What reads of the store through a proxy cost; None for a store that has no units."""
        if isinstance(self.place, Path):
            yield None
        else:
            with counting_reads(self.place[0]) as counted:
                yield counted

    def _open(self) -> Store:
        if isinstance(self.place, Path):
            return SqliteStore(self.place)
        return DynamoDBStore(dynamodb_settings(*self.place))

    def _rows(self) -> Iterable[Workset]:
        if isinstance(self.place, Path):
            db = sqlite3.connect(self.place)
            yield from (
                decode(Workset, body) for (body,) in db.execute("SELECT body FROM worksets")
            )
            db.close()
        else:
            # By their keys, as DynamoDB Local fails to scan a table of this size.
            local, prefix = self.place
            client, table = local.client(), f"{prefix}{WORKSETS}"
            for first in range(0, self.worksets, _KEYS_AT_ONCE):
                keys = [
                    {"id": {"S": f"ws-{number}"}}
                    for number in range(first, min(first + _KEYS_AT_ONCE, self.worksets))
                ]
                answer = client.batch_get_item(
                    RequestItems={table: {"Keys": keys, "ConsistentRead": True}}
                )
                if answer["UnprocessedKeys"] or len(answer["Responses"][table]) != len(keys):
                    raise RuntimeError(f"not every row from ws-{first} on could be read")
                yield from map(workset_from, answer["Responses"][table])


@dataclass(frozen=True)
class Stores:
    """Stores apart from each other by their names, in one DynamoDB Local or one folder."""

    folder: Path
    local: DynamoDBLocal | None

    def filled(self, name: str, worksets: int) -> Filled:
        """One more store, with so many READY worksets."""
        if self.local is not None:
            prefix = f"{name}-"
            fill_dynamodb(self.local, prefix, worksets)
            return Filled(worksets, on_dynamodb(self.local, prefix), (self.local, prefix))
        folder = self.folder / name
        folder.mkdir()
        fill_sqlite(folder / FILE, worksets)
        return Filled(worksets, on_sqlite(folder), folder / FILE)


@contextmanager
def stores(kind: str, folder: Path) -> Iterator[Stores]:
    """Stores of this kind; all that is in them ends with the block."""
    with ExitStack() as stack:
        local = stack.enter_context(run_dynamodb_local()) if kind == "dynamodb" else None
        yield Stores(folder, local)
