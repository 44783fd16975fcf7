"""The reads and writes of AcquireLock sent by plain loops through PynamoDB: `python -m benchmarks.bare`.

Nothing is decided and nobody is asked. What each loop sends was worked out before by state's own
domain, so it is what state would send, item by item; the loop reads the batch, has PynamoDB build the
transaction, and sends it. Each loop has a lane of the feed to itself, so none takes another's slot.

A process of its own that speaks in lines of JSON: told how many locks each loop is to take it
registers so many worksets and says that it is ready; told to go on, it says what the loops took.
"""

import argparse
import asyncio
import json
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from itertools import repeat
from typing import Any

from pynamodb.connection import Connection

from benchmarks.measure import Took
from benchmarks.processes import Services
from daylily_state.domain import locking, registering
from daylily_state.domain.commands import Acquire, PutCluster, Register
from daylily_state.domain.commit import Commit, RequestRow
from daylily_state.domain.limits import MEMORY_MB_MAX, SLOTS_MAX, VCPUS_MAX
from daylily_state.domain.locking import Surroundings
from daylily_state.domain.model import Amount, Cluster, Details, Requirements, Workset
from daylily_state.domain.moment import Moment
from daylily_state.domain.pools import put_cluster
from daylily_state.domain.requests import REQUEST_ROW_TTL
from daylily_state.store.dynamodb import DynamoDBSettings, DynamoDBStore
from daylily_state.store.dynamodb.client import Client, meta_table
from daylily_state.store.dynamodb.tables import (
    CLUSTERS,
    DETAILS,
    EVENTS,
    REQUESTS,
    TABLES,
    WORKSETS,
)
from daylily_state.store.dynamodb.transaction import Transaction, transaction_of
from tests.support.dynamodb_local import DynamoDBLocal

LEASE = timedelta(seconds=900)
VCPUS, MEMORY_MB = 1, 4 * 1024
ACTOR = "anonymous"  # what state writes down for callers who say no name
FIRST_LANE = 100  # the feed has none so high


class BareLoops:
    """The process, as its parent sees it."""

    def __init__(
        self, running: Services, local: DynamoDBLocal, *, loops: int, on_cluster: bool
    ) -> None:
        arguments = ["--endpoint", local.endpoint_url, "--loops", str(loops)]
        if on_cluster:
            arguments.append("--on-cluster")
        self._process = running.run("benchmarks.bare", *arguments)
        self._told()  # its tables are made

    def run(self, each: int) -> Took:
        """One round: every loop takes so many locks. Registering is not measured."""
        self._tell(each)
        self._told()
        self._tell(0)
        answer = self._told()
        return Took(answer["each"], answer["seconds"])

    def _tell(self, number: int) -> None:
        assert self._process.stdin is not None
        print(json.dumps(number), file=self._process.stdin, flush=True)

    def _told(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"the bare loops ended with code {self._process.wait()}")
        told: dict[str, Any] = json.loads(line)
        return told


@dataclass(frozen=True)
class Lock:
    """One lock to be taken: the keys of what is read, and what is written."""

    reads: Mapping[str, Any]
    writes: Transaction


@dataclass
class Loop:
    """One loop: its lane of the feed, how far it is, and its cluster if it has one.

    It sends through a connection as PynamoDB makes it, without what state does to make it faster.
    """

    client: Client
    plain: Connection
    lane: int
    cluster: Cluster | None
    head: int = 0

    def prepare(self, count: int) -> list[Lock]:
        """Register so many worksets, then work out how their locks are taken."""
        registered = [self._register() for _ in range(count)]
        return [self._lock(workset, details) for workset, details in registered]

    def take(self, lock: Lock) -> float:
        """Read and write; seconds."""
        begun = time.perf_counter()
        self.plain.dispatch("BatchGetItem", {"RequestItems": dict(lock.reads)})
        lock.writes.send(self.client, self.plain)
        return time.perf_counter() - begun

    def _register(self) -> tuple[Workset, Details]:
        workset_id = f"ws-{self.lane}-{self.head}"
        commit = registering.register(
            None,
            {},
            Register(
                workset_id=workset_id,
                bucket="lab",
                prefix=f"runs/{workset_id}/",
                requirements=Requirements(vcpus=VCPUS, memory_mb=MEMORY_MB),
                request_id=uuid.uuid4().hex,
                actor=ACTOR,
            ),
            self._moment(),
        )
        assert commit.workset is not None
        assert commit.details is not None
        workset = replace(commit.workset.after, lane=self.lane)
        self._write(
            replace(
                commit,
                event=replace(commit.event, lane=self.lane),
                workset=replace(commit.workset, after=workset),
            )
        )
        return workset, commit.details

    def _lock(self, workset: Workset, details: Details) -> Lock:
        moment = self._moment()
        command = Acquire(
            workset_id=workset.workset_id,
            owner_id=f"loop-{self.lane}",
            lease=LEASE,
            cluster_name=self.cluster.cluster_name if self.cluster else "",
            request_id=uuid.uuid4().hex,
            actor=ACTOR,
        )
        commit = locking.acquire(
            workset, details, Surroundings({}, self.cluster, None), command, moment
        )
        row = RequestRow(
            request_id=command.request_id,
            subject_id=workset.workset_id,
            lane=self.lane,
            seq=moment.seq,
            expires_at=moment.now + REQUEST_ROW_TTL,
        )
        return Lock(
            reads=self._batch(
                (WORKSETS, workset.workset_id, None),
                (DETAILS, workset.workset_id, "details"),
                *([(CLUSTERS, command.cluster_name, None)] if self.cluster else []),
                (REQUESTS, command.request_id, None),
                (EVENTS, str(self.lane), str(moment.seq)),
            ),
            writes=transaction_of(replace(commit, request=row)),
        )

    def _batch(self, *rows: tuple[str, str, str | None]) -> dict[str, Any]:
        batch = {}
        for table, hash_key, range_key in rows:
            name = self.client.table(table)
            key = self.plain.get_identifier_map(name, hash_key, range_key)["Key"]
            batch[name] = {"ConsistentRead": True, "Keys": [key]}
        return batch

    def _moment(self) -> Moment:
        moment = Moment(datetime.now(UTC), uuid.uuid4().hex, self.head, dice=0.5)
        self.head += 1
        return moment

    def _write(self, commit: Commit) -> None:
        self.client.once(lambda db: transaction_of(commit).send(self.client, db))


def loop_on(client: Client, plain: Connection, number: int, *, on_cluster: bool) -> Loop:
    """The loop of this number; its cluster, if it is to have one, is put there."""
    loop = Loop(client, plain, FIRST_LANE + number, None)
    if on_cluster:
        command = PutCluster(
            cluster_name=f"bare-{number}",
            region="us-west-2",
            capacity=Amount(VCPUS_MAX, MEMORY_MB_MAX, 0, SLOTS_MAX),
        )
        commit = put_cluster(None, command, loop._moment())  # noqa: SLF001
        assert commit.cluster is not None
        loop.cluster = commit.cluster.after
        loop._write(replace(commit, event=replace(commit.event, lane=loop.lane)))  # noqa: SLF001
    return loop


def _serve(loops: Sequence[Loop]) -> None:
    _say({})
    with ThreadPoolExecutor(len(loops)) as threads:
        for line in sys.stdin:
            count = json.loads(line)
            prepared = list(threads.map(Loop.prepare, loops, repeat(count)))
            _say({})
            sys.stdin.readline()
            begun = time.perf_counter()
            took = threads.map(_take_all, loops, prepared)
            each = [seconds for some in took for seconds in some]
            _say({"each": each, "seconds": time.perf_counter() - begun})


def _take_all(loop: Loop, locks: Sequence[Lock]) -> list[float]:
    return [loop.take(lock) for lock in locks]


def _say(said: Mapping[str, object]) -> None:
    print(json.dumps(said), flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(prog="benchmarks.bare")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--loops", type=int, required=True)
    parser.add_argument("--on-cluster", action="store_true")
    given = parser.parse_args()
    settings = DynamoDBSettings(
        region=DynamoDBLocal.region,
        prefix=f"bare-{uuid.uuid4().hex[:8]}-",
        endpoint_url=given.endpoint,
        access_key_id=DynamoDBLocal.access_key_id,
        secret_access_key=DynamoDBLocal.secret_access_key,
        connections=given.loops,
    )
    asyncio.run(_create_tables(settings))
    client = Client(settings)
    plain = plain_connection(settings, client)
    loops = [
        loop_on(client, plain, number, on_cluster=given.on_cluster) for number in range(given.loops)
    ]
    _serve(loops)


def plain_connection(settings: DynamoDBSettings, client: Client) -> Connection:
    """A connection as PynamoDB makes it, to the tables of this client."""
    plain = Connection(
        region=settings.region,
        host=settings.endpoint_url,
        max_pool_connections=settings.connections,
        aws_access_key_id=settings.access_key_id,
        aws_secret_access_key=settings.secret_access_key,
    )
    for name, model in TABLES.items():
        plain.add_meta_table(meta_table(client.table(name), model))
    _ = plain.client  # threads must not make it at the same time
    return plain


async def _create_tables(settings: DynamoDBSettings) -> None:
    store = DynamoDBStore(settings)
    await store.create_tables()
    await store.close()


if __name__ == "__main__":
    main()
