"""ClaimNextWorkset at backlogs of 100, 10,000 and 100,000, side by side.

Each backlog has a store, a state and a scheduler of its own. One caller claims at each in turn and gives
back what it got (which is not timed), so that the backlogs stay as long as they are.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.claiming import OPTIONS, until_the_queue_has
from benchmarks.measure import percentile, progress
from benchmarks.patience import depth_however_long
from benchmarks.processes import Services, services, until_serving
from benchmarks.report import Figure, at_most
from benchmarks.stores import Filled, add_store_option, stores
from daylily_client import AsyncSchedulerClient, AsyncStateClient, duration
from daylily_state.domain.limits import MEMORY_MB_MAX, SLOTS_MAX, VCPUS_MAX

SMALL = ("--backlogs", "10", "40", "--claims", "5", "--store", "sqlite")
CLUSTER = "c1"
PATIENCE = duration(30)
"""A claim that waits, as no claim should, is seen in its time."""
WARMING = 20
"""Claims at each before those that count."""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_store_option(parser)
    parser.add_argument("--backlogs", type=int, nargs="+", default=[100, 10_000, 100_000])
    parser.add_argument("--claims", type=int, default=400, help="at each, in turns")


@dataclass
class System:
    """A backlog, and what works on it."""

    backlog: int
    state: AsyncStateClient
    scheduler: AsyncSchedulerClient
    ready_after: float
    took: list[float] = field(default_factory=list)

    async def claim(self) -> float:
        """Claims once; how long that took, in seconds. Gives back what it got."""
        begun = time.perf_counter()
        claim = await self.scheduler.claim_next_workset(
            cluster_name=CLUSTER, owner_id="bench", max_wait=PATIENCE
        )
        seconds = time.perf_counter() - begun
        await self.state.release_lock(
            workset_id=claim.workset.workset_id, lock_token=claim.lock_token
        )
        return seconds


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        stores(given.store, Path(folder)) as made,
        services(Path(folder)) as running,
    ):
        filled = [made.filled(f"b{backlog}", backlog) for backlog in given.backlogs]
        systems = asyncio.run(_measured(running, filled, given.claims))
    least = percentile([1000 * took for took in systems[0].took], 50)
    for system in systems:
        took = [1000 * seconds for seconds in system.took]
        name, p50 = f"backlog of {system.backlog:,}", percentile(took, 50)
        if system is systems[0]:
            yield Figure(f"{name}, a claim, p50", p50, "ms")
        else:
            yield Figure(f"{name}, a claim, p50", p50, "ms", p50 / least, at_most(1.3))
        yield Figure(f"{name}, a claim, p99", percentile(took, 99), "ms")
        yield Figure(f"{name}, scheduler ready after", system.ready_after, "s")


async def _measured(running: Services, filled: Sequence[Filled], claims: int) -> list[System]:
    systems = [await _started(running, store) for store in filled]
    for _ in range(WARMING):
        for system in systems:
            await system.claim()
    progress(f"{claims} claims at each backlog, in turns")
    for number in range(claims):
        # Whoever comes first in a round is another one each time.
        first = number % len(systems)
        for system in systems[first:] + systems[:first]:
            system.took.append(await system.claim())
    for system in systems:
        await system.scheduler.close()
        await system.state.close()
    return systems


async def _started(running: Services, filled: Filled) -> System:
    backlog = filled.worksets
    address = running.start("state", filled.settings)
    state = AsyncStateClient(address, OPTIONS)
    await depth_however_long(state)
    begun = time.perf_counter()
    at_scheduler = running.start("scheduler", {"DAYLILY_STATE_ADDRESS": address})
    await until_serving(at_scheduler)
    scheduler = AsyncSchedulerClient(at_scheduler, OPTIONS)
    await until_the_queue_has(scheduler, backlog)
    ready_after = time.perf_counter() - begun
    progress(f"a scheduler knows {backlog:,} worksets after {ready_after:.1f} s")
    await scheduler.register_cluster(
        cluster_name=CLUSTER,
        region="us-west-2",
        vcpus=VCPUS_MAX,
        memory_gb=MEMORY_MB_MAX / 1024,
        slots=SLOTS_MAX,
        report_interval=duration(86_400),  # it is not heard from again, and must not fall silent
    )
    return System(backlog, state, scheduler, ready_after)
