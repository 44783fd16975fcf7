"""Who may call what: one rule for each RPC. docs/access.md shows the table."""

from typing import Final, TypeAlias

from daylily.scheduler.v1 import scheduler_pb2 as pb

from daylily_runtime.access import MAY, Identity, Role, Rule, Rules

CLUSTERS: Final = "clusters"
"""Limit of a monitor: the clusters that it works for."""
OWNERS: Final = "owners"
"""Limit of a monitor: how the names begin under which it holds locks, besides its own."""

_OfACluster: TypeAlias = (
    pb.RegisterClusterRequest | pb.UpdateClusterUtilizationRequest | pb.ClaimNextWorksetRequest
)


def own_cluster(request: _OfACluster, identity: Identity) -> str:
    """Why this identity may not speak for the cluster."""
    if identity.role is Role.MONITOR and not identity.admits(CLUSTERS, request.cluster_name):
        return "cluster_name is not a cluster of its own"
    return MAY


def own_claim(request: pb.ClaimNextWorksetRequest, identity: Identity) -> str:
    """Why this identity may not claim for this cluster under this name."""
    if identity.role is Role.MONITOR and not identity.goes_by(request.owner_id, OWNERS):
        return "owner_id is not a name of its own"
    return own_cluster(request, identity)


_LOOKS: Final = Rule(Role.VIEWER, service=True)
_DECIDES: Final = Rule(Role.OPERATOR)
_SPEAKS_FOR_A_CLUSTER: Final = Rule(
    Role.MONITOR, but="a monitor for its own cluster", judge=own_cluster
)

RULES: Final[Rules] = {
    "RegisterCluster": _SPEAKS_FOR_A_CLUSTER,
    "UpdateClusterUtilization": _SPEAKS_FOR_A_CLUSTER,
    "DrainCluster": _DECIDES,
    "RemoveCluster": _DECIDES,
    "ListClusters": _LOOKS,
    "GetNextWorkset": _LOOKS,
    "ClaimNextWorkset": Rule(
        Role.MONITOR,
        but="a monitor for its own cluster and under a name of its own",
        judge=own_claim,
    ),
    "ScheduleWorkset": _LOOKS,
    "ExplainWorkset": _LOOKS,
    "EstimateWait": _LOOKS,
    "RecommendClusters": _LOOKS,
    "GetSchedulerStats": _LOOKS,
}
"""The rule of every RPC of SchedulerService."""
