"""A TCP proxy that a test opens and closes: a service that is away, or whose answers get lost."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from urllib.parse import urlsplit

from tests.support.ports import free_port


class Gate:
    """Forwards connections while it is open; closed, nobody listens on its port."""

    def __init__(self, target_url: str) -> None:
        self._target = urlsplit(target_url)
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.answers_to_drop = 0
        self.connections = 0
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None] | None] = set()

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._forward, "127.0.0.1", self.port)

    async def close(self) -> None:
        if self._server is not None:
            self._server.close()
            self._server = None
        for task in self._tasks:
            if task is not None:
                task.cancel()
        self._tasks.clear()
        await asyncio.sleep(0)

    async def _forward(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._tasks.add(asyncio.current_task())
        self.connections += 1
        try:
            there, back = await asyncio.open_connection(self._target.hostname, self._target.port)
            with closing(back):
                async with asyncio.TaskGroup() as pipes:
                    pipes.create_task(self._requests(reader, back))
                    pipes.create_task(self._answers(there, writer))
        except* (OSError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    async def _requests(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            sink.write(data)
            await sink.drain()
        sink.close()

    async def _answers(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        while data := await source.read(65536):
            if self.answers_to_drop:
                self.answers_to_drop -= 1
                break
            sink.write(data)
            await sink.drain()
        sink.close()


@asynccontextmanager
async def gate(target_url: str) -> AsyncIterator[Gate]:
    """A gate before `target_url`, closed at first."""
    made = Gate(target_url)
    try:
        yield made
    finally:
        await made.close()
