"""What callers are answered."""

from collections.abc import Iterable
from datetime import datetime

from daylily.scheduler.v1 import scheduler_pb2 as pb
from daylily.workset.v1 import cluster_pb2

from daylily_scheduler.domain.fleet import Fleet
from daylily_scheduler.domain.placement import Placement
from daylily_scheduler.domain.reasons import Reason
from daylily_scheduler.domain.resources import MB_PER_GB
from daylily_scheduler.feed.rows import resources_of


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


def placement(of: Placement) -> pb.Placement:
    return pb.Placement(
        cluster_name=of.cluster_name,
        feasible=of.feasible,
        cost_usd=of.cost_usd,
        cost_items=[pb.CostItem(kind=item.kind, usd=item.usd) for item in of.items],
        rejections=reasons(of.rejections),
    )


def cluster_status(row: cluster_pb2.Cluster, fleet: Fleet, now: datetime) -> pb.ClusterStatus:
    """A cluster with what is free by state's own count of reservations."""
    usable = resources_of(row.capacity) - resources_of(row.broken) - resources_of(row.foreign)
    free = (usable - resources_of(row.reserved)).at_least_zero()
    known = fleet.get(row.cluster_name)
    return pb.ClusterStatus(
        cluster=row,
        free=cluster_pb2.Resources(
            vcpus=free.vcpus,
            memory_gb=free.memory_mb / MB_PER_GB,
            storage_gb=free.storage_mb / MB_PER_GB,
            slots=free.slots,
        ),
        silent=known is not None and now >= known.silent_at,
        active_worksets=row.reserved.slots,
    )
