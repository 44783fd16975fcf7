"""Worksets and clusters for tests of the scheduler's policy, with what a test does not name set."""

from datetime import UTC, datetime, timedelta

from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.model import Cluster, Estimate, Needs, Priority, Workset
from daylily_scheduler.domain.resources import MB_PER_GB, Resources

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def workset(
    workset_id: str,
    *,
    age_s: float = 60,
    priority: Priority = Priority.NORMAL,
    vcpus: int = 8,
    memory_gb: int = 0,
    storage_gb: int = 0,
    zone: str = "",
    instance_types: frozenset[str] = frozenset(),
    cluster: str = "",
    estimate: Estimate | None = None,
    customer_id: str = "",
    available_at: datetime | None = None,
    dependencies_met: bool = True,
    version: int = 1,
    pipeline: str = "",
    sample_count: int = 0,
    deadline: datetime | None = None,
) -> Workset:
    """A READY workset, registered `age_s` seconds before NOW."""
    return Workset(
        workset_id=workset_id,
        created_at=NOW - timedelta(seconds=age_s),
        priority=priority,
        customer_id=customer_id,
        needs=Needs(
            amount=Resources(vcpus, memory_gb * MB_PER_GB, storage_gb * MB_PER_GB, 1),
            zone=zone,
            instance_types=instance_types,
            cluster=cluster,
        ),
        estimate=estimate or Estimate(vcpu_hours=10.0, hours=1.0),
        available_at=available_at,
        dependencies_met=dependencies_met,
        version=version,
        pipeline=pipeline,
        sample_count=sample_count,
        deadline=deadline,
    )


def cluster(
    name: str,
    *,
    vcpus: int = 96,
    memory_gb: int = 384,
    storage_gb: int = 1200,
    slots: int = 8,
    price: float = 0.04,
    zone: str = "us-west-2a",
    instance_types: frozenset[str] = frozenset(),
    draining: bool = False,
    heard_at: datetime = NOW,
    foreign: Resources | None = None,
    fixed: float = 0.0,
    version: int = 1,
) -> Cluster:
    """A cluster that reported at NOW."""
    return Cluster(
        cluster_name=name,
        capacity=Resources(vcpus, memory_gb * MB_PER_GB, storage_gb * MB_PER_GB, slots),
        heard_at=heard_at,
        draining=draining,
        zone=zone,
        instance_types=instance_types,
        foreign=foreign or Resources(),
        price_per_vcpu_hour_usd=price,
        fixed_cost_per_hour_usd=fixed,
        version=version,
    )


def book(*things: Workset | Cluster, now: datetime = NOW) -> Book:
    """A book that knows these."""
    known = Book()
    for thing in things:
        if isinstance(thing, Workset):
            known.put(thing, now)
        else:
            known.put_cluster(thing, now)
    return known
