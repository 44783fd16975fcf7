"""A state service, notifiers and topics, each of which a test can take away."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from textwrap import dedent
from typing import Any

from daylily.workset.v1 import delivery_pb2, event_pb2

from daylily_client import AsyncNotifierClient, AsyncStateClient, ClientOptions, RetryPolicy
from daylily_notifier.build import Outside, build
from daylily_notifier.config.document import parse
from daylily_notifier.config.load import NotifierConfig, load
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import Server
from tests.integration.notifier.state_service import state_server
from tests.integration.notifier.topics import Received, Topic
from tests.support.fast_clock import FastClock
from tests.support.ports import free_port

QUICK = ClientOptions(
    actor="tester",
    timeout=5.0,
    retry=RetryPolicy(first_pause=0.01, longest_pause=0.05, attempt_timeout=1.0),
)

NOTIFIER = replace(QUICK, actor="notifier")

Connect = Callable[[NotifierSettings], AsyncStateClient]


@dataclass
class Deployment:
    """One state service over one file, and whoever follows it."""

    folder: Path
    clock: FastClock
    state_port: int = field(default_factory=free_port)
    _state: Server | None = None

    @property
    def state_address(self) -> str:
        return f"127.0.0.1:{self.state_port}"

    async def start_state(self) -> None:
        self._state = state_server(self.folder, self.state_port, self.clock)
        await self._state.start()
        await self._state.wait_serving()

    async def stop_state(self) -> None:
        if self._state is not None:
            await self._state.stop()
            self._state = None

    def notifier(
        self,
        config: NotifierConfig,
        *,
        owner_id: str = "n1",
        connect: Connect | None = None,
        **settings: Any,
    ) -> Server:
        """A notifier of this deployment, not started."""
        outside = Outside(
            clock=self.clock,
            draw=lambda: 0.5,
            owner_id=owner_id,
            connect=connect or (lambda given: AsyncStateClient(given.state_address, NOTIFIER)),
        )
        chosen = NotifierSettings.load(
            **{"port": 0, "state_address": self.state_address, "drain_seconds": 0.5, **settings}
        )
        return build(chosen, config, outside)

    @asynccontextmanager
    async def running(
        self, config: NotifierConfig, **options: Any
    ) -> AsyncIterator[AsyncNotifierClient]:
        """A notifier that serves; yields a client of it."""
        server = self.notifier(config, **options)
        await server.start()
        try:
            await server.wait_serving()
            async with AsyncNotifierClient(server.address, QUICK) as client:
                yield client
        finally:
            await server.stop()


@asynccontextmanager
async def deployment(folder: Path, clock: FastClock) -> AsyncIterator[Deployment]:
    """With its state service running."""
    deployed = Deployment(folder, clock)
    async with AsyncExitStack() as stack:
        stack.push_async_callback(deployed.stop_state)
        await deployed.start_state()
        yield deployed


def config(text: str, **environment: str) -> NotifierConfig:
    return load(parse(dedent(text), "notifier.yaml"), environment)


def one_channel(topic: Topic, url: str = "", **section: Any) -> NotifierConfig:
    """What `tell` says to one topic, tried again soon."""
    settings = {
        "kind": "sns",
        "topic_arn": topic.arn,
        "endpoint_url": url or topic.aws.endpoint_url,
        "retry": {"first": "1s", "longest": "2s"},
        **section,
    }
    route = {"channels": "lab", "match": {"event": "external"}}
    return config(str({"channels": {"lab": settings}, "routes": [route]}))


async def tell(state: AsyncStateClient, message: str, **fields: Any) -> str:
    """Put an event on the feed, and give its id."""
    answer = await state.publish_event(
        **{
            "subject": event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_SYSTEM, id="lab"),
            "type": event_pb2.EVENT_TYPE_EXTERNAL,
            "reason": message,
            **fields,
        }
    )
    return answer.event.event_id


async def arrived(topic: Topic, count: int, seconds: float = 15) -> list[Received]:
    """What the subscriber of `topic` gets, as soon as it has `count` messages."""
    received: list[Received] = []
    async with asyncio.timeout(seconds):
        while len(received) < count:
            received += await asyncio.to_thread(topic.receive)
            await asyncio.sleep(0.02)
    return received


async def all_finished(state: AsyncStateClient, seconds: float = 15) -> None:
    """Return when no delivery waits any more."""
    waiting = [delivery_pb2.DELIVERY_STATE_PENDING, delivery_pb2.DELIVERY_STATE_CLAIMED]

    async def waits() -> bool:
        return bool((await state.list_deliveries(states=waiting)).deliveries)

    await until(waits, seconds, holds=False)


async def until(
    condition: Callable[[], Awaitable[bool]],
    seconds: float = 15,
    *,
    holds: bool = True,
    every: float = 0.02,
) -> None:
    """Return when `condition` holds (or does not)."""
    async with asyncio.timeout(seconds):
        while await condition() is not holds:  # noqa: ASYNC110 - it is another process's
            await asyncio.sleep(every)


async def active(notifier: AsyncNotifierClient) -> bool:
    """Whether this is the notifier that delivers."""
    return (await notifier.get_notifier_stats()).active


async def handled(notifier: AsyncNotifierClient, events: int) -> bool:
    """Whether it has handled so many events."""
    return (await notifier.get_notifier_stats()).events_handled >= events
