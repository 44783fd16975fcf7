"""State servers in this process, called as any client calls them: by the generated stub."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from daylily.state.v1 import state_pb2_grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from daylily_runtime import Clock, Server, running
from daylily_state.build import open_store, state_server
from daylily_state.ports import Store
from daylily_state.settings import StateSettings
from tests.support.dynamodb_local import DynamoDBLocal

HUGE = 64 * 1024 * 1024
SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING


@dataclass(frozen=True)
class Replica:
    """A state server that serves, and a connection to it."""

    server: Server
    stub: Any
    channel: grpc.aio.Channel

    async def health(self) -> int:
        asked = health_pb2.HealthCheckRequest()
        answer = await health_pb2_grpc.HealthStub(self.channel).Check(asked)
        status: int = answer.status
        return status


def settings_on_file(path: Path, **more: Any) -> StateSettings:
    return StateSettings.load(
        **{"port": 0, "sqlite_path": path, "drain_seconds": 1.0, "close_seconds": 2.0, **more}
    )


def settings_on_dynamodb(engine: DynamoDBLocal, prefix: str, url: str = "") -> StateSettings:
    """Tables at this engine, or at `url` that leads there; credentials come from the environment."""
    return StateSettings.load(
        port=0,
        store="dynamodb",
        dynamodb_endpoint=url or engine.endpoint_url,
        aws_region=engine.region,
        table_prefix=prefix,
        create_tables=True,
        drain_seconds=1.0,
        close_seconds=2.0,
    )


@asynccontextmanager
async def replica(
    settings: StateSettings,
    clock: Clock | None = None,
    make_store: Callable[[StateSettings], Store] = open_store,
) -> AsyncIterator[Replica]:
    """A replica over what the settings name; several may live on one store."""
    server = state_server(settings, clock=clock, make_store=make_store)
    async with running(server):
        await server.wait_serving()
        # The client's own limits are out of the way, so that the server's are what is tested.
        options = [
            ("grpc.max_send_message_length", HUGE),
            ("grpc.max_receive_message_length", HUGE),
        ]
        async with grpc.aio.insecure_channel(server.address, options) as channel:
            yield Replica(server, state_pb2_grpc.StateServiceStub(channel), channel)
