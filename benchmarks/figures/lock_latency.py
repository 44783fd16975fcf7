"""AcquireLock against the same read and write by a bare loop through PynamoDB, on DynamoDB Local.

One caller at a time on both sides; the loop is a process of its own. Both read one strong batch (the
workset, its details, the request id, the lane's next slot) and write one transaction (the event, the
workset, the request id); the bare loop knows before what it will write.
"""

import argparse
import asyncio
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

from daylily.workset.v1 import workset_pb2

from benchmarks.bare import MEMORY_MB, VCPUS, BareLoops
from benchmarks.measure import Took, in_turns, together
from benchmarks.processes import on_dynamodb, services
from benchmarks.report import Figure, at_most
from daylily_client import AsyncStateClient, duration
from tests.support.dynamodb_local import run_dynamodb_local

SMALL = ("--rounds", "1", "--locks", "5")
LEASE = duration(900)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=20, help="of both sides, in turns")
    parser.add_argument("--locks", type=int, default=50, help="taken in each round")


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        run_dynamodb_local() as local,
        services(Path(folder)) as running,
    ):
        state = running.start("state", on_dynamodb(local))
        loops = BareLoops(running, local, loops=1, on_cluster=False)
        took = in_turns(
            given.rounds,
            {
                "AcquireLock": lambda: asyncio.run(acquire_all(state, given.locks)),
                "bare": lambda: loops.run(given.locks),
            },
        )
    ours, bare = together(took["AcquireLock"]), together(took["bare"])
    for percent, to_reach in ((50, at_most(1.5)), (99, None)):
        one, other = ours.percentile(percent), bare.percentile(percent)
        yield Figure(f"bare read and write, p{percent}", other, "ms")
        yield Figure(f"AcquireLock, p{percent}", one, "ms", one / other, to_reach)


async def acquire_all(address: str, count: int) -> Took:
    """One caller takes so many locks, one after the other."""
    async with AsyncStateClient(address) as state:
        ids = [f"ws-{uuid.uuid4().hex}" for _ in range(count)]
        for workset_id in ids:
            await state.register_workset(
                workset_id=workset_id,
                bucket="lab",
                prefix=f"runs/{workset_id}/",
                requirements=workset_pb2.Requirements(vcpus=VCPUS, memory_gb=MEMORY_MB / 1024),
            )
        took = []
        for workset_id in ids:
            begun = time.perf_counter()
            await state.acquire_lock(workset_id=workset_id, owner_id="loop", lease=LEASE)
            took.append(time.perf_counter() - begun)
        return Took(took, sum(took))
