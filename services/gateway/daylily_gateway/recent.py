"""What happened lately, for the page: the gateway follows the feed in its own name."""

import asyncio
from collections import deque
from contextlib import aclosing
from datetime import timedelta
from typing import Final

import structlog
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2

from daylily_client import AsyncStateClient, DaylilyError
from daylily_gateway.history import STEP, STEPS, Day, History
from daylily_runtime import Clock

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_KEPT: Final = 30
_PAUSE_SECONDS: Final = 30.0
_QUIET: Final = frozenset({event_pb2.EVENT_TYPE_CLUSTER_REPORTED})


class Recent:
    """The last events and the last day; `run` has to run in the background.

    Args:
        state: a client in the gateway's own name.
        clock: time.
    """

    def __init__(self, state: AsyncStateClient, clock: Clock) -> None:
        self.error = ""
        """Why there is nothing, in words; empty while the feed is followed."""
        self._state = state
        self._clock = clock
        self._events: deque[event_pb2.Event] = deque(maxlen=_KEPT)
        self._history = History()

    @property
    def events(self) -> list[event_pb2.Event]:
        """The last events, newest first; reports of clusters left out."""
        return sorted(self._events, key=_time, reverse=True)

    def day(self, depth: state_pb2.GetQueueDepthResponse) -> Day:
        """The last day, to these counts of now."""
        counts: dict[int, int] = {}
        for count in depth.counts:
            counts[count.state] = counts.get(count.state, 0) + count.count
        return self._history.day(self._clock.now(), counts)

    async def run(self) -> None:
        """Follow for ever. When state refuses, what is known is forgotten, and it is asked again."""
        while True:
            try:
                await self._follow()
            except DaylilyError as error:
                if error.reason != self.error:
                    _log.warning("feed_not_followed", error=str(error))
                self.error = error.message
                self._history = History()
                self._events.clear()
            await self._clock.sleep(_PAUSE_SECONDS)

    async def _follow(self) -> None:
        since = self._clock.now() - timedelta(seconds=STEP.total_seconds() * STEPS)
        async with aclosing(self._state.watch_events(since=since)) as feed:
            async for answer in feed:
                self.error = ""
                for event in answer.events:
                    self._history.apply(event)
                    if event.type not in _QUIET:
                        self._events.append(event)
                self._history.forget_before(self._clock.now())
                await asyncio.sleep(0)  # a day of events comes in one rush: others go in between


def _time(event: event_pb2.Event) -> tuple[int, int]:
    return event.occurred_at.seconds, event.occurred_at.nanos
