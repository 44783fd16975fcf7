"""The RPCs of SchedulerService. What each does and fails with: protos/daylily/scheduler/v1/scheduler.proto."""

from daylily.scheduler.v1 import scheduler_pb2 as pb

from daylily_client.rpc import Repeat, Rpc

SERVICE = "daylily.scheduler.v1.SchedulerService"

REGISTER_CLUSTER = Rpc(
    SERVICE, "RegisterCluster", pb.RegisterClusterRequest, pb.RegisterClusterResponse, Repeat.KEYED
)
UPDATE_CLUSTER_UTILIZATION = Rpc(
    SERVICE,
    "UpdateClusterUtilization",
    pb.UpdateClusterUtilizationRequest,
    pb.UpdateClusterUtilizationResponse,
    Repeat.IDEMPOTENT,
)
DRAIN_CLUSTER = Rpc(
    SERVICE, "DrainCluster", pb.DrainClusterRequest, pb.DrainClusterResponse, Repeat.KEYED
)
REMOVE_CLUSTER = Rpc(
    SERVICE, "RemoveCluster", pb.RemoveClusterRequest, pb.RemoveClusterResponse, Repeat.KEYED
)
LIST_CLUSTERS = Rpc(
    SERVICE, "ListClusters", pb.ListClustersRequest, pb.ListClustersResponse, Repeat.READ
)
GET_NEXT_WORKSET = Rpc(
    SERVICE, "GetNextWorkset", pb.GetNextWorksetRequest, pb.GetNextWorksetResponse, Repeat.READ
)
CLAIM_NEXT_WORKSET = Rpc(
    SERVICE,
    "ClaimNextWorkset",
    pb.ClaimNextWorksetRequest,
    pb.ClaimNextWorksetResponse,
    Repeat.KEYED,
    wait_field="max_wait",
)
SCHEDULE_WORKSET = Rpc(
    SERVICE, "ScheduleWorkset", pb.ScheduleWorksetRequest, pb.ScheduleWorksetResponse, Repeat.READ
)
EXPLAIN_WORKSET = Rpc(
    SERVICE, "ExplainWorkset", pb.ExplainWorksetRequest, pb.ExplainWorksetResponse, Repeat.READ
)
ESTIMATE_WAIT = Rpc(
    SERVICE, "EstimateWait", pb.EstimateWaitRequest, pb.EstimateWaitResponse, Repeat.READ
)
RECOMMEND_CLUSTERS = Rpc(
    SERVICE,
    "RecommendClusters",
    pb.RecommendClustersRequest,
    pb.RecommendClustersResponse,
    Repeat.READ,
)
GET_SCHEDULER_STATS = Rpc(
    SERVICE,
    "GetSchedulerStats",
    pb.GetSchedulerStatsRequest,
    pb.GetSchedulerStatsResponse,
    Repeat.READ,
)
