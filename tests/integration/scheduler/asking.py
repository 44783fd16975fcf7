"""The calls that the tests of the scheduler make, with what a test does not name filled in."""

import asyncio
import time

from daylily.workset.v1 import workset_pb2

from daylily_client import duration

URGENT, NORMAL, LOW = (
    workset_pb2.PRIORITY_URGENT,
    workset_pb2.PRIORITY_NORMAL,
    workset_pb2.PRIORITY_LOW,
)


async def register(state, name, **fields):
    needs = {
        key: fields.pop(key)
        for key in list(fields)
        if key in workset_pb2.Requirements.DESCRIPTOR.fields_by_name
    }
    return await state.register_workset(
        workset_id=name,
        bucket="lab",
        prefix=f"runs/{name}/",
        requirements=workset_pb2.Requirements(**needs),
        **fields,
    )


async def add_cluster(scheduler, name, **fields):
    given = {
        "vcpus": 96,
        "memory_gb": 384,
        "slots": 8,
        "price_per_vcpu_hour_usd": 0.04,
        **fields,
    }
    return await scheduler.register_cluster(cluster_name=name, **given)


async def claim(scheduler, name="c1", wait=0.0, owner="m1", **fields):
    return await scheduler.claim_next_workset(
        cluster_name=name, owner_id=owner, max_wait=duration(wait), **fields
    )


async def until(condition, seconds=10.0):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if await condition():
            return
        await asyncio.sleep(0.02)
    raise AssertionError("it did not come true in time")


async def is_waiting(scheduler, number=1):
    """Whether so many claims wait."""
    return (await scheduler.get_scheduler_stats()).waiting_claims == number


async def knows(scheduler, *, clusters=0, startable=0, waiting=0, active=0):
    """Returns once the scheduler has heard of so many."""

    async def heard():
        stats = await scheduler.get_scheduler_stats()
        queued = stats.queue_urgent + stats.queue_normal + stats.queue_low
        return (
            stats.total_clusters,
            queued,
            stats.queue_waiting,
            stats.total_active_worksets,
        ) == (clusters, startable, waiting, active)

    await until(heard)


async def move(state, grant, *states, **fields):
    """Takes a granted workset through these states."""
    for to in states:
        await state.update_state(
            workset_id=grant.workset.workset_id,
            state=to,
            lock_token=grant.lock_token,
            **fields,
        )


IN_PROGRESS, COMPLETE, ERROR, IGNORED = (
    workset_pb2.WORKSET_STATE_IN_PROGRESS,
    workset_pb2.WORKSET_STATE_COMPLETE,
    workset_pb2.WORKSET_STATE_ERROR,
    workset_pb2.WORKSET_STATE_IGNORED,
)
