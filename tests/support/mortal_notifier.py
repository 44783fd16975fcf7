"""A notifier in a process of its own that kills itself, by SIGKILL, at a step that a test names.

A step is the moment before or after a call to state, or before or after a message. The notifier is the
real one; only its connection to state and its channels are wrapped, here. Processes are forked from a
server that has everything imported, so that a life begins in milliseconds.
"""

import asyncio
import multiprocessing
import os
import signal
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

from google.protobuf.message import Message as Proto

from daylily_client import AsyncStateClient, ClientOptions, DaylilyError, RetryPolicy
from daylily_notifier.build import Outside, build
from daylily_notifier.channels.base import Channel, ChannelSettings, Delivered
from daylily_notifier.config.document import parse
from daylily_notifier.config.load import NotifierConfig, load
from daylily_notifier.domain.message import Message
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import Clock, configure_logging, serve

_OPTIONS = ClientOptions(
    actor="notifier",
    timeout=5.0,
    retry=RetryPolicy(first_pause=0.01, longest_pause=0.05, attempt_timeout=1.0),
)


@dataclass(frozen=True)
class Life:
    """One life of a notifier.

    Attributes:
        config: the YAML text with channels and routes.
        environment: what `{env: NAME}` in it finds.
        state_address: of the state service.
        owner_id: unique to this life.
        clock: shared with the state service; it has to be the same in another process.
        dies_at: a step, and how often it is survived; None: it is killed from outside, if at all.
        trace: where the steps are written as they come, a line each.
    """

    config: str
    environment: Mapping[str, str]
    state_address: str
    owner_id: str
    clock: Clock
    dies_at: tuple[str, int] | None = None
    trace: Path | None = None


@dataclass
class _Steps:
    life: Life
    seen: Counter[str] = field(default_factory=Counter)

    def step(self, name: str) -> None:
        if self.life.trace is not None:
            with self.life.trace.open("a") as trace:
                trace.write(f"{name}\n")
        if self.life.dies_at == (name, self.seen[name]):
            os.kill(os.getpid(), signal.SIGKILL)
        self.seen[name] += 1


class _WatchedState(AsyncStateClient):
    """Every unary call to state is a step, so a new durable write is a fault point by itself."""

    steps: _Steps

    async def call(self, rpc: Any, *args: Any, **kwargs: Any) -> Any:
        self.steps.step(f"before {rpc.name}")
        try:
            answer: Proto = await super().call(rpc, *args, **kwargs)
        except DaylilyError:
            self.steps.step(f"after {rpc.name}")
            raise
        self.steps.step(f"after {rpc.name}")
        return answer


@dataclass
class _WatchedChannel:
    inner: Channel
    steps: _Steps

    async def send(self, message: Message) -> Delivered:
        self.steps.step("before send")
        delivered = await self.inner.send(message)
        self.steps.step("after send")
        return delivered

    async def check(self) -> str:
        return await self.inner.check()

    async def close(self) -> None:
        await self.inner.close()


def _watched(settings: ChannelSettings, steps: _Steps) -> ChannelSettings:
    """The same channel; every message is two steps."""
    kind = type(settings)

    def open_watched(self: ChannelSettings, name: str) -> Channel:
        return _WatchedChannel(kind.open(self, name), steps)

    watched: Any = type(kind.__name__, (kind,), {"open": open_watched})
    made: ChannelSettings = watched.model_construct(**dict(settings))
    return made


def live(life: Life) -> None:
    """Live it, until it is killed or told to stop."""
    configure_logging("critical", "json")
    asyncio.run(_live(life))


async def _live(life: Life) -> None:
    steps = _Steps(life)
    read = load(parse(life.config, "notifier.yaml"), life.environment)
    config = NotifierConfig(
        {name: _watched(settings, steps) for name, settings in read.channels.items()},
        read.routes,
        read.dead_letters,
    )

    def connect(settings: NotifierSettings) -> AsyncStateClient:
        client = _WatchedState(settings.state_address, _OPTIONS)
        client.steps = steps
        return client

    settings = NotifierSettings.load(
        port=0, state_address=life.state_address, drain_seconds=0.5, close_seconds=1.0
    )
    outside = Outside(clock=life.clock, draw=lambda: 0.5, owner_id=life.owner_id, connect=connect)
    await serve(build(settings, config, outside))


def born(life: Life) -> BaseProcess:
    """A process that lives it; the caller ends it."""
    nursery = multiprocessing.get_context("forkserver")
    nursery.set_forkserver_preload([__name__])
    process = nursery.Process(target=live, args=(life,), daemon=True)
    process.start()
    return process


async def ended(process: BaseProcess, seconds: float) -> bool:
    """Whether it ends by itself within this."""
    await asyncio.to_thread(process.join, seconds)
    return process.exitcode is not None


async def kill(process: BaseProcess) -> None:
    """At once, wherever it is."""
    process.kill()
    await asyncio.to_thread(process.join)
    process.close()
