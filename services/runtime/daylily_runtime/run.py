"""Servers as a process: signals, failures, exit codes."""

import asyncio
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Protocol

import structlog

from daylily_runtime.lifecycle import wait_first
from daylily_runtime.server import BackgroundTaskError, stop_all
from daylily_runtime.wire import StartError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

EXIT_OK = 0
EXIT_FAILED = 1
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Runnable(Protocol):
    """What can be run in this process: a `Server`, or something else that begins and ends like one."""

    async def start(self) -> None:
        """Begin to serve. Raises `StartError` where it cannot."""

    async def stop(self) -> None:
        """Stop in order; safe twice, and before `start`."""

    async def failed(self) -> BackgroundTaskError:
        """Return what failed, when something did that it cannot go on without."""


def run(*servers: Runnable, ready: Callable[[], None] | None = None) -> int:
    """`serve` on an event loop of its own. For `sys.exit(run(server))`."""
    return asyncio.run(serve(*servers, ready=ready))


async def serve(*servers: Runnable, ready: Callable[[], None] | None = None) -> int:
    """Run servers in this process until SIGTERM, SIGINT or a failure, and give the exit code.

    They start in order, so a later one can use the ports of earlier ones in its build, and stop
    in reverse order. The first signal stops them in order; a second one ends the process at once
    with 128 + its number. Outside of the main thread there are no signals.

    Args:
        servers: not started yet.
        ready: called when all of them listen.

    Returns:
        0 after a signal, 1 when a server could not start or a background task failed.
    """
    stop = asyncio.Event()
    started: list[Runnable] = []
    with _signals(stop):
        try:
            for server in servers:
                started.append(server)
                if await wait_first(server.start(), stop):
                    return EXIT_OK
            if ready is not None:
                ready()
            if await wait_first(stop, *(server.failed() for server in servers)):
                return EXIT_FAILED
            return EXIT_OK
        except StartError as error:
            _log.error("cannot_start", error=str(error))
            return EXIT_FAILED
        finally:
            await stop_all(started)


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    loop = asyncio.get_running_loop()
    received = False

    # Not loop.add_signal_handler: a second signal has to work while the loop is stuck, too.
    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal received
        if received:
            sys.stderr.flush()
            os._exit(128 + number)
        received = True
        loop.call_soon_threadsafe(_begin_stop, stop, number)

    before = {number: signal.signal(number, handle) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _begin_stop(stop: asyncio.Event, number: int) -> None:
    _log.info("signal_received", signal=signal.Signals(number).name)
    stop.set()
