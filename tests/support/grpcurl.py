"""The real grpcurl, against a server that runs in this event loop or elsewhere."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.support.tools import require_tool


@dataclass(frozen=True)
class Answer:
    """What grpcurl printed, and its exit code (64 + the gRPC status code of a failed call)."""

    exit_code: int
    stdout: str
    stderr: str

    @property
    def message(self) -> Any:
        """The answer of a unary call.

        Raises:
            AssertionError: the call failed; the message is what grpcurl said.
        """
        assert self.exit_code == 0, self.stderr
        return json.loads(self.stdout)


async def run_grpcurl(*arguments: str, seconds: float = 20) -> Answer:
    """Run grpcurl with these arguments; the test skips without it.

    Raises:
        TimeoutError: it did not end within `seconds`; it is killed.
    """
    process = await asyncio.create_subprocess_exec(
        require_tool("grpcurl"),
        *arguments,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        async with asyncio.timeout(seconds):
            stdout, stderr = await process.communicate()
    except TimeoutError:
        process.kill()
        await process.wait()
        raise
    exit_code = process.returncode
    assert exit_code is not None
    return Answer(exit_code, stdout.decode(), stderr.decode())


async def grpcurl(address: str, method: str, request: Mapping[str, Any] | None = None) -> Answer:
    """Call `package.Service/Method` at `address` in plain text, described by reflection."""
    return await run_grpcurl("-plaintext", "-d", json.dumps(request or {}), address, method)
