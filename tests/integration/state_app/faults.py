"""A real store that a test can take away, slow down or stop in the middle of a call."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from typing import Any

from daylily_runtime import Clock
from daylily_state.domain.errors import OutcomeUnknownError, StoreUnavailableError
from daylily_state.ports import Store


class FaultyStore:
    """Passes every call on to `store`, unless it is told otherwise.

    `calls` counts by method. While `down`, every call fails. `before[name]` is awaited before a call
    of that method. The next `lose_answers` commits go through and fail. The store's own clock is the
    test's, `clock_ahead` of it.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self.store = store
        self.clock = clock
        self.clock_ahead = timedelta(0)
        self.down = False
        self.calls: dict[str, int] = {}
        self.before: dict[str, Callable[..., Awaitable[None]]] = {}
        self.lose_answers = 0
        self._under_way = 0
        self._idle = asyncio.Event()
        self._idle.set()

    def __getattr__(self, name: str) -> Any:
        method = getattr(self.store, name)

        async def call(*args: Any, **kwargs: Any) -> Any:
            self.calls[name] = self.calls.get(name, 0) + 1
            if name in self.before:
                await self.before[name](*args, **kwargs)
            if self.down:
                raise StoreUnavailableError
            self._under_way += 1
            self._idle.clear()
            try:
                answer = await method(*args, **kwargs)
            finally:
                self._under_way -= 1
                if not self._under_way:
                    self._idle.set()
            if name == "commit" and self.lose_answers:
                self.lose_answers -= 1
                raise OutcomeUnknownError(event_id=args[0].event.event_id)
            if name == "heartbeat":
                return self.clock.now().replace(microsecond=0) + self.clock_ahead
            return answer

        return call

    async def idle(self) -> None:
        """Until no call is under way in the store."""
        await self._idle.wait()
