"""Commands and queries of clusters and customers, and events that no command makes."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TypeVar

from daylily_runtime import Clock
from daylily_state.app.deciding import Decided, Decider
from daylily_state.app.requests import served_by_row
from daylily_state.domain import pools, publishing, validation
from daylily_state.domain.commands import (
    DeleteCluster,
    Publish,
    PutCluster,
    PutCustomer,
    ReportCluster,
)
from daylily_state.domain.commit import Commit, RequestRow
from daylily_state.domain.events import Event
from daylily_state.domain.model import (
    Amount,
    Cluster,
    Customer,
    SubjectKind,
    lane_of,
)
from daylily_state.domain.moment import Moment
from daylily_state.domain.requests import REQUEST_ROW_TTL
from daylily_state.ports import ReadSet, Rows, Store

_NOTHING = Amount()

C = TypeVar("C", PutCluster, ReportCluster, DeleteCluster)
Repeatable = PutCluster | DeleteCluster | PutCustomer | Publish


class Pools:
    """What can be asked of clusters and customers, and PublishEvent.

    Args:
        store: where they are.
        decider: makes decisions happen.
        clock: what time it is.
    """

    def __init__(self, store: Store, decider: Decider, clock: Clock) -> None:
        self._store = store
        self._decider = decider
        self._clock = clock

    async def put_cluster(self, command: PutCluster) -> Cluster:
        """Register a cluster or change what it is. Raises VersionMismatchError."""
        return await self._on_cluster(command, pools.put_cluster)

    async def report_cluster(self, command: ReportCluster) -> Cluster:
        """Record a cluster's report. Raises ClusterNotFoundError."""
        return await self._on_cluster(command, pools.report_cluster)

    async def delete_cluster(self, command: DeleteCluster) -> None:
        """Forget a cluster. Raises ClusterNotFoundError, ClusterInUseError."""
        await self._on_cluster(command, pools.delete_cluster)

    async def list_clusters(self) -> Sequence[Cluster]:
        """All clusters by name."""
        known = await self._store.list_clusters()
        return [cluster for cluster in known if not cluster.removed]

    async def put_customer(self, command: PutCustomer) -> Customer:
        """Set a customer's limits, weight and budget. Raises VersionMismatchError."""
        validation.check(command)
        key = command.customer_id

        def decide(rows: Rows, moment: Moment) -> Commit:
            return pools.put_customer(rows.customers.get(key), command, moment)

        decided = await self._decide(
            lane_of(SubjectKind.CUSTOMER, key), ReadSet(customers=(key,)), command, decide
        )
        if decided.commit is None or decided.commit.customer is None:
            return decided.rows.customers[key]
        return decided.commit.customer.after

    async def list_customers(self) -> Sequence[Customer]:
        """All customers by id."""
        return await self._store.list_customers()

    async def publish(self, command: Publish) -> Event:
        """Put an event on the feed that no command makes. Raises WorksetNotFoundError."""
        validation.check(command)
        kind, key = command.subject_kind, command.subject_id
        wanted = ReadSet(
            worksets=(key,) if kind is SubjectKind.WORKSET else (),
            clusters=(key,) if kind is SubjectKind.CLUSTER else (),
            customers=(key,) if kind is SubjectKind.CUSTOMER else (),
        )

        def decide(rows: Rows, moment: Moment) -> Commit:
            subject = rows.worksets.get(key) or rows.clusters.get(key) or rows.customers.get(key)
            return publishing.publish(subject, command, moment)

        decided = await self._decide(lane_of(kind, key), wanted, command, decide)
        if decided.commit is None:
            assert decided.repeated is not None  # noqa: S101 - publishing always has a commit
            return decided.repeated
        return decided.commit.event

    async def _on_cluster(
        self, command: C, rule: Callable[[Cluster | None, C, Moment], Commit]
    ) -> Cluster:
        validation.check(command)
        key = command.cluster_name

        def decide(rows: Rows, moment: Moment) -> Commit:
            return rule(rows.clusters.get(key), command, moment)

        decided = await self._decide(
            lane_of(SubjectKind.CLUSTER, key), ReadSet(clusters=(key,)), command, decide
        )
        before = decided.rows.clusters.get(key)
        if decided.commit is None or decided.commit.cluster is None:
            return decided.rows.clusters[key]
        # Reservations are no part of the write: they are what they were, or newer.
        return replace(
            decided.commit.cluster.after, reserved=before.reserved if before else _NOTHING
        )

    async def _decide(
        self,
        lane: int,
        wanted: ReadSet,
        command: Repeatable | ReportCluster,
        decide: Callable[[Rows, Moment], Commit],
    ) -> Decided:
        """Decide once for each request id, which is kept in a row of its own."""
        if isinstance(command, ReportCluster) or not command.request_id:
            return await self._decider.decide(lane, replace(wanted, lanes=(lane,)), decide)
        request_id, now = command.request_id, self._clock.now()

        async def repeated(rows: Rows) -> Event | None:
            row = rows.requests.get(request_id)
            fresh = row is not None and row.expires_at >= now
            return await served_by_row(self._store, row if fresh else None, command)

        def with_row(rows: Rows, moment: Moment) -> Commit:
            commit = decide(rows, moment)
            row = RequestRow(
                request_id=request_id,
                subject_id=commit.event.subject_id,
                lane=lane,
                seq=moment.seq,
                expires_at=moment.now + REQUEST_ROW_TTL,
            )
            return replace(commit, request=row)

        return await self._decider.decide(
            lane,
            replace(wanted, lanes=(lane,), requests=(request_id,)),
            with_row,
            repeated=repeated,
        )
