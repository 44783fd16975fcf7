"""A proxy before a replica of state, on the level of TCP: it refuses, hangs, delays and loses answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from enum import Enum
from functools import partial

_CHUNK = 65536
_DELAY = 0.25
_PAGE = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class Mode(Enum):
    """What the proxy does with what comes."""

    PASS = "carries everything"
    REFUSE = "closes every connection"
    ERROR = "closes every connection, new ones with status 500"
    HANG = "carries nothing, and keeps everything for later"
    DELAY = "carries everything late"
    DROP = "carries requests, throws answers away"


class StateProxy:
    """Forwards connections to ports of the loopback. `met` counts what met a fault.

    It may have several doors, each a port of its own that leads somewhere else; a fault is behind all.
    """

    def __init__(self) -> None:
        self.met = 0
        self._mode = Mode.PASS
        self._open = asyncio.Event()
        self._open.set()
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._servers: list[asyncio.Server] = []

    async def open_door(self, upstream: int) -> str:
        """An address that leads to this port."""
        server = await asyncio.start_server(partial(self._accept, upstream), "127.0.0.1", 0)
        self._servers.append(server)
        return f"127.0.0.1:{server.sockets[0].getsockname()[1]}"

    async def close(self) -> None:
        for server in self._servers:
            server.close()
        self._cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _track(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    @asynccontextmanager
    async def fault(self, mode: Mode) -> AsyncIterator[None]:
        """Behave so inside the block; what had its answers thrown away is cut off at the end."""
        self._mode = mode
        if mode is Mode.HANG:
            self._open.clear()
        if mode in {Mode.REFUSE, Mode.ERROR}:
            self.met += len(self._writers)
            self._cut()
        try:
            yield
        finally:
            if mode is Mode.DROP:
                self._cut()
            self._mode = Mode.PASS
            self._open.set()

    def _cut(self) -> None:
        for writer in list(self._writers):
            writer.transport.abort()
        self._writers.clear()

    async def _accept(
        self, upstream: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        if self._mode in {Mode.REFUSE, Mode.ERROR}:
            self.met += 1
            if self._mode is Mode.ERROR:
                writer.write(_PAGE)
            writer.close()
            return
        self._track(asyncio.current_task())
        self._writers.add(writer)
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", upstream)
        except OSError:
            writer.close()
            self._writers.discard(writer)
            return
        self._writers.add(requests)
        for carry in (
            partial(self._carry, reader, requests, answering=False),
            partial(self._carry, answers, writer, answering=True),
        ):
            self._track(asyncio.create_task(carry()))

    async def _carry(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter, *, answering: bool
    ) -> None:
        try:
            while data := await source.read(_CHUNK):
                if self._mode is not Mode.PASS:
                    self.met += 1
                if self._mode is Mode.DROP and answering:
                    continue
                if self._mode is Mode.DELAY:
                    await asyncio.sleep(_DELAY)
                await self._open.wait()
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            with suppress(OSError):
                sink.close()
            self._writers.discard(sink)
