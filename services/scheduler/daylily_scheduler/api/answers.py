"""What callers are answered."""

import math
from collections.abc import Iterable
from datetime import datetime

from daylily.scheduler.v1 import scheduler_pb2 as pb
from daylily.workset.v1 import cluster_pb2, workset_pb2
from google.protobuf.duration_pb2 import Duration

from daylily_client.values import timestamp
from daylily_scheduler.domain.advice import Creation, Deletion
from daylily_scheduler.domain.cost import CostItem
from daylily_scheduler.domain.fleet import Fleet
from daylily_scheduler.domain.model import Workset
from daylily_scheduler.domain.placement import Placement
from daylily_scheduler.domain.reasons import Reason
from daylily_scheduler.domain.resources import MB_PER_GB, Resources
from daylily_scheduler.feed.rows import resources_of
from daylily_scheduler.forecasting import Estimated
from daylily_scheduler.prices.keeper import Prices

WORKSETS_NAMED = 100


def reason(of: Reason) -> pb.WaitReason:
    return pb.WaitReason(
        code=pb.WaitReasonCode.Value(f"WAIT_REASON_CODE_{of.code.name}"),
        message=of.message,
        cluster_name=of.cluster_name,
        need=of.need,
        have=of.have,
        subject_id=of.subject_id,
    )


def reasons(of: Iterable[Reason]) -> list[pb.WaitReason]:
    return [reason(one) for one in of]


def cost_items(of: Iterable[CostItem]) -> list[pb.CostItem]:
    return [pb.CostItem(kind=item.kind, usd=item.usd) for item in of]


def placement(of: Placement) -> pb.Placement:
    return pb.Placement(
        cluster_name=of.cluster_name,
        feasible=of.feasible,
        cost_usd=of.cost_usd,
        cost_items=cost_items(of.items),
        rejections=reasons(of.rejections),
    )


def estimate(of: Workset, found: Estimated, why: Iterable[Reason]) -> pb.EstimateWaitResponse:
    times = found.run_time
    return pb.EstimateWaitResponse(
        workset_id=of.workset_id,
        p50=hours(found.p50),
        p90=hours(found.p90),
        p90_coverage=found.coverage,
        estimates_scored=found.scored,
        basis=found.basis,
        estimated_at=timestamp(found.made_at),
        run_time_p50=hours(times.at(0.5)),
        run_time_p90=hours(times.at(0.9)),
        run_time_basis=times.basis.value,
        runs_learned_from=times.runs,
        queue_position=found.ahead,
        extrapolated=found.extrapolated,
        reasons=reasons(why),
    )


def hours(number: float) -> Duration | None:
    """A length in whole seconds; none for what is not expected to come."""
    return Duration(seconds=round(number * 3600)) if math.isfinite(number) else None


def cluster_status(row: cluster_pb2.Cluster, fleet: Fleet, now: datetime) -> pb.ClusterStatus:
    """A cluster with what is free by state's own count of reservations."""
    usable = resources_of(row.capacity) - resources_of(row.broken) - resources_of(row.foreign)
    free = (usable - resources_of(row.reserved)).at_least_zero()
    known = fleet.get(row.cluster_name)
    return pb.ClusterStatus(
        cluster=row,
        free=resources(free),
        silent=known is not None and now >= known.silent_at,
        active_worksets=row.reserved.slots,
        silent_since=timestamp(known.silent_at)
        if known is not None and now >= known.silent_at
        else None,
    )


def held(row: workset_pb2.Workset) -> pb.HeldWorkset:
    return pb.HeldWorkset(
        workset_id=row.workset_id,
        state=row.state,
        owner_id=row.lock.owner_id,
        lock_expires_at=row.lock.expires_at if row.HasField("lock") else None,
    )


def recommendation(
    worth: Iterable[Creation], idle: Iterable[Deletion], prices: Prices
) -> pb.RecommendClustersResponse:
    return pb.RecommendClustersResponse(
        creations=[
            pb.RecommendClustersResponse.Creation(
                count=each.count,
                region=each.offer.region,
                availability_zone=each.offer.zone,
                instance_types=sorted(each.offer.instance_types),
                size=resources(each.offer.size),
                price_per_vcpu_hour_usd=each.offer.price_per_vcpu_hour_usd,
                fixed_cost_per_hour_usd=each.offer.fixed_cost_per_hour_usd,
                workset_ids=each.workset_ids[:WORKSETS_NAMED],
                workset_count=len(each.workset_ids),
                cost_usd=each.cost_usd,
                cost_items=cost_items(each.items),
                saving_usd=each.saving_usd,
                wait_saved=hours(each.wait_saved_hours),
                reason=each.reason,
            )
            for each in worth
        ],
        deletions=[
            pb.RecommendClustersResponse.Deletion(
                cluster_name=each.cluster_name,
                saving_usd_per_hour=each.saving_usd_per_hour,
                reason=each.reason,
            )
            for each in idle
        ],
        price_source=prices.source,
        priced_at=timestamp(prices.read_at) if prices.read_at is not None else None,
        price_problem=prices.problem,
    )


def resources(of: Resources) -> cluster_pb2.Resources:
    return cluster_pb2.Resources(
        vcpus=of.vcpus,
        memory_gb=of.memory_mb / MB_PER_GB,
        storage_gb=of.storage_mb / MB_PER_GB,
        slots=of.slots,
    )
