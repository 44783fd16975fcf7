"""HTTP servers that fail in the ways that servers fail."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Answer = Callable[[asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def http_server(answer: Answer) -> AsyncIterator[str]:
    """Serve every request by `answer`; yields the URL."""

    handling: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.add(asyncio.current_task())
        try:
            await reader.readuntil(b"\r\n\r\n")
            await answer(writer)
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        for task in handling:
            if task is not None:
                task.cancel()


def status(code: int, body: str = "", headers: str = "") -> Answer:
    """Answer with this status."""

    async def answer(writer: asyncio.StreamWriter) -> None:
        head = f"HTTP/1.1 {code} Status\r\nContent-Length: {len(body)}\r\n{headers}\r\n"
        writer.write(f"{head}{body}".encode())

    return answer


async def hang(writer: asyncio.StreamWriter) -> None:
    """Take the request and never answer."""
    del writer
    await asyncio.sleep(60)


async def drop(writer: asyncio.StreamWriter) -> None:
    """Take the request and close."""
    writer.close()


async def close_mid_answer(writer: asyncio.StreamWriter) -> None:
    """Promise more than comes."""
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n<Publish")
