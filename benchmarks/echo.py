"""A bare grpc.aio server that answers what it is sent, `python -m benchmarks.echo PORT`, and its callers."""

import asyncio
import sys
import time
from collections.abc import Callable
from typing import Any

import grpc
import grpc.aio

from benchmarks.measure import Took
from benchmarks.processes import Services
from tests.support.ports import free_port, wait_until_listening

METHOD = "/benchmarks.Echo/Echo"
MESSAGE = bytes(200)  # about as long as a claim and its answer


def start_echo(running: Services) -> str:
    """The server as a process of its own; its address."""
    port = free_port()
    process = running.run("benchmarks.echo", str(port))
    wait_until_listening(port, still_running=lambda: process.poll() is None)
    return f"127.0.0.1:{port}"


def echoing(address: str, callers: int, each: int) -> Callable[[], Took]:
    """`echo_all` as a side of a comparison."""
    return lambda: asyncio.run(echo_all(address, callers, each))


async def echo_all(address: str, callers: int, each: int) -> Took:
    """So many callers make so many calls each, one after the other."""
    async with grpc.aio.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(METHOD)
        await call(MESSAGE, wait_for_ready=True)

        async def one_caller() -> list[float]:
            took = []
            for _ in range(each):
                begun = time.perf_counter()
                await call(MESSAGE)
                took.append(time.perf_counter() - begun)
            return took

        begun = time.perf_counter()
        took = await asyncio.gather(*(one_caller() for _ in range(callers)))
        seconds = time.perf_counter() - begun
    return Took([one for some in took for one in some], seconds)


async def _answer(request: bytes, _: Any) -> bytes:
    return request


async def _serve(port: int) -> None:
    server = grpc.aio.server()
    _, service, method = METHOD.split("/")
    handler: Any = grpc.unary_unary_rpc_method_handler(_answer)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler(service, {method: handler}),)
    )
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


if __name__ == "__main__":
    asyncio.run(_serve(int(sys.argv[1])))
