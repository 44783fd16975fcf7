"""Clusters and customers: what is put, reported and removed. Their use belongs to locks.

A put never touches what locks keep (`reserved`, `running`, cents), and it raises the version, so that
a reservation that was decided on the row before fails and is decided again.
"""

from dataclasses import replace

from daylily_state.domain.commands import DeleteCluster, PutCluster, PutCustomer, ReportCluster
from daylily_state.domain.commit import ClusterWrite, Commit, CustomerWrite
from daylily_state.domain.errors import ClusterInUseError, ClusterNotFoundError
from daylily_state.domain.events import Event, EventType, fit
from daylily_state.domain.model import (
    Amount,
    Cluster,
    ClusterState,
    Customer,
    SubjectKind,
    lane_of,
)
from daylily_state.domain.moment import Asked, Moment, asked, check_version


def put_cluster(cluster: Cluster | None, command: PutCluster, moment: Moment) -> Commit:
    """Registers a cluster or changes what it is; reports and reservations are kept.

    Raises:
        VersionMismatchError: it is not the version that the caller read.
    """
    check_version(command.expected_version, cluster.version if cluster else 0)
    registered = cluster is not None and not cluster.removed
    before = cluster or _blank(command.cluster_name, moment)
    after = replace(
        before,
        state=command.state,
        removed=False,
        region=command.region,
        availability_zone=command.availability_zone,
        instance_types=command.instance_types,
        capacity=command.capacity,
        broken=before.broken if registered else Amount(),
        foreign=before.foreign if registered else Amount(),
        price_per_vcpu_hour=command.price_per_vcpu_hour,
        fixed_cost_per_hour=command.fixed_cost_per_hour,
        report_interval=command.report_interval,
        last_reported_at=before.last_reported_at if registered else None,
        version=before.version + 1,
        created_at=before.created_at if registered else moment.now,
        updated_at=moment.now,
    )
    draining = command.state is ClusterState.DRAINING
    kind = EventType.CLUSTER_DRAINING if draining else EventType.CLUSTER_REGISTERED
    return Commit(
        event=_cluster_event(after, kind, asked(command), moment),
        cluster=ClusterWrite(cluster, after),
    )


def report_cluster(cluster: Cluster | None, command: ReportCluster, moment: Moment) -> Commit:
    """Records what others use and what is broken.

    Raises:
        ClusterNotFoundError: the cluster is not registered.
    """
    if cluster is None or cluster.removed:
        raise ClusterNotFoundError(cluster_name=command.cluster_name)
    after = replace(
        cluster,
        foreign=command.foreign,
        broken=command.broken,
        last_reported_at=moment.now,
        version=cluster.version + 1,
        updated_at=moment.now,
    )
    return Commit(
        event=_cluster_event(after, EventType.CLUSTER_REPORTED, Asked(actor=command.actor), moment),
        cluster=ClusterWrite(cluster, after),
    )


def delete_cluster(cluster: Cluster | None, command: DeleteCluster, moment: Moment) -> Commit:
    """Removes a cluster on which nothing is reserved.

    Raises:
        ClusterNotFoundError: the cluster is not registered.
        ClusterInUseError: locks hold something there.
    """
    if cluster is None or cluster.removed:
        raise ClusterNotFoundError(cluster_name=command.cluster_name)
    if cluster.reserved != Amount():
        raise ClusterInUseError(cluster_name=cluster.cluster_name, slots=cluster.reserved.slots)
    after = replace(cluster, removed=True, version=cluster.version + 1, updated_at=moment.now)
    return Commit(
        event=_cluster_event(after, EventType.CLUSTER_REMOVED, asked(command), moment),
        cluster=ClusterWrite(cluster, after, when_idle=True),
    )


def put_customer(customer: Customer | None, command: PutCustomer, moment: Moment) -> Commit:
    """Sets limits, weight and budget; with `reset_spent`, what was spent so far counts no more.

    Raises:
        VersionMismatchError: it is not the version that the caller read.
    """
    check_version(command.expected_version, customer.version if customer else 0)
    before = customer or Customer(
        customer_id=command.customer_id,
        max_concurrent=0,
        weight=1.0,
        budget_cents=0,
        running=0,
        committed_cents=0,
        spent_cents=0,
        version=0,
        created_at=moment.now,
        updated_at=moment.now,
    )
    forget = before.spent_cents if command.reset_spent and customer else None
    after = replace(
        before,
        max_concurrent=command.max_concurrent,
        weight=command.weight,
        budget_cents=command.budget_cents,
        committed_cents=before.committed_cents - (forget or 0),
        spent_cents=before.spent_cents - (forget or 0),
        version=before.version + 1,
        updated_at=moment.now,
    )
    ask = asked(command)
    event = Event(
        event_id=moment.event_id,
        lane=lane_of(SubjectKind.CUSTOMER, after.customer_id),
        seq=moment.seq,
        subject_kind=SubjectKind.CUSTOMER,
        subject_id=after.customer_id,
        version=after.version,
        type=EventType.CUSTOMER_UPDATED,
        occurred_at=moment.now,
        actor=ask.actor,
        customer_id=after.customer_id,
        request_id=ask.request_id,
        request_digest=ask.digest,
    )
    return Commit(event=fit(event), customer=CustomerWrite(customer, after, forget))


def _blank(cluster_name: str, moment: Moment) -> Cluster:
    return Cluster(
        cluster_name=cluster_name,
        state=ClusterState.ACTIVE,
        removed=False,
        region="",
        availability_zone="",
        instance_types=(),
        capacity=Amount(),
        broken=Amount(),
        foreign=Amount(),
        reserved=Amount(),
        price_per_vcpu_hour=0.0,
        fixed_cost_per_hour=0.0,
        report_interval=moment.now - moment.now,
        last_reported_at=None,
        version=0,
        created_at=moment.now,
        updated_at=moment.now,
    )


def _cluster_event(cluster: Cluster, kind: EventType, ask: Asked, moment: Moment) -> Event:
    return fit(
        Event(
            event_id=moment.event_id,
            lane=lane_of(SubjectKind.CLUSTER, cluster.cluster_name),
            seq=moment.seq,
            subject_kind=SubjectKind.CLUSTER,
            subject_id=cluster.cluster_name,
            version=cluster.version,
            type=kind,
            occurred_at=moment.now,
            actor=ask.actor,
            cluster_name=cluster.cluster_name,
            request_id=ask.request_id,
            request_digest=ask.digest,
        )
    )
