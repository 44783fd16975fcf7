"""Clients of SchedulerService: a method for each RPC, its keyword arguments the fields of the request.

What each call does and fails with is written in protos/daylily/scheduler/v1/scheduler.proto.
"""

from daylily_client.async_client import AsyncClient, AsyncMethod
from daylily_client.calls import scheduler as calls
from daylily_client.sync_client import SyncClient, SyncMethod


class AsyncSchedulerClient(AsyncClient):
    """Asynchronous client of SchedulerService."""

    register_cluster = AsyncMethod(calls.REGISTER_CLUSTER)
    update_cluster_utilization = AsyncMethod(calls.UPDATE_CLUSTER_UTILIZATION)
    drain_cluster = AsyncMethod(calls.DRAIN_CLUSTER)
    remove_cluster = AsyncMethod(calls.REMOVE_CLUSTER)
    list_clusters = AsyncMethod(calls.LIST_CLUSTERS)
    get_next_workset = AsyncMethod(calls.GET_NEXT_WORKSET)
    claim_next_workset = AsyncMethod(calls.CLAIM_NEXT_WORKSET)
    schedule_workset = AsyncMethod(calls.SCHEDULE_WORKSET)
    explain_workset = AsyncMethod(calls.EXPLAIN_WORKSET)
    estimate_wait = AsyncMethod(calls.ESTIMATE_WAIT)
    recommend_clusters = AsyncMethod(calls.RECOMMEND_CLUSTERS)
    get_scheduler_stats = AsyncMethod(calls.GET_SCHEDULER_STATS)


class SchedulerClient(SyncClient):
    """Synchronous client of SchedulerService."""

    register_cluster = SyncMethod(calls.REGISTER_CLUSTER)
    update_cluster_utilization = SyncMethod(calls.UPDATE_CLUSTER_UTILIZATION)
    drain_cluster = SyncMethod(calls.DRAIN_CLUSTER)
    remove_cluster = SyncMethod(calls.REMOVE_CLUSTER)
    list_clusters = SyncMethod(calls.LIST_CLUSTERS)
    get_next_workset = SyncMethod(calls.GET_NEXT_WORKSET)
    claim_next_workset = SyncMethod(calls.CLAIM_NEXT_WORKSET)
    schedule_workset = SyncMethod(calls.SCHEDULE_WORKSET)
    explain_workset = SyncMethod(calls.EXPLAIN_WORKSET)
    estimate_wait = SyncMethod(calls.ESTIMATE_WAIT)
    recommend_clusters = SyncMethod(calls.RECOMMEND_CLUSTERS)
    get_scheduler_stats = SyncMethod(calls.GET_SCHEDULER_STATS)
