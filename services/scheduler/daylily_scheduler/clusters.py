"""What monitors and operators do with clusters. State keeps them; the answer goes into the book."""

from collections.abc import Awaitable, Callable
from typing import Final

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import cluster_pb2
from google.protobuf.duration_pb2 import Duration

from daylily_client.errors import ClusterNotFound, VersionMismatch
from daylily_client.state import AsyncStateClient
from daylily_runtime.clock import Clock
from daylily_scheduler.domain.book import Book
from daylily_scheduler.errors import DrainingError, UnknownClusterError
from daylily_scheduler.feed.rows import cluster_of

# Somebody else changes the same cluster at the same moment; reports do, once in an interval.
MOST_TRIES: Final = 5

Row = cluster_pb2.Cluster
Change = Callable[[Row | None], Awaitable[state_pb2.PutClusterResponse]]


class Clusters:
    """The clusters, by way of state.

    Args:
        state: the state service.
        book: what is known.
        clock: time.
        settle: called after every change of the book.
    """

    def __init__(
        self, state: AsyncStateClient, book: Book, clock: Clock, settle: Callable[[], None]
    ) -> None:
        self._state = state
        self._book = book
        self._clock = clock
        self._settle = settle

    async def list(self) -> list[Row]:
        """All clusters, by name, as state has them now."""
        known_before = self._book.fleet.names
        answer = await self._state.list_clusters()
        found = [cluster_of(row) for row in answer.clusters]
        self._book.set_clusters(found, known_before, self._clock.now())
        self._settle()
        return list(answer.clusters)

    async def check_open(self, name: str) -> None:
        """Makes sure that a cluster takes work, before a claim for it is refused: another scheduler
        may have been told of it a moment ago.

        Raises:
            UnknownClusterError, DrainingError: there is no such cluster, or it takes no new work.
        """
        cluster = self._book.fleet.get(name)
        if cluster is None or cluster.draining:
            await self.list()
            cluster = self._book.fleet.get(name)
        if cluster is None:
            raise UnknownClusterError(name)
        if cluster.draining:
            raise DrainingError(name)

    async def register(self, wanted: Row) -> Row:
        """Makes a cluster known or changes it. One that is draining stays so."""

        async def put(known: Row | None) -> state_pb2.PutClusterResponse:
            draining = known is not None and known.state == cluster_pb2.CLUSTER_STATE_DRAINING
            return await self._put(
                wanted,
                cluster_pb2.CLUSTER_STATE_DRAINING if draining else wanted.state,
                known.version if known is not None else 0,
            )

        row = await self._change(wanted.cluster_name, put)
        # Registering is a sign of life, though no report.
        now = self._clock.now()
        self._book.hear(row.cluster_name, now, now)
        self._settle()
        return row

    async def drain(self, name: str, *, undo: bool) -> Row:
        """Keeps new work from a cluster, or lets it have some again.

        Raises:
            UnknownClusterError: there is none of this name.
        """
        state = cluster_pb2.CLUSTER_STATE_ACTIVE if undo else cluster_pb2.CLUSTER_STATE_DRAINING

        async def put(known: Row | None) -> state_pb2.PutClusterResponse:
            if known is None:
                raise UnknownClusterError(name)
            if known.state == state:
                return state_pb2.PutClusterResponse(cluster=known)
            return await self._put(known, state, known.version)

        return await self._change(name, put)

    async def report(
        self, name: str, foreign: cluster_pb2.Resources, broken: cluster_pb2.Resources
    ) -> Row:
        """Records what others use of a cluster and what is broken.

        Raises:
            UnknownClusterError: there is none of this name.
        """
        try:
            answer = await self._state.report_cluster(
                cluster_name=name, foreign=foreign, broken=broken
            )
        except ClusterNotFound as error:
            raise UnknownClusterError(name) from error
        return self._learnt(answer.cluster)

    async def remove(self, name: str, request_id: str) -> None:
        """Forgets a cluster on which nothing is locked.

        Raises:
            UnknownClusterError: there is none of this name.
            ClusterInUse: worksets still hold parts of it.
        """
        try:
            await self._state.delete_cluster(cluster_name=name, request_id=request_id)
        except ClusterNotFound as error:
            raise UnknownClusterError(name) from error
        self._book.remove_cluster(name)
        self._settle()

    # --- inside ---

    async def _change(self, name: str, put: Change) -> Row:
        """Puts a cluster that was read before, again while somebody else changes it."""
        for tries_left in reversed(range(MOST_TRIES)):
            known = next((row for row in await self.list() if row.cluster_name == name), None)
            try:
                return self._learnt((await put(known)).cluster)
            except VersionMismatch:
                if not tries_left:
                    raise
        raise AssertionError("the last try returns or raises")

    async def _put(
        self, row: Row, state: "cluster_pb2.ClusterState.ValueType", expected_version: int
    ) -> state_pb2.PutClusterResponse:
        return await self._state.put_cluster(
            cluster_name=row.cluster_name,
            state=state,
            region=row.region,
            availability_zone=row.availability_zone,
            instance_types=row.instance_types,
            capacity=row.capacity,
            price_per_vcpu_hour_usd=row.price_per_vcpu_hour_usd,
            fixed_cost_per_hour_usd=row.fixed_cost_per_hour_usd,
            report_interval=_given(row.report_interval),
            expected_version=expected_version,
        )

    def _learnt(self, row: Row) -> Row:
        self._book.put_cluster(cluster_of(row), self._clock.now())
        self._settle()
        return row


def _given(interval: Duration) -> Duration | None:
    """None lets state choose."""
    return interval if interval.ToNanoseconds() else None
