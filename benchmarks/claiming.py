"""Monitors that do nothing but claim, through a scheduler, each for a cluster of its own."""

import asyncio
import time
import uuid
from collections.abc import Callable

from daylily.workset.v1 import workset_pb2

from benchmarks.bare import MEMORY_MB, VCPUS
from benchmarks.measure import Took
from benchmarks.processes import Addresses
from daylily_client import AsyncSchedulerClient, AsyncStateClient, ClientOptions, duration
from daylily_state.domain.limits import MEMORY_MB_MAX, SLOTS_MAX, VCPUS_MAX

LEASE = duration(900)
OPTIONS = ClientOptions(timeout=60)
REGISTERING = 16
"""Callers that fill the queue at once; how fast they are is not measured."""


def claiming(addresses: Addresses, monitors: int, each: int) -> Callable[[], Took]:
    """`claim_all` as a side of a comparison."""
    return lambda: asyncio.run(claim_all(addresses, monitors, each))


async def claim_all(addresses: Addresses, monitors: int, each: int) -> Took:
    """So many monitors claim so many worksets each, all that are in the queue.

    Raises:
        RuntimeError: a workset was claimed twice, or not at all.
    """
    async with (
        AsyncStateClient(addresses.state, OPTIONS) as state,
        AsyncSchedulerClient(addresses.scheduler, OPTIONS) as scheduler,
    ):
        count = monitors * each
        await _register(state, count)
        clusters = [f"c{number}" for number in range(monitors)]
        for cluster in clusters:
            await scheduler.register_cluster(
                cluster_name=cluster,
                region="us-west-2",
                vcpus=VCPUS_MAX,
                memory_gb=MEMORY_MB_MAX / 1024,
                slots=SLOTS_MAX,
            )
        await until_the_queue_has(scheduler, count)
        begun = time.perf_counter()
        claimed = await asyncio.gather(*(_monitor(scheduler, name) for name in clusters))
        seconds = time.perf_counter() - begun
    ids = [workset_id for some in claimed for workset_id, _ in some]
    if len(ids) != count or len(set(ids)) != count:
        raise RuntimeError(f"{len(ids)} claims of {len(set(ids))} worksets, of {count}")
    return Took([took for some in claimed for _, took in some], seconds)


async def _register(state: AsyncStateClient, count: int) -> None:
    ids = iter([f"ws-{uuid.uuid4().hex}" for _ in range(count)])

    async def register_some() -> None:
        for workset_id in ids:
            await state.register_workset(
                workset_id=workset_id,
                bucket="lab",
                prefix=f"runs/{workset_id}/",
                requirements=workset_pb2.Requirements(vcpus=VCPUS, memory_gb=MEMORY_MB / 1024),
            )

    await asyncio.gather(*(register_some() for _ in range(REGISTERING)))


async def until_the_queue_has(scheduler: AsyncSchedulerClient, count: int) -> None:
    seen = 0
    while seen < count:
        await asyncio.sleep(0.05)
        stats = await scheduler.get_scheduler_stats()
        seen = stats.queue_urgent + stats.queue_normal + stats.queue_low


async def _monitor(scheduler: AsyncSchedulerClient, cluster: str) -> list[tuple[str, float]]:
    """Claim until nothing is left; the ids, and what each claim took in seconds."""
    claimed: list[tuple[str, float]] = []
    while True:
        begun = time.perf_counter()
        answer = await scheduler.claim_next_workset(
            cluster_name=cluster, owner_id=cluster, lease=LEASE
        )
        if not answer.HasField("workset"):
            return claimed
        claimed.append((answer.workset.workset_id, time.perf_counter() - begun))
