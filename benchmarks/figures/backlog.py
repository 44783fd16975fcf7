"""A backlog on SQLite, and monitors that work it off without a pipeline in between."""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from daylily.workset.v1 import workset_pb2

from benchmarks.measure import Measurements
from benchmarks.processes import Addresses, on_sqlite, one_of_each, services
from benchmarks.report import Figure
from daylily_client import AsyncSchedulerClient, AsyncStateClient, ClientOptions, duration

SMALL = ("--worksets", "12", "--monitors", "3")
LEASE = duration(900)
RENEWALS = 3
WATCHED = "commit to watcher"
PRIORITIES = (
    workset_pb2.PRIORITY_URGENT,
    workset_pb2.PRIORITY_NORMAL,
    workset_pb2.PRIORITY_NORMAL,
    workset_pb2.PRIORITY_LOW,
)


@dataclass(frozen=True)
class Backlog:
    """How much there is to do, and how many do it.

    Attributes:
        worksets: in the queue before the first claim.
        monitors: claiming and reporting at once, each for a cluster of its own.
    """

    worksets: int
    monitors: int


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--worksets", type=int, default=2000, help="in the queue at the start")
    parser.add_argument("--monitors", type=int, default=16, help="working it off at once")


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    backlog = Backlog(given.worksets, given.monitors)
    with tempfile.TemporaryDirectory() as folder, services(Path(folder)) as running:
        addresses = one_of_each(running, on_sqlite(running.folder))
        measurements = asyncio.run(work_off(backlog, addresses))
    for operation in measurements.taken:
        if operation != WATCHED:
            rate = measurements.per_second(operation)
            yield Figure(f"{operation}, per second", rate, "/s", more_is_better=True)
        for percent in (50, 99):
            took = measurements.percentile(operation, percent)
            yield Figure(f"{operation}, p{percent}", took, "ms")


async def work_off(backlog: Backlog, addresses: Addresses) -> Measurements:
    """Register the backlog, work it off while a watcher follows the feed, and measure it all.

    Raises:
        RuntimeError: not every workset was completed exactly once.
    """
    measurements = Measurements()
    options = ClientOptions(timeout=60)
    async with (
        AsyncStateClient(addresses.state, options) as state,
        AsyncSchedulerClient(addresses.scheduler, options) as scheduler,
    ):
        await _register(backlog, state, measurements)
        for number in range(backlog.monitors):
            await scheduler.register_cluster(
                cluster_name=f"c{number}", region="us-west-2", vcpus=192, memory_gb=768, slots=4
            )
        watcher = asyncio.create_task(_watch(backlog.worksets, state, measurements))
        await _until_the_scheduler_sees(backlog.worksets, scheduler)
        completed = await asyncio.gather(
            *(
                _monitor(f"c{number}", state, scheduler, measurements)
                for number in range(backlog.monitors)
            )
        )
        await asyncio.wait_for(watcher, timeout=60)
    done = [workset_id for ids in completed for workset_id in ids]
    if len(done) != backlog.worksets or len(set(done)) != backlog.worksets:
        raise RuntimeError(f"{len(done)} completions of {len(set(done))} worksets")
    return measurements


async def _register(backlog: Backlog, state: AsyncStateClient, measurements: Measurements) -> None:
    numbers = iter(range(backlog.worksets))

    async def register_some() -> None:
        for number in numbers:
            with measurements.timed("RegisterWorkset"):
                await state.register_workset(
                    workset_id=f"ws-{number}",
                    bucket="lab",
                    prefix=f"runs/ws-{number}/",
                    priority=PRIORITIES[number % len(PRIORITIES)],
                    customer_id=f"customer-{number % 7}",
                    requirements=workset_pb2.Requirements(vcpus=8, memory_gb=32),
                )

    await asyncio.gather(*(register_some() for _ in range(backlog.monitors)))


async def _until_the_scheduler_sees(worksets: int, scheduler: AsyncSchedulerClient) -> None:
    seen = 0
    while seen < worksets:
        await asyncio.sleep(0.05)
        stats = await scheduler.get_scheduler_stats()
        seen = stats.queue_urgent + stats.queue_normal + stats.queue_low


async def _monitor(
    cluster: str,
    state: AsyncStateClient,
    scheduler: AsyncSchedulerClient,
    measurements: Measurements,
) -> list[str]:
    """Claim, start, renew and complete until nothing is left; return the ids."""
    done: list[str] = []
    while True:
        with measurements.timed("ClaimNextWorkset"):
            claim = await scheduler.claim_next_workset(
                cluster_name=cluster, owner_id=cluster, lease=LEASE
            )
        if not claim.HasField("workset"):
            return done
        workset_id, token = claim.workset.workset_id, claim.lock_token
        with measurements.timed("UpdateState IN_PROGRESS"):
            await state.update_state(
                workset_id=workset_id,
                state=workset_pb2.WORKSET_STATE_IN_PROGRESS,
                lock_token=token,
            )
        for _ in range(RENEWALS):
            with measurements.timed("RenewLock"):
                await state.renew_lock(workset_id=workset_id, lock_token=token, lease=LEASE)
        with measurements.timed("UpdateState COMPLETE"):
            await state.update_state(
                workset_id=workset_id,
                state=workset_pb2.WORKSET_STATE_COMPLETE,
                lock_token=token,
            )
        done.append(workset_id)


async def _watch(completions: int, state: AsyncStateClient, measurements: Measurements) -> None:
    """Follow the feed until every workset is complete; from commit to here, by the same clock."""
    left = completions
    async for answer in state.watch_events():
        for event in answer.events:
            measurements.add(WATCHED, time.time() - event.occurred_at.ToNanoseconds() / 1e9)
            left -= event.to_state == workset_pb2.WORKSET_STATE_COMPLETE
        if not left:
            return
