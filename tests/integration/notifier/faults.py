"""Fault points: a notifier that dies before or after any call it makes to state or to a channel."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message as Proto

from daylily_client import AsyncStateClient, DaylilyError
from daylily_notifier.channels.base import Channel, ChannelSettings, Delivered
from daylily_notifier.channels.sns import SnsSettings
from daylily_notifier.config.load import NotifierConfig
from daylily_notifier.domain.message import Message
from daylily_notifier.settings import NotifierSettings
from tests.integration.notifier.deployment import NOTIFIER

Hook = Callable[[str], Awaitable[None]]


@dataclass
class Life:
    """One life of a notifier. At the step it dies at, and at every later one, it stops for ever.

    Attributes:
        dies_at: a step and how many times it is survived, or None: it lives.
        steps: the steps it came to, in order.
    """

    dies_at: tuple[str, int] | None = None
    steps: list[str] = field(default_factory=list)
    dead: asyncio.Event = field(default_factory=asyncio.Event)

    async def step(self, name: str) -> None:
        if not self.dead.is_set():
            self.steps.append(name)
            if self.dies_at == (name, self.steps.count(name) - 1):
                self.dead.set()
        if self.dead.is_set():
            await asyncio.Event().wait()

    def connect(self, settings: NotifierSettings) -> AsyncStateClient:
        client = MortalStateClient(settings.state_address, NOTIFIER)
        client.life = self
        return client


class MortalStateClient(AsyncStateClient):
    """Every unary call to state is a step, so a new durable write is a fault point by itself."""

    life: Life

    async def call(self, rpc: Any, *args: Any, **kwargs: Any) -> Any:
        await self.life.step(f"before {rpc.name}")
        try:
            answer: Proto = await super().call(rpc, *args, **kwargs)
        except DaylilyError:
            await self.life.step(f"after {rpc.name}")
            raise
        await self.life.step(f"after {rpc.name}")
        return answer


class HookedSettings(SnsSettings):
    """An SNS channel with something before and after each message."""

    before_send: Any = None
    after_send: Any = None

    def open(self, name: str) -> Any:
        return HookedChannel(super().open(name), self.before_send, self.after_send)


@dataclass
class HookedChannel:
    inner: Channel
    before_send: Hook | None
    after_send: Hook | None

    async def send(self, message: Message) -> Delivered:
        if self.before_send:
            await self.before_send("before send")
        delivered = await self.inner.send(message)
        if self.after_send:
            await self.after_send("after send")
        return delivered

    async def check(self) -> str:
        return await self.inner.check()

    async def close(self) -> None:
        await self.inner.close()


def watched_channel(config: NotifierConfig, **hooks: Hook) -> NotifierConfig:
    """`config` with hooks around every message."""
    channels: dict[str, ChannelSettings] = {
        name: HookedSettings.model_construct(**{**dict(settings), **hooks})
        for name, settings in config.channels.items()
    }
    return NotifierConfig(channels, config.routes)
