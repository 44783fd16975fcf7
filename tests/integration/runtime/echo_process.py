"""The echo service as a process: prints its port when it listens, and what it sees."""

import asyncio
import sys
import time
from typing import Any

from daylily_runtime import Server, ServerSettings, configure_logging, run
from tests.integration.runtime.echo_service import ERRORS, NAME, Echo, add_echo


class TellingEcho(Echo):
    async def get(self, request: bytes, context: Any) -> bytes:
        if request == b"block the loop":
            sys.stdout.write("blocked\n")
            sys.stdout.flush()
            time.sleep(60)  # noqa: ASYNC251 - a bug in a handler, on purpose
        if request.startswith(b"sleep "):
            await asyncio.sleep(float(request.removeprefix(b"sleep ")))
            sys.stdout.write("call ends\n")
        return await super().get(request, context)


async def build(server: Server) -> None:
    echo = TellingEcho()
    echo.server = server

    async def close() -> None:
        sys.stdout.write("store closes\n")

    async def crash() -> None:
        await asyncio.sleep(0.1)
        raise ValueError("bug")

    server.on_close("store", close)
    server.add_service(NAME, add_echo, echo)
    if "crash" in sys.argv:
        server.background("reaper", crash)
    if "slow" in sys.argv:
        sys.stdout.write("building\n")
        sys.stdout.flush()
        await asyncio.sleep(60)


def main() -> None:
    settings = ServerSettings.load_or_exit(insecure="--insecure" in sys.argv or None)
    configure_logging(settings.log_level, settings.log_format)
    server = Server("echo", settings, build, errors=ERRORS)

    def ready() -> None:
        sys.stdout.write(f"{server.port}\n")
        sys.stdout.flush()

    sys.exit(run(server, ready=ready))


if __name__ == "__main__":
    main()
