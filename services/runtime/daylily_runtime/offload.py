"""The one seam between the event loop and blocking libraries."""

import asyncio
import contextvars
import queue
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import ParamSpec, TypeVar

import structlog

from daylily_runtime.calls import time_remaining

P = ParamSpec("P")
T = TypeVar("T")
V = TypeVar("V")

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class OffloadSaturatedError(Exception):
    """Every worker is busy and the queue is full. Nothing was started."""


class OffloadTimeoutError(TimeoutError):
    """The time was over before the blocking call returned.

    `started` says whether it had begun: then it goes on in its thread and its outcome is unknown.
    Otherwise it will never run.
    """

    def __init__(self, message: str, *, started: bool) -> None:
        super().__init__(message)
        self.started = started


class OffloadClosedError(RuntimeError):
    """The executor was closed. Nothing was started."""


class Offload:
    """Runs blocking calls in a bounded number of threads, with a bounded queue before them.

    A call that outlives its deadline keeps its worker until it returns, so a hung library shows
    as saturation and not as ever more threads. The threads are daemons: a hung call does not
    keep the process from ending.

    Args:
        workers: calls that run at the same time.
        waiting: calls that may wait for a worker; the next one is refused.
        name: of the threads, and in logs.
    """

    def __init__(self, *, workers: int, waiting: int, name: str) -> None:
        self._name = name
        self._limit = waiting
        self._free = asyncio.Semaphore(workers)
        self._waiting = 0
        self._running = 0
        self._idle = asyncio.Event()
        self._idle.set()
        self._closed = False
        self._threads = _Threads(workers, name)

    @property
    def running(self) -> int:
        """Calls in a thread now, abandoned ones too."""
        return self._running

    @property
    def waiting(self) -> int:
        """Calls that wait for a worker now."""
        return self._waiting

    async def run(
        self,
        call: Callable[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """`run_within(None, …)`: only the deadline of the RPC under way, if any, limits it."""
        return await self.run_within(None, call, *args, **kwargs)

    async def run_within(
        self,
        seconds: float | None,
        call: Callable[P, T],
        /,
        *args: P.args,
        **kwargs: P.kwargs,
    ) -> T:
        """Run `call` in a thread, and wait for it `seconds` at most, and not beyond the RPC.

        Cancelling the caller while `call` waits means that it never runs; once it runs, it goes
        on and what comes of it is dropped.

        Raises:
            OffloadSaturatedError: no worker and no place in the queue.
            OffloadTimeoutError: the time was over.
            OffloadClosedError: after `close`.
        """
        if self._closed:
            raise OffloadClosedError(f"{self._name} is closed")
        if self._free.locked() and self._waiting >= self._limit:
            raise OffloadSaturatedError(
                f"{self._name}: {self._running} calls run and {self._waiting} wait"
            )
        started = False
        scope = asyncio.timeout(_shortest(seconds, time_remaining()))
        try:
            async with scope:
                await self._take_worker()
                started = True
                context = contextvars.copy_context()
                return await self._start(lambda: context.run(call, *args, **kwargs))
        except TimeoutError:
            if not scope.expired():
                raise
            raise OffloadTimeoutError(f"{self._name}: no answer in time", started=started) from None

    async def close(self) -> None:
        """Refuse further calls, wait for those under way, end the threads. Safe twice.

        A hung call makes this hang: the caller limits it (`Server` does).
        """
        self._closed = True
        try:
            await self._idle.wait()
        finally:
            self._threads.end()

    async def _take_worker(self) -> None:
        self._waiting += 1
        try:
            await self._free.acquire()
        finally:
            self._waiting -= 1

    async def _start(self, call: Callable[[], T]) -> T:
        future = self._threads.submit(call)
        self._running += 1
        self._idle.clear()
        future.add_done_callback(self._finished)
        try:
            return await asyncio.shield(future)
        except asyncio.CancelledError:
            # Late or cancelled: nobody else will tell how a write ended whose outcome is unknown.
            future.add_done_callback(self._log_late)
            raise

    def _finished(self, future: "asyncio.Future[T]") -> None:
        self._running -= 1
        self._free.release()
        if not self._running:
            self._idle.set()
        if not future.cancelled():
            # Fetched here, as the caller may have gone: asyncio warns of exceptions nobody saw.
            future.exception()

    def _log_late(self, future: "asyncio.Future[T]") -> None:
        error = None if future.cancelled() else future.exception()
        _log.warning("offloaded_call_ended_late", executor=self._name, error=error and repr(error))


class _Threads:
    """Daemon threads that take calls in order, started as they are needed."""

    def __init__(self, limit: int, name: str) -> None:
        self._limit = limit
        self._name = name
        self._calls: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._started = 0
        self._unfinished = 0
        self._lock = threading.Lock()

    def submit(self, call: Callable[[], T]) -> "asyncio.Future[T]":
        """Run `call` in a thread; what comes of it arrives in the event loop that this is called in.

        The future is asyncio's own: wrapping one of concurrent.futures costs as much again as
        everything else here, twice for every request of a store.
        """
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()

        def work() -> None:
            try:
                result = call()
            except BaseException as error:  # noqa: BLE001 - it belongs to whoever awaits it
                self._done()
                _tell(loop, future.set_exception, error)
            else:
                self._done()
                _tell(loop, future.set_result, result)

        with self._lock:
            self._unfinished += 1
            grow = self._unfinished > self._started and self._started < self._limit
            self._started += grow
        if grow:
            threading.Thread(
                target=self._work, name=f"{self._name}-{self._started}", daemon=True
            ).start()
        self._calls.put(work)
        return future

    def end(self) -> None:
        for _ in range(self._started):
            self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()

    def _done(self) -> None:
        with self._lock:
            self._unfinished -= 1


def _tell(loop: asyncio.AbstractEventLoop, tell: Callable[[V], None], what: V) -> None:
    # A call may outlive the event loop that waited for it; then nobody is there to be told.
    with suppress(RuntimeError):
        loop.call_soon_threadsafe(tell, what)


def _shortest(*limits: float | None) -> float | None:
    return min((limit for limit in limits if limit is not None), default=None)
