"""How soon a scheduler serves with 100,000 worksets waiting, and what it answers people then.

It is started as a process of its own on a state that has them, and again after a SIGKILL. Its memory is that of
the process, against one on an empty queue, so that it can be told for each workset that waits.
"""

import argparse
import asyncio
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
from grpc_health.v1 import health_pb2, health_pb2_grpc

from benchmarks.claiming import OPTIONS
from benchmarks.footprint import cpu_seconds, resident_mib
from benchmarks.measure import progress
from benchmarks.processes import Services, services
from benchmarks.report import Figure, at_most
from benchmarks.stores import add_store_option, stores
from daylily_client import AsyncSchedulerClient

SMALL = ("--worksets", "50", "--restarts", "1", "--calls", "2", "--store", "sqlite")


def add_options(parser: argparse.ArgumentParser) -> None:
    add_store_option(parser)
    parser.add_argument("--worksets", type=int, default=100_000)
    parser.add_argument("--restarts", type=int, default=5)
    parser.add_argument(
        "--calls", type=int, default=20, help="EstimateWait and ExplainWorkset each"
    )


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, stores(given.store, Path(folder)) as made:
        empty, full = made.filled("none", 1), made.filled("full", given.worksets)
        with services(Path(folder)) as running:
            idle = running.start("state", empty.settings)
            state = running.start("state", full.settings)
            yield from asyncio.run(_starts(running, (idle, state), given))


@dataclass(frozen=True)
class Start:
    address: str
    serving: float
    cpu: float
    mib: float


async def _starts(
    running: Services, states: tuple[str, str], given: argparse.Namespace
) -> Sequence[Figure]:
    idle, state = states
    bare = await _start(running, idle)
    starts: list[Start] = []
    for number in range(given.restarts + 1):
        progress(f"start {number + 1} of {given.restarts + 1}")
        if starts:
            process = running.processes[starts[-1].address]
            process.kill()
            process.wait()
        starts.append(await _start(running, state))
    name = f"{given.worksets:,} waiting"
    seconds = max(start.serving for start in starts)
    bytes_each = (max(start.mib for start in starts) - bare.mib) * 2**20 / given.worksets
    return (
        Figure(f"{name}, scheduler until SERVING, longest", seconds, "s", to_reach=at_most(10)),
        Figure(f"{name}, processor time till then", max(start.cpu for start in starts), "s"),
        Figure(f"{name}, memory for each", bytes_each, "bytes"),
        *await _answers(starts[-1].address, name, given),
    )


async def _answers(address: str, name: str, given: argparse.Namespace) -> Sequence[Figure]:
    """To people, on a workset at the end of the queue."""
    last = f"ws-{given.worksets - 1}"
    found = []
    async with AsyncSchedulerClient(address, OPTIONS) as scheduler:
        await scheduler.register_cluster(cluster_name="c1", vcpus=192, memory_gb=384, slots=4)
        calls: dict[str, Any] = {
            "EstimateWait": scheduler.estimate_wait,
            "ExplainWorkset": scheduler.explain_workset,
        }
        for rpc, call in calls.items():
            took = []
            for _ in range(given.calls):
                begun = time.perf_counter()
                await call(workset_id=last)
                took.append(time.perf_counter() - begun)
            found.append(Figure(f"{name}, first {rpc}", 1000 * took[0], "ms"))
            found.append(Figure(f"{name}, {rpc}, median", 1000 * statistics.median(took), "ms"))
    return found


async def _start(running: Services, state: str) -> Start:
    begun = time.perf_counter()
    address = running.start("scheduler", {"DAYLILY_STATE_ADDRESS": state})
    async with grpc.aio.insecure_channel(address) as channel:
        health: Any = health_pb2_grpc.HealthStub(channel)
        while True:
            answer = await health.Check(health_pb2.HealthCheckRequest())
            if answer.status == health_pb2.HealthCheckResponse.SERVING:
                break
            await asyncio.sleep(0.01)
    serving = time.perf_counter() - begun
    process = running.processes[address]
    return Start(address, serving, cpu_seconds(process.pid), resident_mib(process.pid))
