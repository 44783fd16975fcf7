"""From the messages of state to the policy's own records."""

from datetime import UTC, datetime

from daylily.workset.v1 import cluster_pb2, customer_pb2, workset_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from daylily_scheduler.domain.model import (
    Cluster,
    Customer,
    Estimate,
    Needs,
    Priority,
    Workset,
    WorksetState,
)
from daylily_scheduler.domain.resources import MB_PER_GB, Resources

_PRIORITIES = {
    workset_pb2.PRIORITY_URGENT: Priority.URGENT,
    workset_pb2.PRIORITY_NORMAL: Priority.NORMAL,
    workset_pb2.PRIORITY_LOW: Priority.LOW,
}
STATE_NAMES = {
    number: name.removeprefix("WORKSET_STATE_") for name, number in workset_pb2.WorksetState.items()
}


def moment(at: Timestamp) -> datetime:
    return at.ToDatetime(tzinfo=UTC)


def megabytes(gigabytes: float) -> int:
    return round(gigabytes * MB_PER_GB)


def workset_of(row: workset_pb2.Workset) -> Workset:
    return Workset(
        workset_id=row.workset_id,
        created_at=moment(row.created_at),
        state=WorksetState(STATE_NAMES[row.state]),
        priority=_PRIORITIES.get(row.priority, Priority.NORMAL),
        customer_id=row.customer_id,
        needs=_needs_of(row.requirements),
        estimate=_estimate_of(row.requirements),
        available_at=moment(row.available_at) if row.HasField("available_at") else None,
        dependencies_met=row.dependencies_met,
        deadline=moment(row.deadline) if row.HasField("deadline") else None,
        cluster_name=row.cluster_name,
        locked=row.HasField("lock"),
        locked_at=moment(row.lock.acquired_at) if row.HasField("lock") else None,
        pipeline=row.pipeline,
        sample_count=row.requirements.sample_count,
        version=row.version,
    )


def cluster_of(row: cluster_pb2.Cluster) -> Cluster:
    last_sign = row.last_reported_at if row.HasField("last_reported_at") else row.created_at
    return Cluster(
        cluster_name=row.cluster_name,
        capacity=resources_of(row.capacity),
        heard_at=moment(last_sign),
        draining=row.state == cluster_pb2.CLUSTER_STATE_DRAINING,
        region=row.region,
        zone=row.availability_zone,
        instance_types=frozenset(row.instance_types),
        broken=resources_of(row.broken),
        foreign=resources_of(row.foreign),
        price_per_vcpu_hour_usd=row.price_per_vcpu_hour_usd,
        fixed_cost_per_hour_usd=row.fixed_cost_per_hour_usd,
        report_interval=row.report_interval.ToTimedelta(),
        version=row.version,
    )


def customer_of(row: customer_pb2.Customer) -> Customer:
    return Customer(
        customer_id=row.customer_id,
        max_concurrent=row.max_concurrent,
        weight=row.weight,
        budget_usd=row.budget_usd,
        reserved_usd=row.reserved_usd,
        spent_usd=row.spent_usd,
    )


def resources_of(row: cluster_pb2.Resources) -> Resources:
    return Resources(
        vcpus=row.vcpus,
        memory_mb=megabytes(row.memory_gb),
        storage_mb=megabytes(row.storage_gb),
        slots=row.slots,
    )


def _needs_of(row: workset_pb2.Requirements) -> Needs:
    return Needs(
        amount=Resources(row.vcpus, megabytes(row.memory_gb), megabytes(row.storage_gb), slots=1),
        zone=row.preferred_availability_zone,
        instance_types=frozenset(row.preferred_instance_types),
        cluster=row.preferred_cluster,
    )


def _estimate_of(row: workset_pb2.Requirements) -> Estimate:
    return Estimate(
        vcpu_hours=row.vcpu_hours,
        hours=row.estimated_duration.ToTimedelta().total_seconds() / 3600,
        cost_usd=row.estimated_cost_usd,
        max_cost_usd=row.max_cost_usd,
        data_gb=row.input_gb,
        data_region=row.input_region,
    )
