"""Replicas of state without its servers: the use cases over one store's data and one manual clock."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress

import pytest

from daylily_runtime import Lifecycle
from daylily_runtime.testing import ManualClock
from daylily_state.app.counting import Counting
from daylily_state.app.deciding import Decider
from daylily_state.app.dependencies import DependencyResolver
from daylily_state.app.feed import Feed
from daylily_state.app.promoter import Promoter
from daylily_state.app.queries import Queries, View
from daylily_state.app.reaper import Reaper
from daylily_state.app.records import Records
from daylily_state.app.worksets import Worksets
from daylily_state.domain.commands import Acquire, Register, SetState
from daylily_state.domain.events import Event
from daylily_state.domain.model import Workset, WorksetState
from daylily_state.domain.records import Position
from daylily_state.domain.retries import RetryPolicy
from daylily_state.ports import Store
from tests.integration.state_app.faults import FaultyStore

STEP = 0.25

# For what needs more events than a test on DynamoDB Local should wait for.
on_sqlite = pytest.mark.parametrize("lab", ["sqlite"], indirect=True)


class Replica:
    """One process's use cases; its background runs while it is open."""

    def __init__(self, name: str, store: Store, clock: ManualClock) -> None:
        self.name = name
        self.clock = clock
        self.store = FaultyStore(store, clock)
        self.lifecycle = Lifecycle()
        self.feed = Feed(self.store, clock, self.lifecycle)
        self.decider = Decider(self.store, clock, self.feed.committed, dice=lambda: 0.5)
        self.policy = RetryPolicy(infrastructure_bound=2)
        self.records = Records(self.store, clock)
        self.queries = Queries(self.store, clock)
        self.worksets = Worksets(self.store, self.decider, clock, self.policy)
        self.counting = Counting(self.store, self.feed, clock)
        self.reaper = Reaper(
            self.store, self.feed, self.decider, clock, policy=self.policy, replica_id=name
        )
        self.resolver = DependencyResolver(
            self.store, self.feed, self.decider, self.records, clock, replica_id=name
        )
        self.promoter = Promoter(self.store, clock)

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Replica"]:
        works = (self.feed, self.counting, self.reaper, self.resolver, self.promoter)
        tasks = [asyncio.create_task(work.run()) for work in works]
        try:
            yield self
        finally:
            crashed = [task for task in tasks if task.done()]
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task
            await self.store.store.close()
            assert not crashed

    # --- short forms of commands ---

    async def register(self, workset_id: str, **fields) -> View:
        command = Register(workset_id=workset_id, bucket="lab", prefix="runs/x/", **fields)
        return await self.worksets.register(command)

    async def acquire(self, workset_id: str, **fields) -> Workset:
        command = Acquire(workset_id=workset_id, owner_id="m1", **fields)
        return (await self.worksets.acquire(command)).workset

    async def move(self, workset_id: str, state: WorksetState, token: int = 0, **fields) -> Workset:
        command = SetState(workset_id=workset_id, state=state, lock_token=token, **fields)
        return (await self.worksets.set_state(command)).workset

    async def complete(self, workset_id: str) -> Workset:
        token = (await self.acquire(workset_id)).last_token
        await self.move(workset_id, WorksetState.IN_PROGRESS, token)
        return await self.move(workset_id, WorksetState.COMPLETE, token)

    async def get(self, workset_id: str) -> Workset:
        return (await self.queries.get(workset_id, full=False)).workset

    async def trail(self, workset_id: str) -> list[Event]:
        return list((await self.queries.events(workset_id, "", 500))[0])


class Lab:
    """Replicas over the same data, and the time that they all live in."""

    def __init__(self, open_store: Callable[[], Store], stack: AsyncExitStack) -> None:
        self.clock = ManualClock()
        self._open_store = open_store
        self._stack = stack
        self.replicas: list[Replica] = []

    async def replica(self, name: str) -> Replica:
        replica = Replica(name, self._open_store(), self.clock)
        await self._stack.enter_async_context(replica.running())
        self.replicas.append(replica)
        await self.settle()
        return replica

    async def settle(self) -> None:
        """Let everything come to rest, the stores' threads too."""
        for _ in range(3):
            await self.clock.settle()
            for replica in self.replicas:
                await replica.store.idle()
        await self.clock.settle()

    async def passes(self, seconds: float) -> None:
        """Time goes by in small steps, each worked off before the next."""
        await self.settle()
        for _ in range(round(seconds / STEP)):
            await self.clock.advance(STEP)
            await self.settle()


class Watcher:
    """Collects what a watch brings."""

    def __init__(self, replica: Replica, position: Position) -> None:
        self.events: list[Event] = []
        self.positions: list[Position] = []
        self.heartbeats = 0
        self.ended: BaseException | None = None
        self._task = asyncio.create_task(self._watch(replica, position))

    async def _watch(self, replica: Replica, position: Position) -> None:
        try:
            async for batch in replica.feed.watch(position):
                self.positions.append(batch.position)
                self.heartbeats += not batch.events
                self.events += [event for event, _ in batch.events]
        except Exception as error:  # noqa: BLE001 - what ended the watch is what the test asks
            self.ended = error

    async def stop(self) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
