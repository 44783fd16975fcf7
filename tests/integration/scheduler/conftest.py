"""A real state service on SQLite and real schedulers beside it, all in this process."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from daylily_client import AsyncSchedulerClient, AsyncStateClient, ClientOptions
from daylily_runtime.server import Server, running
from daylily_scheduler.build import Outside, build
from daylily_scheduler.settings import SchedulerSettings
from daylily_state.build import state_server
from daylily_state.settings import StateSettings


class System:
    """One state service, and as many schedulers as a test asks for."""

    def __init__(self, state_service: Server, state: AsyncStateClient, stack: AsyncExitStack):
        self.state_service = state_service
        self.state = state
        self._stack = stack

    async def scheduler(self, outside: Outside | None = None) -> AsyncSchedulerClient:
        """A client of a scheduler of its own, which serves."""
        server = build(
            SchedulerSettings.load(port=0, state_address=self.state_service.address), outside
        )
        await self._stack.enter_async_context(running(server))
        await server.wait_serving()
        return await self._stack.enter_async_context(
            AsyncSchedulerClient(server.address, ClientOptions(timeout=10))
        )


@pytest.fixture
async def system(tmp_path: Path) -> AsyncIterator[System]:
    settings = StateSettings.load(
        port=0, sqlite_path=tmp_path / "state.db", retry_transient_seconds=0.5
    )
    service = state_server(settings)
    async with AsyncExitStack() as stack:
        await stack.enter_async_context(running(service))
        state = await stack.enter_async_context(
            AsyncStateClient(service.address, ClientOptions(timeout=10))
        )
        yield System(service, state, stack)


@pytest.fixture
async def scheduler(system: System) -> AsyncSchedulerClient:
    return await system.scheduler()
