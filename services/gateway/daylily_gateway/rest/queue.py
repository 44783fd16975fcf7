"""The queue and the scheduler in numbers."""

import asyncio
from typing import Any

from daylily.scheduler.v1 import scheduler_pb2
from daylily.state.v1 import state_pb2
from fastapi import APIRouter, Response
from pydantic import BaseModel

from daylily_gateway.context import Calls
from daylily_gateway.messages import model_of, moment, plain, seconds
from daylily_gateway.rest.answers import one
from daylily_gateway.rest.words import Priority, State, priority_word, state_word

router = APIRouter(tags=["queue"])


class QueueStats(BaseModel):
    """How many worksets stand where; exact at `cursor`."""

    queue_depth: dict[State, int]
    total_worksets: int
    ready_worksets: int
    """READY, whether or not they can start now."""
    in_progress_worksets: int
    error_worksets: int
    startable_worksets: int
    """READY and able to start now."""
    waiting_worksets: int
    """READY, but backing off or depending on another."""
    by_priority: dict[State, dict[Priority, int]]
    oldest_ready_seconds: float | None
    cursor: str
    counted_at: str


class SchedulerStats(BaseModel):
    """Clusters and queue, as the scheduler knows them."""

    total_clusters: int
    total_vcpu_capacity: int
    total_vcpus_used: int
    vcpu_utilization_percent: float
    total_active_worksets: int
    queue_depth: dict[State, int]
    queue_urgent: int
    queue_normal: int
    queue_low: int
    queue_waiting: int
    claims_granted: int
    claims_empty: int
    claims_lost: int
    waiting_claims: int


@router.get("/queue/stats", response_model=QueueStats)
async def queue_stats(calls: Calls) -> dict[str, Any]:
    """How many worksets stand where."""
    depth = await calls.state.get_queue_depth()
    states = _by_state(depth)
    return {
        "queue_depth": states,
        "total_worksets": depth.total,
        "ready_worksets": states["ready"],
        "in_progress_worksets": states["in_progress"],
        "error_worksets": states["error"],
        "startable_worksets": depth.ready,
        "waiting_worksets": depth.waiting,
        "by_priority": by_priority(depth),
        "oldest_ready_seconds": seconds(depth.oldest_ready_age)
        if depth.HasField("oldest_ready_age")
        else None,
        "cursor": depth.cursor,
        "counted_at": moment(depth.counted_at),
    }


@router.get("/scheduler/stats", response_model=SchedulerStats)
async def scheduler_stats(calls: Calls) -> dict[str, Any]:
    """Clusters, their use, and the queue."""
    stats, depth = await asyncio.gather(
        calls.scheduler.get_scheduler_stats(), calls.state.get_queue_depth()
    )
    return {**plain(stats), "queue_depth": _by_state(depth)}


@router.get(
    "/recommendations",
    response_model=model_of(scheduler_pb2.RecommendClustersResponse),
    tags=["clusters"],
)
async def recommendations(calls: Calls) -> Response:
    """Clusters worth creating now, and those that are safe to delete."""
    return one(await calls.scheduler.recommend_clusters())


def _by_state(depth: state_pb2.GetQueueDepthResponse) -> dict[str, int]:
    counts = {state.value: 0 for state in State}
    for count in depth.counts:
        counts[state_word(count.state)] += count.count
    return counts


def by_priority(depth: state_pb2.GetQueueDepthResponse) -> dict[str, dict[str, int]]:
    """How many worksets there are, by the words of state and priority."""
    counts = {state.value: {priority.value: 0 for priority in Priority} for state in State}
    for count in depth.counts:
        counts[state_word(count.state)][priority_word(count.priority)] = count.count
    return counts
