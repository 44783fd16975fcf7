"""The three services in this process, for a grpcurl outside of it."""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from daylily_notifier.build import build as build_notifier
from daylily_notifier.config.load import one_topic
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import Server, running
from daylily_scheduler.build import build as build_scheduler
from daylily_scheduler.settings import SchedulerSettings
from daylily_state.build import state_server
from daylily_state.settings import StateSettings
from tests.support.tools import require_tool


@dataclass(frozen=True)
class System:
    """Servers by the port that they have outside of tests."""

    servers: dict[int, Server]

    @property
    def state(self) -> str:
        return self.servers[50051].address

    @property
    def scheduler(self) -> str:
        return self.servers[50052].address

    @property
    def notifier(self) -> str:
        return self.servers[50053].address


@asynccontextmanager
async def system_on(path, topic_arn, aws_url) -> AsyncIterator[System]:
    state = state_server(StateSettings.load(port=0, sqlite_path=path, drain_seconds=0.5))
    async with running(state):
        picks = build_scheduler(
            SchedulerSettings.load(port=0, state_address=state.address, drain_seconds=0.5)
        )
        tells = build_notifier(
            NotifierSettings.load(port=0, state_address=state.address, drain_seconds=0.5),
            one_topic(topic_arn, aws_url),
        )
        async with running(picks, tells):
            for server in (state, picks, tells):
                await server.wait_serving()
            yield System({50051: state, 50052: picks, 50053: tells})


@pytest.fixture
async def system(tmp_path, empty_aws, monkeypatch):
    require_tool("grpcurl")
    for name in list(os.environ):
        if name.startswith("DAYLILY_"):
            monkeypatch.delenv(name)
    for name, value in empty_aws.environment.items():
        monkeypatch.setenv(name, value)
    arn = empty_aws.client("sns").create_topic(Name="daylily")["TopicArn"]
    async with system_on(tmp_path / "state.db", arn, empty_aws.endpoint_url) as made:
        yield made
