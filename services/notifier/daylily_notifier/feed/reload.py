"""Reading the configuration again on SIGHUP."""

import asyncio
import signal
import threading
from collections.abc import Callable

import structlog

from daylily_notifier.config.errors import ConfigError
from daylily_notifier.config.load import NotifierConfig
from daylily_notifier.feed.roster import Roster

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Reload:
    """Takes over a new configuration if it is right, and keeps the one in force if not.

    Args:
        roster: the channels that are open.
        read: reads and validates the configuration.
    """

    def __init__(self, roster: Roster, read: Callable[[], NotifierConfig]) -> None:
        self._roster = roster
        self._read = read
        self._one_at_a_time = asyncio.Lock()
        self._tasks: set[asyncio.Task[bool]] = set()
        self._listening = False

    def listen(self) -> None:
        """Read again whenever SIGHUP comes; outside of the main thread there are no signals."""
        if threading.current_thread() is threading.main_thread():
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, self._begin)
            self._listening = True

    async def again(self) -> bool:
        """Read it now. Whether it was taken over."""
        async with self._one_at_a_time:
            try:
                config = await asyncio.to_thread(self._read)
            except ConfigError as error:
                _log.error("configuration_refused", faults=list(error.faults))
                return False
            await self._roster.apply(config)
            return True

    async def close(self) -> None:
        """Listen no more."""
        if self._listening:
            asyncio.get_running_loop().remove_signal_handler(signal.SIGHUP)
            self._listening = False
        for task in [*self._tasks]:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _begin(self) -> None:
        task = asyncio.create_task(self.again())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
