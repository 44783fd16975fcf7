"""Knowing that the server is stopping, and waiting for that and something else at once."""

import asyncio
from collections.abc import Awaitable


class Lifecycle:
    """Says when a server begins to stop. Every stream and long poll has to end then.

    Example:
        await wait_first(something_new, clock.sleep(max_wait), lifecycle.stopping)
        if lifecycle.is_stopping: ...
    """

    def __init__(self) -> None:
        self.stopping = asyncio.Event()
        """Set once, by the first call of `Server.stop`. Never cleared."""

    @property
    def is_stopping(self) -> bool:
        return self.stopping.is_set()


async def wait_first(*waits: asyncio.Event | Awaitable[object]) -> int:
    """Wait until one of `waits` is over and give its index (the lowest, if several are).

    An event counts when it is set; one that is set already returns at once, without giving up
    control. Coroutines that are not over by then are cancelled, and so are all of them when the
    caller is cancelled. An exception of the one that was first is raised.
    """
    for index, wait in enumerate(waits):
        if isinstance(wait, asyncio.Event) and wait.is_set():
            _discard(waits)
            return index
    tasks = [asyncio.ensure_future(_awaitable(wait)) for wait in waits]
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        index = next(i for i, task in enumerate(tasks) if task.done())
        tasks[index].result()
    finally:
        for task in tasks:
            task.cancel()
        # Until the cancelled ones have ended, they may still hold what they waited with.
        await asyncio.gather(*tasks, return_exceptions=True)
    return index


def _awaitable(wait: asyncio.Event | Awaitable[object]) -> Awaitable[object]:
    return wait.wait() if isinstance(wait, asyncio.Event) else wait


def _discard(waits: tuple[asyncio.Event | Awaitable[object], ...]) -> None:
    """Close coroutines that nobody will await, so that Python does not warn about them."""
    for wait in waits:
        if asyncio.iscoroutine(wait):
            wait.close()
