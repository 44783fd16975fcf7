"""Signals, exit codes and what is written, with real processes."""

import asyncio
import json
import os
import signal
import sys
import time
from contextlib import asynccontextmanager
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from tests.integration.runtime.echo_service import NAME, Client

ROOT = Path(__file__).parents[3]
PATIENCE = 20  # seconds; nothing here takes more than a few


class Process:
    def __init__(self, process):
        self._process = process
        self.signal = process.send_signal
        self.lines = process.stdout

    async def line(self):
        return (await asyncio.wait_for(self._process.stdout.readline(), PATIENCE)).decode().strip()

    async def end(self):
        """Exit code, and what it wrote by then to stdout and stderr."""
        out, err = await asyncio.wait_for(self._process.communicate(), PATIENCE)
        return self._process.returncode, out.decode().split("\n")[:-1], err.decode()


@asynccontextmanager
async def process(*arguments, **environment):
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "tests.integration.runtime.echo_process",
        *arguments,
        cwd=ROOT,
        env=os.environ | environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield Process(child)
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()


@asynccontextmanager
async def listening(*arguments, **environment):
    async with process(*arguments, **environment) as child:
        port = int(await child.line())
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
            yield child, Client(channel)


def events(stderr):
    return [json.loads(line) for line in stderr.splitlines() if line.startswith("{")]


@pytest.mark.parametrize("which", [signal.SIGTERM, signal.SIGINT])
async def test_a_signal_turns_health_off_ends_streams_lets_calls_end_and_exits_with_0(which):
    async with listening() as (child, client):
        order = []
        health = health_pb2_grpc.HealthStub(client.channel)
        watch = health.Watch(health_pb2.HealthCheckRequest(service=NAME))
        assert (await watch.read()).status == health_pb2.HealthCheckResponse.SERVING
        stream = client.watch(b"for ever")
        for _ in range(3):
            await stream.read()
        call = asyncio.ensure_future(client.get(b"sleep 1"))
        await asyncio.sleep(0.2)  # until the call has arrived

        async def health_turns():
            assert (await watch.read()).status == health_pb2.HealthCheckResponse.NOT_SERVING
            order.append("health")

        async def stream_ends():
            assert await stream.read() == grpc.aio.EOF
            order.append("stream")

        async def call_ends():
            assert await call == b"sleep 1"
            order.append("call")

        child.signal(which)
        await asyncio.wait_for(asyncio.gather(health_turns(), stream_ends(), call_ends()), PATIENCE)
        code, out, err = await child.end()
    assert order == ["health", "stream", "call"]
    assert code == 0
    assert out == ["call ends", "store closes"]
    assert [e["event"] for e in events(err) if e["event"] != "call"] == [
        "health_changed",
        "listening",
        "signal_received",
        "stopping",
        "health_changed",
        "stopped",
    ]


async def test_a_second_signal_ends_at_once():
    async with listening() as (child, client):
        call = asyncio.ensure_future(client.get(b"sleep 60"))
        await asyncio.sleep(0.2)  # until the call has arrived
        child.signal(signal.SIGTERM)
        await asyncio.sleep(0.3)
        begun = time.monotonic()
        child.signal(signal.SIGTERM)
        code, out, _ = await child.end()
        assert time.monotonic() - begun < 2
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    assert code == 128 + signal.SIGTERM
    assert out == []


async def test_a_second_signal_ends_a_process_whose_event_loop_is_stuck():
    async with listening() as (child, client):
        call = asyncio.ensure_future(client.get(b"block the loop"))
        assert await child.line() == "blocked"
        child.signal(signal.SIGTERM)
        await asyncio.sleep(0.2)
        child.signal(signal.SIGINT)
        code, _, _ = await child.end()
        with pytest.raises(grpc.aio.AioRpcError):
            await call
    assert code == 128 + signal.SIGINT


async def test_a_signal_during_the_start_stops_and_closes():
    async with process("slow") as child:
        assert await child.line() == "building"
        child.signal(signal.SIGTERM)
        code, out, _ = await child.end()
    assert code == 0
    assert out == ["store closes"]


async def test_a_crashed_background_task_ends_the_process_with_1():
    async with listening("crash") as (child, _):
        code, out, err = await child.end()
    assert code == 1
    assert out == ["store closes"]
    failed = next(e for e in events(err) if e["event"] == "background_task_failed")
    assert failed["task"] == "reaper"
    assert "ValueError: bug" in failed["exception"]


@pytest.mark.parametrize(
    ("environment", "said"),
    [
        ({"DAYLILY_PORT": "many"}, "DAYLILY_PORT is 'many'"),
        ({"DAYLILY_PORT": "70000", "DAYLILY_LOG_LEVEL": "loud"}, "DAYLILY_LOG_LEVEL is 'loud'"),
        ({"DAYLILY_HOST": "0.0.0.0"}, "DAYLILY_HOST is '0.0.0.0'"),
        ({"DAYLILY_TLS_CERT": "/nowhere.pem"}, "DAYLILY_TLS_CERT is '/nowhere.pem'"),
    ],
)
async def test_wrong_settings_end_it_with_2_and_a_sentence(environment, said):
    async with process(**environment) as child:
        code, out, err = await child.end()
    assert code == 2
    assert out == []
    assert said in err
    assert "Traceback" not in err


async def test_a_flag_lets_it_listen_beyond_loopback():
    async with listening("--insecure", DAYLILY_HOST="0.0.0.0") as (child, client):
        assert await client.get(b"hi") == b"hi"
        child.signal(signal.SIGTERM)
        assert (await child.end())[0] == 0
