"""GET /worksets/{id} by the gateway, beside the gRPC call that it wraps and a bare FastAPI handler.

The handler makes the same gRPC call, in a process of its own, and shows the answer by protobuf's own
conversion. Everything on SQLite.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.http_load import get_often
from benchmarks.measure import Took, in_turns, together
from benchmarks.processes import on_sqlite, services
from benchmarks.report import Figure, at_least, at_most
from daylily_client import AsyncStateClient, StateClient, struct
from tests.support.ports import free_port, wait_until_listening

SMALL = ("--requests", "8", "--connections", "2", "--rounds", "1")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--requests", type=int, default=600, help="of each side, each round")
    parser.add_argument("--connections", type=int, default=16, help="at once, for the rate")
    parser.add_argument("--rounds", type=int, default=6, help="of all sides, in turns")


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, services(Path(folder)) as running:
        state = running.start("state", on_sqlite(running.folder))
        gateway = running.start("gateway", {"DAYLILY_STATE_ADDRESS": state})
        bare_port = free_port()
        running.run("benchmarks.bare_handler", state, str(bare_port))
        wait_until_listening(bare_port)
        with StateClient(state) as client:
            client.register_workset(
                workset_id="ws-1",
                bucket="lab",
                prefix="runs/ws-1/",
                labels={"run": "R1"},
                metadata=struct({"samples": 7, "reference": "GRCh38"}),
            )
        ours = f"http://{gateway}/worksets/ws-1"
        bare = f"http://127.0.0.1:{bare_port}/worksets/ws-1"
        many, each = given.connections, max(1, given.requests // given.connections)
        sides: dict[str, Callable[[], Took]] = {
            "grpc": lambda: asyncio.run(_call(state, given.requests)),
            "gateway": lambda: get_often(ours, 1, given.requests),
            "bare": lambda: get_often(bare, 1, given.requests),
            "gateway, many": lambda: get_often(ours, many, each),
            "bare, many": lambda: get_often(bare, many, each),
        }
        took = {name: together(rounds) for name, rounds in in_turns(given.rounds, sides).items()}
    call, alone = took["grpc"].percentile(50), took["gateway"].percentile(50)
    yield Figure("the gRPC call, p50", call, "ms")
    yield Figure("bare handler, p50", took["bare"].percentile(50), "ms")
    yield Figure("gateway, p50", alone, "ms")
    yield Figure("added to the gRPC call, p50", alone - call, "ms", to_reach=at_most(3))
    bare_rate, rate = took["bare, many"].per_second, took["gateway, many"].per_second
    yield Figure(f"bare handler, {many} at once", bare_rate, "/s", more_is_better=True)
    yield Figure(
        f"gateway, {many} at once",
        rate,
        "/s",
        rate / bare_rate,
        at_least(0.85),
        more_is_better=True,
    )


async def _call(address: str, count: int) -> Took:
    taken = []
    async with AsyncStateClient(address) as state:
        await state.get_workset(workset_id="ws-1")
        begun = time.perf_counter()
        for _ in range(count):
            sent = time.perf_counter()
            await state.get_workset(workset_id="ws-1")
            taken.append(time.perf_counter() - sent)
    return Took(taken, time.perf_counter() - begun)
