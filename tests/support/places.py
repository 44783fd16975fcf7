"""HTTP servers that stand in for services: they keep what they get, and answer as told."""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Request:
    """What came in."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Reply:
    """What goes out; `drop` takes the request and closes without a word."""

    status: int = 200
    body: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    drop: bool = False


@dataclass
class Place:
    """A server with a memory."""

    answer: Callable[[Request], Reply]
    url: str = ""
    requests: list[Request] = field(default_factory=list)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                request = await _request(reader)
                self.requests.append(request)
                reply = self.answer(request)
                if reply.drop:
                    break
                body = reply.body.encode()
                headers = {"Content-Length": str(len(body)), **reply.headers}
                lines = [f"HTTP/1.1 {reply.status} X", *(f"{k}: {v}" for k, v in headers.items())]
                writer.write("\r\n".join([*lines, "", ""]).encode() + body)
                await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


async def _request(reader: asyncio.StreamReader) -> Request:
    head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
    method, path, _ = head[0].split(" ")
    headers = {}
    for line in head[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    body = await reader.readexactly(int(headers.get("content-length", "0")))
    return Request(method, path, headers, body)


def always(status: int = 200, body: str = "", **headers: str) -> Callable[[Request], Reply]:
    """The same answer to everything."""
    reply = Reply(status, body, {name.replace("_", "-"): value for name, value in headers.items()})
    return lambda _: reply


@asynccontextmanager
async def place(
    answer: Callable[[Request], Reply], trust: ssl.SSLContext | None = None
) -> AsyncIterator[Place]:
    """A server that answers so; over TLS with `trust`."""
    made = Place(answer)
    handling: set[asyncio.Task[None]] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        handling.add(task)
        try:
            await made.handle(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            handling.discard(task)

    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=trust)
    scheme = "https" if trust else "http"
    async with server:
        host = "localhost" if trust else "127.0.0.1"
        made.url = f"{scheme}://{host}:{server.sockets[0].getsockname()[1]}"
        yield made
        for task in [*handling]:
            task.cancel()
        await asyncio.sleep(0)
