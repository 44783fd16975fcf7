"""SchedulerService: each call translates, does one thing, and translates back."""

import math
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from daylily.scheduler.v1 import scheduler_pb2 as pb
from daylily.scheduler.v1 import scheduler_pb2_grpc
from daylily.workset.v1 import cluster_pb2, workset_pb2

from daylily_client.state import AsyncStateClient
from daylily_client.values import timestamp
from daylily_runtime.calls import time_remaining
from daylily_runtime.clock import Clock
from daylily_scheduler.api import answers
from daylily_scheduler.api.requests import claim_of, cluster_of, named
from daylily_scheduler.claims import ClaimDesk
from daylily_scheduler.clusters import Clusters
from daylily_scheduler.domain.advice import deletions
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.decision import Dependency, decide, why_nothing, why_nothing_anywhere
from daylily_scheduler.domain.explain import Explanation, explain
from daylily_scheduler.domain.inputs import Kind, Question, decided
from daylily_scheduler.domain.model import Priority, Workset, WorksetState
from daylily_scheduler.domain.offers import one_more_for
from daylily_scheduler.domain.policy import Pick, pick, pick_anywhere
from daylily_scheduler.domain.reasons import Reason
from daylily_scheduler.errors import (
    NotCaughtUpError,
    NotWaitingError,
    UnknownClusterError,
)
from daylily_scheduler.feed.follower import Follower
from daylily_scheduler.feed.rows import workset_of
from daylily_scheduler.forecasting import Forecaster
from daylily_scheduler.measuring import Measures
from daylily_scheduler.prices.keeper import PriceKeeper
from daylily_scheduler.recording.recorder import Recorder
from daylily_scheduler.waiting import WaitingRoom

SERVICE: Final = "daylily.scheduler.v1.SchedulerService"

STATE_SECONDS: Final = 8.0
"""Less than a person waits: then they are told that state does not answer."""
MOST_LOOKS: Final = 5
"""How often GetNextWorkset looks again when what it found is gone by the time it is read."""

MOST_HELD: Final = 100
HOLDING: Final = (
    workset_pb2.WORKSET_STATE_LOCKED,
    workset_pb2.WORKSET_STATE_IN_PROGRESS,
)

Context = object


@dataclass(frozen=True)
class Parts:
    """What a running scheduler is made of."""

    state: AsyncStateClient
    book: Book
    desk: ClaimDesk
    room: WaitingRoom
    follower: Follower
    measures: Measures
    clusters: Clusters
    forecaster: Forecaster
    prices: PriceKeeper
    recorder: Recorder | None
    clock: Clock
    started_at: datetime


class SchedulerServicer(scheduler_pb2_grpc.SchedulerServiceServicer):
    """The calls of monitors and people."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._state = parts.state.with_timeout(STATE_SECONDS)
        self._book = parts.book
        self._clusters = parts.clusters

    # --- clusters ---

    async def RegisterCluster(
        self, request: pb.RegisterClusterRequest, context: Context
    ) -> pb.RegisterClusterResponse:
        del context
        row = await self._clusters.register(cluster_of(request))
        return pb.RegisterClusterResponse(cluster=self._status(row))

    async def UpdateClusterUtilization(
        self, request: pb.UpdateClusterUtilizationRequest, context: Context
    ) -> pb.UpdateClusterUtilizationResponse:
        del context
        row = await self._clusters.report(
            named("cluster_name", request.cluster_name),
            foreign=cluster_pb2.Resources(
                vcpus=request.foreign_vcpus,
                memory_gb=request.foreign_memory_gb,
                storage_gb=request.foreign_storage_gb,
            ),
            broken=cluster_pb2.Resources(
                vcpus=request.broken_vcpus, memory_gb=request.broken_memory_gb
            ),
        )
        return pb.UpdateClusterUtilizationResponse(cluster=self._status(row))

    async def DrainCluster(
        self, request: pb.DrainClusterRequest, context: Context
    ) -> pb.DrainClusterResponse:
        del context
        name = named("cluster_name", request.cluster_name)
        row = await self._clusters.drain(name, undo=request.undo)
        return pb.DrainClusterResponse(cluster=self._status(row))

    async def RemoveCluster(
        self, request: pb.RemoveClusterRequest, context: Context
    ) -> pb.RemoveClusterResponse:
        del context
        name = named("cluster_name", request.cluster_name)
        await self._clusters.remove(name, request.request_id)
        return pb.RemoveClusterResponse()

    async def ListClusters(
        self, request: pb.ListClustersRequest, context: Context
    ) -> pb.ListClustersResponse:
        del request, context
        clusters = [self._status(row) for row in await self._clusters.list()]
        for status in clusters:
            if status.silent and status.active_worksets:
                status.held.extend(await self._held(status.cluster.cluster_name))
        return pb.ListClustersResponse(clusters=clusters)

    # --- picks ---

    async def ClaimNextWorkset(
        self, request: pb.ClaimNextWorksetRequest, context: Context
    ) -> pb.ClaimNextWorksetResponse:
        del context
        claim = claim_of(request, time_remaining())
        self._check_caught_up()
        await self._clusters.check_open(claim.cluster_name)
        outcome = await self._parts.desk.claim(claim)
        grant = outcome.grant
        if grant is None:
            return pb.ClaimNextWorksetResponse(reasons=answers.reasons(outcome.reasons))
        return pb.ClaimNextWorksetResponse(
            workset=grant.workset,
            lock_token=grant.lock_token,
            placement=answers.placement(grant.placement) if grant.placement else None,
        )

    async def GetNextWorkset(
        self, request: pb.GetNextWorksetRequest, context: Context
    ) -> pb.GetNextWorksetResponse:
        del context
        self._check_caught_up()
        name = request.cluster_name
        if name and self._book.fleet.get(name) is None:
            await self._clusters.list()
            if self._book.fleet.get(name) is None:
                raise UnknownClusterError(name)
        for _ in range(MOST_LOOKS):
            found = self._look(name)
            if found is None:
                break
            row = await self._read(found.workset.workset_id)
            if row.state == workset_pb2.WORKSET_STATE_READY:
                return pb.GetNextWorksetResponse(
                    workset=row, placement=answers.placement(found.placement)
                )
        now = self._parts.clock.now()
        why = why_nothing(self._book, name, now) if name else why_nothing_anywhere(self._book, now)
        return pb.GetNextWorksetResponse(reasons=answers.reasons(why))

    async def ScheduleWorkset(
        self, request: pb.ScheduleWorksetRequest, context: Context
    ) -> pb.ScheduleWorksetResponse:
        del context
        self._check_caught_up()
        workset, dependencies = await self._with_dependencies(request.workset_id)
        now, recorder = self._parts.clock.now(), self._parts.recorder
        question = Question(Kind.SCHEDULE, workset=workset, dependencies=tuple(dependencies))
        inputs = recorder.inputs(self._book, question, now) if recorder else None
        decision = decide(self._book, workset, now, dependencies)
        if recorder:
            recorder.record(inputs, decided(decision))
        return pb.ScheduleWorksetResponse(
            workset_id=decision.workset_id,
            cluster_name=decision.cluster_name,
            placements=[answers.placement(place) for place in decision.placements],
            reasons=answers.reasons(decision.reasons),
        )

    async def ExplainWorkset(
        self, request: pb.ExplainWorksetRequest, context: Context
    ) -> pb.ExplainWorksetResponse:
        del context
        self._check_caught_up()
        workset, dependencies = await self._with_dependencies(request.workset_id)
        found = self._explained(workset, dependencies)
        return pb.ExplainWorksetResponse(
            workset_id=found.workset_id,
            summary=found.summary,
            reasons=answers.reasons(found.reasons),
            queue_position=found.queue_position,
            remedies=found.remedies,
        )

    async def EstimateWait(
        self, request: pb.EstimateWaitRequest, context: Context
    ) -> pb.EstimateWaitResponse:
        del context
        self._check_caught_up()
        workset, dependencies = await self._with_dependencies(request.workset_id)
        if workset.state is not WorksetState.READY:
            raise NotWaitingError(workset.workset_id, workset.state.value)
        after = [dependency.workset_id for dependency in dependencies]
        found = await self._parts.forecaster.estimate(workset, after)
        why: tuple[Reason, ...] = ()
        if not math.isfinite(found.p90):
            why = self._explained(workset, dependencies).reasons
        return answers.estimate(workset, found, why)

    # --- advice ---

    async def RecommendClusters(
        self, request: pb.RecommendClustersRequest, context: Context
    ) -> pb.RecommendClustersResponse:
        del request, context
        self._check_caught_up()
        # State's own count of what is reserved: a lock of a moment ago may not be in the book yet.
        held = {
            row.cluster_name
            for row in await self._clusters.list()
            if row.reserved.slots or row.reserved.vcpus
        }
        prices = self._parts.prices.now
        worth = await self._parts.forecaster.creations(prices.offers)
        idle = deletions(self._book, await self._parts.forecaster.whole())
        return answers.recommendation(
            worth, [one for one in idle if one.cluster_name not in held], prices
        )

    # --- figures ---

    async def GetSchedulerStats(
        self, request: pb.GetSchedulerStatsRequest, context: Context
    ) -> pb.GetSchedulerStatsResponse:
        del request, context
        self._check_caught_up()
        # A scheduler need not know what depends on others before it can start: state counts it.
        depth = await self._state.get_queue_depth()
        parts, queue, fleet = self._parts, self._book.queue, self._book.fleet
        capacity = sum(cluster.capacity.vcpus for cluster in fleet)
        used = sum(
            cluster.foreign.vcpus + fleet.reserved(cluster.cluster_name).vcpus for cluster in fleet
        )
        caught_up_at = parts.follower.caught_up_at
        coverage, scored = parts.forecaster.scores.coverage(parts.clock.now())
        return pb.GetSchedulerStatsResponse(
            total_clusters=len(fleet),
            total_vcpu_capacity=capacity,
            total_vcpus_used=used,
            vcpu_utilization_percent=100 * used / capacity if capacity else 0.0,
            total_active_worksets=len(self._book.active),
            queue_urgent=queue.startable(Priority.URGENT),
            queue_normal=queue.startable(Priority.NORMAL),
            queue_low=queue.startable(Priority.LOW),
            queue_waiting=depth.waiting,
            claims_granted=parts.measures.granted,
            claims_empty=parts.measures.empty,
            claims_lost=parts.measures.lost,
            waiting_claims=len(parts.room),
            cursor=parts.follower.cursor,
            caught_up_at=timestamp(caught_up_at) if caught_up_at is not None else None,
            started_at=timestamp(parts.started_at),
            p90_coverage=coverage,
            estimates_scored=scored,
        )

    # --- inside ---

    def _check_caught_up(self) -> None:
        if not self._parts.follower.caught_up.is_set():
            raise NotCaughtUpError

    def _status(self, row: cluster_pb2.Cluster) -> pb.ClusterStatus:
        return answers.cluster_status(row, self._book.fleet, self._parts.clock.now())

    def _explained(self, workset: Workset, dependencies: list[Dependency]) -> Explanation:
        one_more = one_more_for(
            workset, self._parts.prices.now.offers, self._parts.forecaster.times.of(workset).at(0.5)
        )
        return explain(self._book, workset, dependencies, self._parts.clock.now(), one_more)

    async def _held(self, cluster_name: str) -> list[pb.HeldWorkset]:
        """The worksets that hold a part of a cluster."""
        answer = await self._state.list_worksets(
            states=HOLDING, cluster_name=cluster_name, page_size=MOST_HELD
        )
        return [answers.held(row) for row in answer.worksets]

    def _look(self, cluster_name: str) -> Pick | None:
        self._parts.room.settle()
        now = self._parts.clock.now()
        if cluster_name:
            return pick(self._book, cluster_name, now)
        return pick_anywhere(self._book, now)

    async def _read(self, workset_id: str) -> workset_pb2.Workset:
        """The workset as state has it now; the book learns of it."""
        answer = await self._state.get_workset(workset_id=workset_id)
        self._book.put(workset_of(answer.workset), self._parts.clock.now())
        self._parts.room.settle()
        return answer.workset

    async def _with_dependencies(self, workset_id: str) -> tuple[Workset, list[Dependency]]:
        """A workset as state has it now, and those that it still depends on."""
        row = await self._read(named("workset_id", workset_id))
        workset = workset_of(row)
        if workset.dependencies_met or not row.depends_on:
            return workset, []
        answer = await self._state.batch_get_worksets(
            workset_ids=row.depends_on, view=workset_pb2.WORKSET_VIEW_BASIC
        )
        dependencies = [
            Dependency(other.workset_id, other.state)
            for other in map(workset_of, answer.worksets)
            if other.state is not WorksetState.COMPLETE
        ]
        # State notes a moment later that the last one is COMPLETE, and lets it start at once.
        return replace(workset, dependencies_met=not dependencies), dependencies
