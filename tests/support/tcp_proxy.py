"""A TCP proxy before a gRPC server: it loses answers, falls silent, and cuts connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field


@dataclass
class TcpProxy:
    """Forwards connections to one port of the loopback.

    Attributes:
        upstream: the port that it forwards to.
        port: where it listens.
        losing_answers: what the server says is thrown away; what the client says arrives.
    """

    upstream: int
    port: int = 0
    losing_answers: bool = False
    _silent: set[int] = field(default_factory=set)
    _connections: dict[int, list[asyncio.StreamWriter]] = field(default_factory=dict)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def silence(self) -> None:
        """Carry nothing over the connections there are, and keep them open; new ones work.

        So a machine looks that lost its power: no word, no end.
        """
        self._silent |= set(self._connections)

    def cut(self) -> None:
        """Close every connection."""
        for writers in self._connections.values():
            for writer in writers:
                writer.close()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        number = id(writer)
        self._track(asyncio.current_task())
        self._connections[number] = [writer]
        try:
            answers, requests = await asyncio.open_connection("127.0.0.1", self.upstream)
        except OSError:
            writer.close()
            del self._connections[number]
            return
        self._connections[number].append(requests)
        for task in (
            asyncio.create_task(self._carry(number, reader, requests, answering=False)),
            asyncio.create_task(self._carry(number, answers, writer, answering=True)),
        ):
            self._track(task)

    async def _carry(
        self,
        number: int,
        source: asyncio.StreamReader,
        sink: asyncio.StreamWriter,
        *,
        answering: bool,
    ) -> None:
        try:
            while data := await source.read(65536):
                if number in self._silent or (answering and self.losing_answers):
                    continue
                sink.write(data)
                await sink.drain()
        except OSError:
            pass
        finally:
            if number not in self._silent:
                sink.close()

    async def close(self) -> None:
        """End everything."""
        self.cut()
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _track(self, task: asyncio.Task[None] | None) -> None:
        if task is not None:
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)


@asynccontextmanager
async def tcp_proxy(upstream: int) -> AsyncIterator[TcpProxy]:
    """A `TcpProxy` that listens, closed at the end."""
    proxy = TcpProxy(upstream)
    server = await asyncio.start_server(proxy.accept, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.close()
