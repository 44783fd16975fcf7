"""A watch of the event feed, and what it has said so far."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from daylily.state.v1 import state_pb2


class Watch:
    """Reads answers one by one. `events` are all that came, `cursor` is the last one given."""

    def __init__(self, call: Any) -> None:
        self.call = call
        self.events: list[Any] = []
        self.cursor = ""
        self._answers = aiter(call)

    async def next(self, seconds: float = 20.0) -> Any:
        """The next answer."""
        async with asyncio.timeout(seconds):
            answer = await anext(self._answers)
        self.events += answer.events
        self.cursor = answer.cursor
        return answer

    async def to_the_end(self) -> list[Any]:
        """Everything up to the next heartbeat."""
        while (await self.next()).events:
            pass
        return self.events

    async def until(self, count: int, seconds: float = 30.0) -> list[Any]:
        """Everything until there are `count` events."""
        async with asyncio.timeout(seconds):
            while len(self.events) < count:
                await self.next(seconds)
        return self.events


@asynccontextmanager
async def watching(stub: Any, **request: Any) -> AsyncIterator[Watch]:
    call = stub.WatchEvents(state_pb2.WatchEventsRequest(**request))
    try:
        yield Watch(call)
    finally:
        call.cancel()
