"""The three services and a gateway before them, all in this process, on real ports."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest

from daylily_client import AsyncSchedulerClient, AsyncStateClient, ClientOptions
from daylily_gateway.server import GatewayServer
from daylily_gateway.settings import GatewaySettings
from daylily_notifier.build import build as notifier_server
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import Server, running
from daylily_scheduler.build import build as scheduler_server
from daylily_scheduler.settings import SchedulerSettings
from daylily_state.build import state_server
from daylily_state.settings import StateSettings


@dataclass
class Lab:
    """What runs, and how to talk to it."""

    state_service: Server
    scheduler_service: Server
    notifier_service: Server
    gateway: GatewayServer
    http: httpx.AsyncClient
    state: AsyncStateClient
    scheduler: AsyncSchedulerClient

    async def register(self, workset_id: str, **fields: Any) -> dict[str, Any]:
        """Registers a workset through the gateway."""
        body = {
            "workset_id": workset_id,
            "bucket": "lab",
            "prefix": f"runs/{workset_id}/",
            **fields,
        }
        answer = await self.http.post("/worksets", json=body)
        assert answer.status_code == 201, answer.text
        registered: dict[str, Any] = answer.json()
        return registered

    async def lock(self, workset_id: str, owner_id: str = "m1") -> int:
        """Locks a workset through the gateway; the token."""
        answer = await self.http.post(f"/worksets/{workset_id}/lock", params={"owner_id": owner_id})
        assert answer.status_code == 200, answer.text
        token: int = answer.json()["token"]
        return token

    async def put_state(self, workset_id: str, state: str, **fields: Any) -> httpx.Response:
        body = {"state": state, "reason": "test", **fields}
        return await self.http.put(f"/worksets/{workset_id}/state", json=body)

    async def fail(self, workset_id: str) -> None:
        """Locks, starts and fails a registered workset for good."""
        token = await self.lock(workset_id)
        await self.put_state(workset_id, "in_progress", lock_token=token)
        answer = await self.put_state(
            workset_id, "error", lock_token=token, error_details="bad reads", error_category="data"
        )
        assert answer.json()["state"] == "error", answer.text


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("DAYLILY_"):
            monkeypatch.delenv(name)


@asynccontextmanager
async def running_lab(
    folder: Path, *, tracing: bool = False, **settings: Any
) -> AsyncIterator[Lab]:
    """All four, serving. `settings` are the gateway's."""
    async with AsyncExitStack() as stack:

        async def served(server: Server) -> Server:
            await stack.enter_async_context(running(server))
            return server

        state = await served(
            state_server(
                StateSettings.load(
                    port=0, sqlite_path=folder / "state.db", drain_seconds=0.5, tracing=tracing
                )
            )
        )
        beside = {
            "port": 0,
            "state_address": state.address,
            "drain_seconds": 0.5,
            "tracing": tracing,
        }
        scheduler = await served(scheduler_server(SchedulerSettings.load(**beside)))
        notifying = NotifierSettings.load(**beside)
        notifier = await served(notifier_server(notifying, notifying.load_config({})))
        await scheduler.wait_serving()
        gateway = GatewayServer(
            GatewaySettings.load(
                port=0,
                state_address=state.address,
                scheduler_address=scheduler.address,
                notifier_address=notifier.address,
                drain_seconds=1,
                tracing=tracing,
                **settings,
            )
        )
        await gateway.start()
        stack.push_async_callback(gateway.stop)
        http = await stack.enter_async_context(
            httpx.AsyncClient(base_url=gateway.address, timeout=20, verify=False)
        )
        options = ClientOptions(actor="tester", timeout=10)
        yield Lab(
            state,
            scheduler,
            notifier,
            gateway,
            http,
            await stack.enter_async_context(AsyncStateClient(state.address, options)),
            await stack.enter_async_context(AsyncSchedulerClient(scheduler.address, options)),
        )


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with running_lab(tmp_path) as found:
        yield found
