"""A real state service on SQLite and real schedulers beside it, all in this process."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from daylily_client import AsyncSchedulerClient, AsyncStateClient, ClientOptions
from daylily_runtime.clock import SystemClock
from daylily_runtime.server import Server, running
from daylily_scheduler.build import Outside, build
from daylily_scheduler.settings import SchedulerSettings
from daylily_state.build import state_server
from daylily_state.domain.commit import Commit
from daylily_state.ports import CommitOutcome
from daylily_state.settings import StateSettings
from daylily_state.store.sqlite import SqliteStore
from tests.support.ports import free_port


class ShiftedClock(SystemClock):
    """The machine's clock, set forward by what a test says; sleeps take their time."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def now(self) -> datetime:
        return super().now() + self.ahead


class HeldStore(SqliteStore):
    """A SQLite store whose commits wait while a test holds them back."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.open = asyncio.Event()
        self.open.set()
        self.held = 0

    async def commit(self, commit: Commit, timeout: timedelta) -> CommitOutcome:
        if not self.open.is_set():
            self.held += 1
        await self.open.wait()
        return await super().commit(commit, timeout)


class System:
    """One state service, and as many schedulers as a test asks for."""

    def __init__(self, folder: Path, stack: AsyncExitStack) -> None:
        self.clock = ShiftedClock()
        self._folder = folder
        self._stack = stack
        self._port = free_port()

    async def start_state(self) -> None:
        """Starts the state service, or starts it again on the same port and data."""
        self.store = HeldStore(self._folder / "state.db")
        settings = StateSettings.load(
            port=self._port,
            sqlite_path=self._folder / "state.db",
            retry_transient_seconds=0.5,
            drain_seconds=0.5,
        )
        self.state_service = state_server(
            settings, clock=self.clock, make_store=lambda _: self.store
        )
        await self._stack.enter_async_context(running(self.state_service))
        self.state = await self._stack.enter_async_context(
            AsyncStateClient(self.state_service.address, ClientOptions(timeout=10))
        )

    async def scheduler_server(self, **settings: Any) -> Server:
        """A scheduler, which serves."""
        server = build(
            SchedulerSettings.load(
                port=0, state_address=self.state_service.address, drain_seconds=1, **settings
            ),
            Outside(clock=self.clock),
        )
        await self._stack.enter_async_context(running(server))
        await server.wait_serving()
        return server

    async def client(self, server: Server) -> AsyncSchedulerClient:
        return await self._stack.enter_async_context(
            AsyncSchedulerClient(server.address, ClientOptions(timeout=10))
        )

    async def scheduler(self) -> AsyncSchedulerClient:
        """A client of a scheduler of its own."""
        return await self.client(await self.scheduler_server())


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("DAYLILY_"):
            monkeypatch.delenv(name)


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    async with AsyncExitStack() as stack:
        running_system = System(tmp_path, stack)
        await running_system.start_state()
        yield running_system


@pytest.fixture
async def scheduler(system: System) -> AsyncSchedulerClient:
    return await system.scheduler()
