"""The services as processes of their own, on a store that is there for one run."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.support.dynamodb_local import DynamoDBLocal
from tests.support.ports import free_port, wait_until_listening
from tests.support.tools import ROOT

SECONDS_TO_STOP = 20
PREFIX = "bench-"


@dataclass(frozen=True)
class Addresses:
    """Where clients find the services: of all replicas, with commas between."""

    state: str
    scheduler: str


@dataclass
class Services:
    """Processes in a folder, which takes their logs; they end with the block that has them."""

    folder: Path
    _stack: ExitStack
    _count: int = 0
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def start(self, service: str, environment: Mapping[str, str]) -> str:
        """One more process of a service; its address once it listens."""
        port, self._count = free_port(), self._count + 1
        name = f"{service}-{self._count}"
        with (self.folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-c", f"from daylily_{service}.main import main; main()", "serve"],
                env={
                    **os.environ,
                    "DAYLILY_PORT": str(port),
                    "DAYLILY_LOG_LEVEL": "warning",
                    **environment,
                },
                stdout=log,
                stderr=log,
            )
        self._stack.callback(end, process)
        wait_until_listening(port, seconds=60, still_running=lambda: process.poll() is None)
        address = f"127.0.0.1:{port}"
        self.processes[address] = process
        return address

    def run(self, *arguments: str) -> subprocess.Popen[str]:
        """A Python process of this repository, `python -m …`, that speaks by its stdin and stdout."""
        process = subprocess.Popen(
            [sys.executable, "-m", *arguments],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._stack.callback(end, process)
        return process


def end(process: subprocess.Popen[bytes] | subprocess.Popen[str]) -> None:
    """In order; one that takes too long is killed."""
    process.terminate()
    try:
        process.wait(SECONDS_TO_STOP)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


@contextmanager
def services(folder: Path) -> Iterator[Services]:
    """None at first; all that were started end with the block, the last first."""
    with ExitStack() as stack:
        yield Services(folder, stack)


def on_sqlite(folder: Path) -> dict[str, str]:
    """What state is told to keep everything in one file here."""
    return {"DAYLILY_STORE": "sqlite", "DAYLILY_SQLITE_PATH": str(folder / "bench.db")}


def on_dynamodb(local: DynamoDBLocal, prefix: str = PREFIX, **settings: str) -> dict[str, str]:
    """What state is told to keep everything in tables of DynamoDB Local."""
    return {
        "DAYLILY_STORE": "dynamodb",
        "DAYLILY_DYNAMODB_ENDPOINT": local.endpoint_url,
        "DAYLILY_AWS_REGION": local.region,
        "DAYLILY_TABLE_PREFIX": prefix,
        "DAYLILY_CREATE_TABLES": "true",
        "AWS_ACCESS_KEY_ID": local.access_key_id,
        "AWS_SECRET_ACCESS_KEY": local.secret_access_key,
        **{f"DAYLILY_{name.upper()}": value for name, value in settings.items()},
    }


def one_of_each(running: Services, store: Mapping[str, str]) -> Addresses:
    """State on this store, and a scheduler."""
    state = running.start("state", store)
    return Addresses(state, running.start("scheduler", {"DAYLILY_STATE_ADDRESS": state}))


async def until_serving(address: str) -> None:
    """Until the service there says that it serves; a client would wait for its own time only."""
    async with grpc.aio.insecure_channel(address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        while True:
            answer = await health.Check(health_pb2.HealthCheckRequest())
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                return
            await asyncio.sleep(0.01)
