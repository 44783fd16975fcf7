"""A real store behind a way that fails: away, hung, or losing answers after the commit."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import Any

from daylily_state.build import open_store
from daylily_state.domain.commit import Commit, CommitOutcome
from daylily_state.domain.errors import OutcomeUnknownError, StoreUnavailableError
from daylily_state.ports import ReadSet, Rows, Store
from daylily_state.settings import StateSettings

_ALWAYS_THERE = frozenset({"create_tables", "close"})


class FaultyStore:
    """Every call goes to `inner`, unless the way there is broken.

    `lost_answers`: that many commits are written and nobody learns of it. `before_commit` is awaited
    between a decision and its commit, `within_read` (once) in the middle of a batch of reads, which is
    no snapshot: parts of a workset were read before it, the workset after; or after a read of the
    workset alone. `beats` counts the heartbeats that were tried; they tell no
    time of the store, as a test's time is not that of DynamoDB.
    """

    def __init__(self, inner: Store) -> None:
        self.inner = inner
        self.away = False
        self.lost_answers = 0
        self.beats = 0
        self.before_commit: Callable[[Commit], Awaitable[None]] | None = None
        self.within_read: Callable[[], Awaitable[None]] | None = None
        self._passes = asyncio.Event()
        self._passes.set()
        self._under_way = 0

    async def idle(self) -> None:
        """Until no read and no commit is under way."""
        while self._under_way:  # noqa: ASYNC110 - the test asks now and then
            await asyncio.sleep(0.001)

    @contextmanager
    def _counted(self) -> Iterator[None]:
        self._under_way += 1
        try:
            yield
        finally:
            self._under_way -= 1

    def hang(self) -> None:
        """From now on nothing gets an answer, until `go_on`."""
        self._passes.clear()

    def go_on(self) -> None:
        self._passes.set()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.inner, name)
        if not inspect.iscoroutinefunction(method) or name in _ALWAYS_THERE:
            return method

        async def call(*args: Any, **kwargs: Any) -> Any:
            await self._way_there()
            return await method(*args, **kwargs)

        return call

    async def read(self, wanted: ReadSet) -> Rows:
        with self._counted():
            return await self._read(wanted)

    async def _read(self, wanted: ReadSet) -> Rows:
        await self._way_there()
        if self.within_read is None or not wanted.worksets:
            return await self.inner.read(wanted)
        meanwhile, self.within_read = self.within_read, None
        parts = await self.inner.read(
            ReadSet(details=wanted.details, metadata=wanted.metadata, results=wanted.results)
        )
        if wanted.details:
            await meanwhile()
        rows = await self.inner.read(replace(wanted, details=(), metadata=(), results=()))
        if not wanted.details:
            await meanwhile()
        return replace(rows, details=parts.details, metadata=parts.metadata, results=parts.results)

    async def commit(self, commit: Commit, timeout: timedelta) -> CommitOutcome:
        with self._counted():
            return await self._commit(commit, timeout)

    async def _commit(self, commit: Commit, timeout: timedelta) -> CommitOutcome:
        if self.before_commit is not None:
            await self.before_commit(commit)
        await self._way_there()
        outcome = await self.inner.commit(commit, timeout)
        if self.lost_answers:
            self.lost_answers -= 1
            raise OutcomeUnknownError(event_id=commit.event.event_id)
        return outcome

    async def heartbeat(self, replica_id: str) -> None:
        try:
            await self._way_there()
            await self.inner.heartbeat(replica_id)
        finally:
            self.beats += 1

    async def _way_there(self) -> None:
        await self._passes.wait()
        if self.away:
            raise StoreUnavailableError(retry_after=timedelta(seconds=1))


class Faults:
    """What a replica is given to make its store with; `store` is that store then."""

    store: FaultyStore

    def __call__(self, settings: StateSettings) -> Any:
        self.store = FaultyStore(open_store(settings))
        return self.store
