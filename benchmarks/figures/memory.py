"""Memory of each service with 100,000 waiting worksets and 200 watchers.

The watchers are streams of one process, half of the whole feed from now on and half of one type of event.
While they watch, worksets are claimed, completed and registered, so that all has been used once.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from daylily.workset.v1 import event_pb2, workset_pb2

from benchmarks.claiming import OPTIONS, until_the_queue_has
from benchmarks.footprint import resident_mib
from benchmarks.measure import progress
from benchmarks.patience import depth_however_long
from benchmarks.processes import Services, services, until_serving
from benchmarks.report import Figure
from benchmarks.stores import Filled, add_store_option, stores
from daylily_client import AsyncSchedulerClient, AsyncStateClient, duration
from daylily_state.domain.limits import MEMORY_MB_MAX, SLOTS_MAX, VCPUS_MAX

SMALL = ("--worksets", "50", "--watchers", "4", "--runs", "3", "--store", "sqlite")
CLUSTER = "c1"
SERVICES = ("state", "scheduler", "notifier")


def add_options(parser: argparse.ArgumentParser) -> None:
    add_store_option(parser)
    parser.add_argument("--worksets", type=int, default=100_000, help="that wait")
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--runs", type=int, default=100, help="from claim to completion meanwhile")


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, stores(given.store, Path(folder)) as made:
        empty, full = made.filled("empty", 0), made.filled("full", given.worksets)
        used: list[dict[str, float]] = []
        for filled, watchers in ((empty, 0), (full, given.watchers)):
            with services(Path(folder)) as running:
                used.append(asyncio.run(_used(running, filled, watchers, given.runs)))
    before, after = used
    for service in SERVICES:
        yield Figure(f"{service}, nothing waits, nobody watches", before[service], "MiB")
        yield Figure(
            f"{service}, {given.worksets:,} wait, {given.watchers} watch", after[service], "MiB"
        )
    for service in SERVICES[:2]:
        more = (after[service] - before[service]) * 1024 * 1024 / given.worksets
        yield Figure(f"{service}, for each workset that waits", more, "bytes")


async def _used(running: Services, filled: Filled, watchers: int, runs: int) -> dict[str, float]:
    """Memory of each service in MiB, once it has done its work."""
    address = running.start("state", filled.settings)
    told = {"DAYLILY_STATE_ADDRESS": address}
    at_scheduler = running.start("scheduler", told)
    async with (
        AsyncStateClient(address, OPTIONS) as state,
        AsyncSchedulerClient(at_scheduler, OPTIONS) as scheduler,
    ):
        notifier = running.start("notifier", told)
        await depth_however_long(state)
        await until_serving(at_scheduler)
        await until_the_queue_has(scheduler, filled.worksets)
        progress(f"{watchers} watchers, {filled.worksets:,} worksets that wait")
        heard = [Heard() for _ in range(watchers)]
        watching = [
            asyncio.create_task(each.watch(state, number)) for number, each in enumerate(heard)
        ]
        async with asyncio.timeout(60):
            await asyncio.gather(*(each.begun.wait() for each in heard))
            await _work(state, scheduler, runs)
            await asyncio.gather(*(each.event.wait() for each in heard))
        processes = running.processes
        found = {"state": address, "scheduler": at_scheduler, "notifier": notifier}
        used = {name: resident_mib(processes[at].pid) for name, at in found.items()}
        for task in watching:
            task.cancel()
        await asyncio.gather(*watching, return_exceptions=True)
    return used


@dataclass
class Heard:
    """What a watcher has heard: that it is at the end of the feed, and an event."""

    begun: asyncio.Event = field(default_factory=asyncio.Event)
    event: asyncio.Event = field(default_factory=asyncio.Event)

    async def watch(self, state: AsyncStateClient, number: int) -> None:
        types = [event_pb2.EVENT_TYPE_COMPLETED] if number % 2 else []
        async for answer in state.watch_events(event_types=types):
            (self.event if answer.events else self.begun).set()


async def _work(state: AsyncStateClient, scheduler: AsyncSchedulerClient, runs: int) -> None:
    await scheduler.register_cluster(
        cluster_name=CLUSTER,
        region="us-west-2",
        vcpus=VCPUS_MAX,
        memory_gb=MEMORY_MB_MAX / 1024,
        slots=SLOTS_MAX,
        report_interval=duration(86_400),  # it is not heard from again, and must not fall silent
    )
    for number in range(runs):
        await state.register_workset(
            workset_id=f"more-{number}", bucket="lab", prefix=f"runs/more-{number}/"
        )
        claim = await scheduler.claim_next_workset(
            cluster_name=CLUSTER, owner_id="bench", max_wait=duration(30)
        )
        for end in (
            workset_pb2.WORKSET_STATE_IN_PROGRESS,
            workset_pb2.WORKSET_STATE_COMPLETE,
        ):
            await state.update_state(
                workset_id=claim.workset.workset_id, state=end, lock_token=claim.lock_token
            )
