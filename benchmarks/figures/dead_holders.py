"""From the end of a dead holder's lease until its workset is READY, on DynamoDB Local.

Holders are processes that renew leases of 10 s and are killed one after the other, without a word. The
time runs from the expiry that state last confirmed to the arrival of the event at a watcher; both
clocks are this machine's.
"""

import argparse
import asyncio
import random
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from daylily.workset.v1 import event_pb2, workset_pb2

from benchmarks.holder import LEASE_SECONDS
from benchmarks.measure import percentile, progress
from benchmarks.processes import Services, on_dynamodb, services
from benchmarks.report import Figure, at_most
from daylily_client import AsyncStateClient
from tests.support.dynamodb_local import run_dynamodb_local

SMALL = ("--holders", "1", "--locks", "2")
SECONDS_BETWEEN_KILLS = (0.3, 1.2)
SECONDS_TO_COME_BACK = 60


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--holders", type=int, default=20, help="processes that are killed")
    parser.add_argument("--locks", type=int, default=10, help="that each of them holds")


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        run_dynamodb_local() as local,
        services(Path(folder)) as running,
    ):
        state = running.start("state", on_dynamodb(local))
        ids = [
            [f"ws-{holder}-{number}" for number in range(given.locks)]
            for holder in range(given.holders)
        ]
        took = asyncio.run(_bury(running, state, ids))
    yield Figure("locks of killed holders", len(took), more_is_better=True)
    yield Figure("dead holder to READY, p50", percentile(took, 50), "s")
    yield Figure("dead holder to READY, p99", percentile(took, 99), "s", to_reach=at_most(5))


async def _bury(running: Services, address: str, ids: Sequence[Sequence[str]]) -> list[float]:
    """Seconds from the end of each lease to READY, of holders that were killed in between."""
    async with AsyncStateClient(address) as state:
        for workset_id in (workset_id for some in ids for workset_id in some):
            await state.register_workset(workset_id=workset_id, bucket="lab", prefix="p/")
        back: dict[str, float] = {}
        watcher = asyncio.create_task(_watch(state, back, sum(map(len, ids))))
        holders = []
        for some in ids:
            holders.append(running.run("benchmarks.holder", address, *some))
            await asyncio.to_thread(_until_it_holds, holders[-1])
        expiries: dict[str, float] = {}
        for number, (holder, some) in enumerate(zip(holders, ids, strict=True), 1):
            await asyncio.sleep(random.uniform(*SECONDS_BETWEEN_KILLS))
            progress(f"holder {number} of {len(holders)} is killed")
            holder.kill()
            holder.wait()
            expiries |= await _expiries(state, some)
        await asyncio.wait_for(watcher, LEASE_SECONDS + SECONDS_TO_COME_BACK)
    return [back[workset_id] - expiry for workset_id, expiry in expiries.items()]


def _until_it_holds(holder: "subprocess.Popen[str]") -> None:
    assert holder.stdout is not None
    if not holder.stdout.readline():
        raise RuntimeError(f"a holder ended with code {holder.wait()}")


async def _expiries(state: AsyncStateClient, ids: Sequence[str]) -> dict[str, float]:
    """When the locks run out that nobody will renew any more."""
    answer = await state.batch_get_worksets(workset_ids=ids)
    return {
        workset.workset_id: workset.lock.expires_at.ToNanoseconds() / 1e9
        for workset in answer.worksets
    }


async def _watch(state: AsyncStateClient, back: dict[str, float], count: int) -> None:
    async for answer in state.watch_events(from_beginning=True):
        for event in answer.events:
            if event.type == event_pb2.EVENT_TYPE_LOCK_TIMEOUT:
                assert event.to_state == workset_pb2.WORKSET_STATE_READY
                back[event.workset_id] = time.time()
        if len(back) == count:
            return
