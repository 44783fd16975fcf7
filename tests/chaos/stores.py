"""The two stores of a run: what state is told, what goes wrong before them, and their tables."""

import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from daylily_state.ports import Store
from daylily_state.store.dynamodb import DynamoDBStore
from daylily_state.store.sqlite import SqliteStore
from tests.support import faulty_proxy
from tests.support.dynamodb_local import DynamoDBLocal, run_dynamodb_local
from tests.support.faulty_proxy import Exchange, FaultyProxy, Watcher, run_faulty_proxy
from tests.support.stores import dynamodb_settings

PREFIX = "chaos-"


@dataclass
class Met:
    """How many requests of operations a fault met."""

    count: int = 0


class Backend(Protocol):
    """A store, with what can go wrong between it and a replica of state."""

    kinds: Mapping[str, float]
    """Kinds of faults, and for how many seconds each lasts at most."""

    def environment(self, replica: int) -> Mapping[str, str]: ...

    def fault(self, kind: str, replica: int, met: Met) -> AbstractContextManager[None]: ...

    def watched(self, watcher: Watcher) -> AbstractContextManager[None]:
        """Let a watcher see what replicas ask the store, where something stands between them."""
        ...

    def open(self) -> Store:
        """The tables, reached directly."""
        ...


Fault = Callable[[Exchange], None]


@dataclass
class DynamoDBBackend:
    """DynamoDB Local, with a proxy before it for each replica."""

    local: DynamoDBLocal
    proxies: list[FaultyProxy]
    kinds: Mapping[str, float] = field(
        default_factory=lambda: {
            "store refuses": 3.0,
            "store hangs": 4.0,
            "store throttles": 1.5,
            "store answers 500": 1.5,
            "store delays": 2.0,
            "store drops answers": 1.0,
        }
    )

    def environment(self, replica: int) -> Mapping[str, str]:
        return {
            "DAYLILY_STORE": "dynamodb",
            "DAYLILY_DYNAMODB_ENDPOINT": self.proxies[replica].url,
            "DAYLILY_AWS_REGION": self.local.region,
            "DAYLILY_TABLE_PREFIX": PREFIX,
            "DAYLILY_CREATE_TABLES": "true",
            "AWS_ACCESS_KEY_ID": self.local.access_key_id,
            "AWS_SECRET_ACCESS_KEY": self.local.secret_access_key,
        }

    @contextmanager
    def fault(self, kind: str, replica: int, met: Met) -> Iterator[None]:
        proxy = self.proxies[replica]
        if kind == "store refuses":
            with proxy.away():
                yield
            return
        if kind == "store hangs":
            gate = threading.Event()
            with proxy.always(_counted(faulty_proxy.hold(gate), met)):
                try:
                    yield
                finally:
                    gate.set()
            return
        with proxy.always(_only(_COMMITS.get(kind), _counted(_FAULTS[kind], met))):
            yield

    @contextmanager
    def watched(self, watcher: Watcher) -> Iterator[None]:
        with ExitStack() as stack:
            for proxy in self.proxies:
                stack.enter_context(proxy.watched(watcher))
            yield

    def open(self) -> Store:
        return DynamoDBStore(dynamodb_settings(self.local, PREFIX))


_FAULTS: dict[str, Fault] = {
    "store throttles": faulty_proxy.throttle,
    "store answers 500": faulty_proxy.server_error,
    "store delays": faulty_proxy.delay(0.4),
    "store delays commits": faulty_proxy.delay(1.6),
    "store drops answers": faulty_proxy.drop_answer,
}
# Where reads pass: else no commit would be tried, as its load was not answered.
_COMMITS: dict[str, frozenset[str]] = {
    "store delays commits": frozenset({"TransactWriteItems"}),
    "store drops answers": frozenset({"TransactWriteItems", "UpdateItem"}),
}


def _only(operations: frozenset[str] | None, fault: Fault) -> Fault:
    """The fault for these operations alone (None: for all)."""

    def choosing(exchange: Exchange) -> None:
        hit = operations is None or exchange.operation in operations
        (fault if hit else faulty_proxy.pass_on)(exchange)

    return choosing


def _counted(fault: Fault, met: Met) -> Fault:
    def counting(exchange: Exchange) -> None:
        met.count += of_an_operation(exchange)
        fault(exchange)

    return counting


def of_an_operation(exchange: Exchange) -> bool:
    """Whether it loads, commits or renews worksets; heartbeats and looks at the feed do not count."""
    return exchange.operation in _OF_OPERATIONS and f'"{PREFIX}worksets"'.encode() in exchange.body


_OF_OPERATIONS = frozenset({"BatchGetItem", "TransactWriteItems", "UpdateItem"})


@dataclass
class SqliteBackend:
    """One file. What goes wrong with it is another process that holds its write lock."""

    path: Path
    kinds: Mapping[str, float] = field(
        default_factory=lambda: {"store is busy": 1.2, "store hangs": 6.5}
    )

    def environment(self, replica: int) -> Mapping[str, str]:
        assert replica == 0
        return {"DAYLILY_STORE": "sqlite", "DAYLILY_SQLITE_PATH": str(self.path)}

    @contextmanager
    def fault(self, kind: str, replica: int, met: Met) -> Iterator[None]:
        connection = sqlite3.connect(self.path, timeout=5, isolation_level=None)
        try:
            connection.execute("BEGIN IMMEDIATE")
            yield
        finally:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            connection.close()

    def watched(self, watcher: Watcher) -> AbstractContextManager[None]:
        raise NotImplementedError("nothing stands before the file")

    def open(self) -> Store:
        return SqliteStore(self.path)


@contextmanager
def run_backend(store: str, replicas: int, folder: Path) -> Iterator[Backend]:
    """The store of a run, gone at the end."""
    if store == "sqlite":
        yield SqliteBackend(folder / "state.db")
        return
    with ExitStack() as stack:
        local = stack.enter_context(run_dynamodb_local())
        proxies = [
            stack.enter_context(run_faulty_proxy(local.endpoint_url)) for _ in range(replicas)
        ]
        yield DynamoDBBackend(local, proxies)
