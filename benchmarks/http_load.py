"""Requests over connections that stay open, by a client so thin that it is not what is measured."""

import asyncio
import time
from urllib.parse import urlsplit

from benchmarks.measure import Took


def get_often(url: str, connections: int, each: int) -> Took:
    """GET the same address over some connections at once, so often on each.

    Raises:
        RuntimeError: an answer was not 200.
    """
    return asyncio.run(_get_often(url, connections, each))


async def _get_often(url: str, connections: int, each: int) -> Took:
    taken: list[float] = []
    begun = time.perf_counter()
    await asyncio.gather(*(_connection(url, each, taken) for _ in range(connections)))
    return Took(taken, time.perf_counter() - begun)


async def _connection(url: str, count: int, taken: list[float]) -> None:
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    request = f"GET {parts.path} HTTP/1.1\r\nhost: {parts.netloc}\r\n\r\n".encode()
    try:
        for _ in range(count):
            begun = time.perf_counter()
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            status, length = _status_and_length(head)
            body = await reader.readexactly(length)
            if status != "200":
                raise RuntimeError(f"{url} answered {status}: {body[:200]!r}")
            taken.append(time.perf_counter() - begun)
    finally:
        writer.close()


def _status_and_length(head: bytes) -> tuple[str, int]:
    first, *lines = head.decode("latin-1").split("\r\n")
    fields = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
    return first.split(" ", 2)[1], int(fields["content-length"])
