"""Calls on clusters and customers."""

from daylily.state.v1 import state_pb2

from daylily_state.api import answers
from daylily_state.api.calls import Context, actor
from daylily_state.api.reading import Reader
from daylily_state.app.pools import Pools
from daylily_state.domain import limits
from daylily_state.domain.commands import DeleteCluster, PutCluster, PutCustomer, ReportCluster
from daylily_state.domain.model import ClusterState
from daylily_state.domain.units import CENTS_PER_USD


class PoolCalls:
    """PutCluster to ListCustomers."""

    pools: Pools

    async def PutCluster(
        self, request: state_pb2.PutClusterRequest, context: Context
    ) -> state_pb2.PutClusterResponse:
        read = Reader()
        interval = read.length(request, "report_interval")
        command = PutCluster(
            cluster_name=request.cluster_name,
            capacity=read.amount(request.capacity, "capacity"),
            state=read.choice(ClusterState, request.state, "state", ClusterState.ACTIVE),
            region=request.region,
            availability_zone=request.availability_zone,
            instance_types=tuple(request.instance_types),
            price_per_vcpu_hour=request.price_per_vcpu_hour_usd,
            fixed_cost_per_hour=request.fixed_cost_per_hour_usd,
            report_interval=limits.REPORT_INTERVAL_DEFAULT if interval is None else interval,
            expected_version=request.expected_version,
            request_id=request.request_id,
            actor=actor(context),
        )
        read.done()
        kept = await self.pools.put_cluster(command)
        return state_pb2.PutClusterResponse(cluster=answers.cluster(kept))

    async def ReportCluster(
        self, request: state_pb2.ReportClusterRequest, context: Context
    ) -> state_pb2.ReportClusterResponse:
        read = Reader()
        command = ReportCluster(
            cluster_name=request.cluster_name,
            foreign=read.amount(request.foreign, "foreign"),
            broken=read.amount(request.broken, "broken"),
            actor=actor(context),
        )
        read.done()
        reported = await self.pools.report_cluster(command)
        return state_pb2.ReportClusterResponse(cluster=answers.cluster(reported))

    async def ListClusters(
        self, request: state_pb2.ListClustersRequest, context: Context
    ) -> state_pb2.ListClustersResponse:
        del request, context
        known = await self.pools.list_clusters()
        return state_pb2.ListClustersResponse(clusters=map(answers.cluster, known))

    async def DeleteCluster(
        self, request: state_pb2.DeleteClusterRequest, context: Context
    ) -> state_pb2.DeleteClusterResponse:
        await self.pools.delete_cluster(
            DeleteCluster(
                cluster_name=request.cluster_name,
                request_id=request.request_id,
                actor=actor(context),
            )
        )
        return state_pb2.DeleteClusterResponse()

    async def PutCustomer(
        self, request: state_pb2.PutCustomerRequest, context: Context
    ) -> state_pb2.PutCustomerResponse:
        read = Reader()
        command = PutCustomer(
            customer_id=request.customer_id,
            max_concurrent=request.max_concurrent,
            weight=request.weight or 1.0,
            budget_cents=read.scaled(request.budget_usd, CENTS_PER_USD, "budget_usd"),
            reset_spent=request.reset_spent,
            expected_version=request.expected_version,
            request_id=request.request_id,
            actor=actor(context),
        )
        read.done()
        kept = await self.pools.put_customer(command)
        return state_pb2.PutCustomerResponse(customer=answers.customer(kept))

    async def ListCustomers(
        self, request: state_pb2.ListCustomersRequest, context: Context
    ) -> state_pb2.ListCustomersResponse:
        del request, context
        known = await self.pools.list_customers()
        return state_pb2.ListCustomersResponse(customers=map(answers.customer, known))
