"""The three services on loopback with authentication on, and a caller for every role."""

import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
import yaml

from daylily_client import (
    AsyncNotifierClient,
    AsyncSchedulerClient,
    AsyncStateClient,
    ClientOptions,
    FixedToken,
    RetryPolicy,
)
from daylily_client.async_client import AsyncClient
from daylily_gateway.server import GatewayServer
from daylily_gateway.settings import GatewaySettings
from daylily_notifier.build import build as notifier_server
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import Server, running
from daylily_runtime.access.tokens import hash_of, new_token
from daylily_scheduler.build import build as scheduler_server
from daylily_scheduler.settings import SchedulerSettings
from daylily_state.build import state_server
from daylily_state.settings import StateSettings

Client = TypeVar("Client", bound=AsyncClient)

ROLES = {
    "vera": "viewer",
    "c1": "monitor",
    "c2": "monitor",
    "olga": "operator",
    "anna": "admin",
    "scheduler": "service",
    "notifier": "service",
}

QUICK = ClientOptions(
    timeout=10.0, retry=RetryPolicy(first_pause=0.01, longest_pause=0.05, attempt_timeout=5.0)
)


@dataclass
class Lab:
    """Who is there, and where the services are."""

    folder: Path
    stack: AsyncExitStack
    tokens: dict[str, str] = field(default_factory=lambda: {name: new_token() for name in ROLES})
    servers: dict[str, Server] = field(default_factory=dict)

    @property
    def file(self) -> Path:
        return self.folder / "identities.yaml"

    def token_file(self, name: str) -> Path:
        path = self.folder / f"{name}.token"
        path.write_text(self.tokens[name])
        return path

    def write_file(self, *without: str) -> None:
        """The file of identities, with all but these."""
        entries = [
            {
                "name": name,
                "role": role,
                "tokens": [hash_of(self.tokens[name])],
                **(
                    {"limits": {"clusters": [name], "owners": [f"monitor@{name}-"]}}
                    if role == "monitor"
                    else {}
                ),
            }
            for name, role in ROLES.items()
            if name not in without
        ]
        written = self.file.with_suffix(".new")
        written.write_text(yaml.safe_dump({"identities": entries}))
        written.replace(self.file)

    async def start(self) -> None:
        self.write_file()
        common: dict[str, Any] = {"port": 0, "identities": self.file, "drain_seconds": 0.5}
        state = state_server(StateSettings.load(sqlite_path=self.folder / "state.db", **common))
        await self._serve("state", state)
        scheduler = scheduler_server(
            SchedulerSettings.load(
                state_address=state.address,
                state_token_file=self.token_file("scheduler"),
                **common,
            )
        )
        settings = NotifierSettings.load(
            state_address=state.address, state_token_file=self.token_file("notifier"), **common
        )
        await self._serve("scheduler", scheduler)
        await self._serve("notifier", notifier_server(settings, settings.load_config({})))

    async def _serve(self, name: str, server: Server) -> None:
        await self.stack.enter_async_context(running(server))
        await server.wait_serving()
        self.servers[name] = server

    async def _client(self, kind: type[Client], service: str, name: str, **options: Any) -> Client:
        token = FixedToken(self.tokens[name]) if name else None
        given = replace(QUICK, **{"token": token, **options})
        return await self.stack.enter_async_context(kind(self.servers[service].address, given))

    async def state(self, name: str, **options: Any) -> AsyncStateClient:
        return await self._client(AsyncStateClient, "state", name, **options)

    async def scheduler(self, name: str, **options: Any) -> AsyncSchedulerClient:
        return await self._client(AsyncSchedulerClient, "scheduler", name, **options)

    async def notifier(self, name: str, **options: Any) -> AsyncNotifierClient:
        return await self._client(AsyncNotifierClient, "notifier", name, **options)

    async def gateway(self, name: str, **settings: Any) -> httpx.AsyncClient:
        """A gateway, and an HTTP client with this caller's token; none for ""."""
        server = GatewayServer(
            GatewaySettings.load(
                port=0,
                drain_seconds=1,
                **{
                    f"{service}_address": self.servers[service].address
                    for service in ("state", "scheduler", "notifier")
                },
                **settings,
            )
        )
        await server.start()
        self.stack.push_async_callback(server.stop)
        headers = {"authorization": f"Bearer {self.tokens[name]}"} if name else {}
        client = httpx.AsyncClient(
            base_url=server.address, headers=headers, timeout=20, verify=False
        )
        return await self.stack.enter_async_context(client)


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("DAYLILY_"):
            monkeypatch.delenv(name)


@pytest.fixture
async def lab(tmp_path: Path) -> AsyncIterator[Lab]:
    async with AsyncExitStack() as stack:
        made = Lab(tmp_path, stack)
        await made.start()
        yield made
