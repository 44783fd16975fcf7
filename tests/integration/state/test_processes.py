"""The command `daylily-state` as processes of their own: started, killed, stopped."""

import asyncio
import json
import os
import signal
import sys
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import pytest
from daylily.state.v1 import state_pb2, state_pb2_grpc

from tests.integration.state.asking import acquire, events, get, register, run
from tests.integration.state.refusals import refusal
from tests.integration.state.watching import watching
from tests.support.stores import own_prefix

COMMAND = str(Path(sys.executable).with_name("daylily-state"))


class Process:
    """A running `daylily-state serve` and a connection to it."""

    def __init__(self, process, stub):
        self.process = process
        self.stub = stub

    async def end(self, number):
        """Sends a signal, and gives the exit code."""
        self.process.send_signal(number)
        async with asyncio.timeout(20):
            return await self.process.wait()


@asynccontextmanager
async def serving(**settings):
    async with AsyncExitStack() as stack:
        process = await asyncio.create_subprocess_exec(
            COMMAND,
            "serve",
            env={**os.environ, "DAYLILY_PORT": "0", "DAYLILY_DRAIN_SECONDS": "1", **settings},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        stack.push_async_callback(gone, process)
        address = await listening(process)
        # Its output goes on; nobody may be kept waiting for a full pipe.
        drain = asyncio.create_task(process.stdout.read())
        stack.callback(drain.cancel)
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(address))
        yield Process(process, state_pb2_grpc.StateServiceStub(channel))


async def gone(process):
    if process.returncode is None:
        process.kill()
        await process.wait()


async def listening(process):
    """The address that the log tells; a server that does not start fails the test by its words."""
    said = []
    async with asyncio.timeout(30):
        async for line in process.stdout:
            said.append(line.decode())
            try:
                entry = json.loads(line)
            except ValueError:
                continue
            if entry.get("event") == "listening":
                return entry["address"]
    raise AssertionError("".join(said))


@pytest.fixture
def on_file(tmp_path):
    return {"DAYLILY_SQLITE_PATH": str(tmp_path / "state.db")}


async def test_two_processes_on_one_file_lose_nothing_when_one_is_killed(on_file):
    async with serving(**on_file) as stays, serving(**on_file) as dies:
        answered = []

        async def busy(process, letter):
            for number in range(1000):
                await register(process.stub, f"{letter}{number}")
                answered.append(f"{letter}{number}")

        async with watching(stays.stub) as watch:
            await watch.next()
            tasks = [asyncio.create_task(busy(dies, "a")), asyncio.create_task(busy(stays, "b"))]
            async with asyncio.timeout(20):
                while len(answered) < 60:  # noqa: ASYNC110 - whoever is quicker
                    await asyncio.sleep(0.01)
            await dies.end(signal.SIGKILL)
            ended = await asyncio.gather(tasks[0], return_exceptions=True)
            tasks[1].cancel()
            await asyncio.gather(tasks[1], return_exceptions=True)
            assert isinstance(ended[0], grpc.aio.AioRpcError)
            await register(stays.stub, "last")
            async with asyncio.timeout(30):
                while not {*answered, "last"} <= {event.workset_id for event in watch.events}:
                    await watch.next()
        seen = [event.workset_id for event in watch.events]
        assert len(seen) == len(set(seen))
        assert any(name.startswith("a") for name in answered)


async def test_what_was_answered_outlives_kill_and_sigterm_ends_well(on_file):
    async with serving(**on_file) as first:
        await register(first.stub, "ws-1")
        token = await run(first.stub, "ws-1")
        assert await first.end(signal.SIGKILL) == -signal.SIGKILL
    async with serving(**on_file) as second:
        assert (await get(second.stub, "ws-1")).lock.token == token
        assert [event.version for event in await events(second.stub, "ws-1")] == [1, 2, 3]
        async with watching(second.stub) as watch:
            await watch.next()
            ending = asyncio.create_task(second.end(signal.SIGTERM))
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await watch.next()
        assert refusal(ended.value).reason == "STOPPING"
        assert await ending == 0


async def test_tables_are_created_by_a_command_and_then_served(dynamodb_local):
    settings = {
        "DAYLILY_STORE": "dynamodb",
        "DAYLILY_DYNAMODB_ENDPOINT": dynamodb_local.endpoint_url,
        "DAYLILY_AWS_REGION": dynamodb_local.region,
        "DAYLILY_TABLE_PREFIX": own_prefix(),
        "AWS_ACCESS_KEY_ID": dynamodb_local.access_key_id,
        "AWS_SECRET_ACCESS_KEY": dynamodb_local.secret_access_key,
    }
    for _ in range(2):  # the second time everything is there
        creating = await asyncio.create_subprocess_exec(
            COMMAND,
            "create-tables",
            env={**os.environ, **settings},
            stdout=asyncio.subprocess.PIPE,
        )
        said, _ = await creating.communicate()
        assert (creating.returncode, said.decode()) == (0, "Everything is there.\n")
    async with serving(**settings) as process:
        await register(process.stub, "ws-1")
        assert await acquire(process.stub, "ws-1") == 1
        depth = await process.stub.GetQueueDepth(state_pb2.GetQueueDepthRequest())
        assert depth.total == 1
        assert await process.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"DAYLILY_SQLITE_PATH": "/no/such/folder/state.db"}, "/no/such/folder/state.db"),
        ({"DAYLILY_HOST": "0.0.0.0"}, "DAYLILY_TLS_CERT"),
        ({"DAYLILY_STORE": "oracle"}, "DAYLILY_STORE"),
        ({"DAYLILY_RETRY_LONGEST_SECONDS": "-1"}, "DAYLILY_RETRY_LONGEST_SECONDS"),
    ],
)
async def test_a_server_that_cannot_start_says_why(settings, words):
    process = await asyncio.create_subprocess_exec(
        COMMAND,
        "serve",
        env={**os.environ, "DAYLILY_PORT": "0", **settings},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    async with asyncio.timeout(30):
        said, _ = await process.communicate()
    assert process.returncode != 0
    assert words in said.decode()
    assert "Traceback" not in said.decode()
