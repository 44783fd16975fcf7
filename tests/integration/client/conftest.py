"""Both clients against real gRPC servers: a test asks for `either` and is run with each."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest

from daylily_client import (
    AsyncStateClient,
    AsyncTime,
    ClientOptions,
    StateClient,
    SyncTime,
)
from tests.support.scripted_server import QUICK


@dataclass
class Caller:
    """Calls state by one of the two clients, and notes how long each pause was."""

    call: Callable[..., Any]
    pauses: list[float] = field(default_factory=list)


@pytest.fixture(params=["async", "sync"])
def either(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """`async with either(address, options) as caller: await caller.call("get_workset", …)`."""

    @asynccontextmanager
    async def through_async(address: str, options: ClientOptions = QUICK) -> AsyncIterator[Caller]:
        pauses: list[float] = []

        async def pause(seconds: float) -> None:
            pauses.append(seconds)
            await asyncio.sleep(min(seconds, 0.05))

        async with AsyncStateClient(address, options, time=AsyncTime(sleep=pause)) as client:

            async def call(name: str, **fields: Any) -> Any:
                return await getattr(client, name)(**fields)

            yield Caller(call, pauses)

    @asynccontextmanager
    async def through_sync(address: str, options: ClientOptions = QUICK) -> AsyncIterator[Caller]:
        pauses: list[float] = []

        def pause(seconds: float) -> None:
            pauses.append(seconds)
            time.sleep(min(seconds, 0.05))

        with StateClient(address, options, time=SyncTime(sleep=pause)) as client:

            async def call(name: str, **fields: Any) -> Any:
                return await asyncio.to_thread(getattr(client, name), **fields)

            yield Caller(call, pauses)

    return through_async if request.param == "async" else through_sync
