"""Who may call what: one rule for each RPC. docs/access.md shows the table."""

from typing import Final, TypeAlias

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2

from daylily_runtime.access import MAY, SERVICES_ONLY, Identity, Role, Rule, Rules, takes
from daylily_state.app.holders import Holders, Past, Unissued

CLUSTERS: Final = "clusters"
"""Limit of a monitor: the clusters that it works for."""
OWNERS: Final = "owners"
"""Limit of a monitor: how the names begin under which it holds locks, besides its own."""

_IGNORED: Final = workset_pb2.WORKSET_STATE_IGNORED
_HoldersWrite: TypeAlias = (
    state_pb2.RenewLockRequest
    | state_pb2.ReleaseLockRequest
    | state_pb2.UpdateStateRequest
    | state_pb2.ReportProgressRequest
)

_LOOKS: Final = Rule(Role.VIEWER, service=True)
_DECIDES: Final = Rule(Role.OPERATOR)
_DECIDES_BY_A_SERVICE: Final = Rule(Role.OPERATOR, service=True)


def rules(holders: Holders) -> Rules:
    """The rule of every RPC of StateService."""

    async def own_lock(request: _HoldersWrite, identity: Identity) -> str:
        if identity.role is not Role.MONITOR or not request.lock_token:
            return MAY  # without a token no holder's write lands
        owner = await holders.of(request.workset_id, request.lock_token)
        match owner:
            case Past():
                return MAY
            case Unissued():
                return "the lock token is not its own"
            case _ if identity.goes_by(owner, OWNERS):
                return MAY
        return "the lock is somebody else's"

    own = "a monitor with its own lock"
    return {
        "RegisterWorkset": Rule(Role.MONITOR),
        "GetWorkset": _LOOKS,
        "BatchGetWorksets": _LOOKS,
        "ListWorksets": _LOOKS,
        "UpdateWorkset": _DECIDES,
        "ListReadyWorksets": _LOOKS,
        "AcquireLock": Rule(
            Role.MONITOR,
            service=True,
            but="a monitor under a name of its own and for its own cluster; `force` takes an operator",
            judge=may_acquire,
        ),
        "GetGrant": Rule(Role.MONITOR, service=True),
        "RenewLock": Rule(Role.MONITOR, but=own, guard=own_lock),
        "ReleaseLock": Rule(Role.MONITOR, service=True, but=own, guard=own_lock),
        "UpdateState": Rule(
            Role.MONITOR,
            but=f"{own}; to IGNORED, or without the lock's token, it takes an operator",
            judge=may_update_state,
            guard=own_lock,
        ),
        "ReportProgress": Rule(Role.MONITOR, but=own, guard=own_lock),
        "GetQueueDepth": _LOOKS,
        "ListEvents": _LOOKS,
        "WatchEvents": _LOOKS,
        "PublishEvent": _DECIDES_BY_A_SERVICE,
        "AcquireConsumer": SERVICES_ONLY,
        "RenewConsumer": SERVICES_ONLY,
        "ReleaseConsumer": SERVICES_ONLY,
        "AckEvents": SERVICES_ONLY,
        "PutCluster": _DECIDES_BY_A_SERVICE,
        "ReportCluster": _DECIDES_BY_A_SERVICE,
        "ListClusters": _LOOKS,
        "DeleteCluster": _DECIDES_BY_A_SERVICE,
        "PutCustomer": _DECIDES,
        "ListCustomers": _LOOKS,
        "GetSnapshot": SERVICES_ONLY,
        "PutSnapshot": SERVICES_ONLY,
        "PutDeliveries": SERVICES_ONLY,
        "ClaimDeliveries": SERVICES_ONLY,
        "UpdateDelivery": SERVICES_ONLY,
        "GetDelivery": SERVICES_ONLY,
        "ListDeliveries": _LOOKS,
        "GetEpisode": SERVICES_ONLY,
        "PutEpisode": SERVICES_ONLY,
    }


def may_acquire(request: state_pb2.AcquireLockRequest, identity: Identity) -> str:
    """Why this lock may not be taken by this identity."""
    if request.force and not identity.reaches(Role.OPERATOR):
        return f"with force {takes(Role.OPERATOR)}"
    if identity.role is not Role.MONITOR:
        return MAY
    if request.picked:
        return "what a scheduler picked takes a service"
    if not identity.goes_by(request.owner_id, OWNERS):
        return "owner_id is not a name of its own"
    if not identity.admits(CLUSTERS, request.cluster_name):
        return "cluster_name is not a cluster of its own"
    return MAY


def may_update_state(request: state_pb2.UpdateStateRequest, identity: Identity) -> str:
    """Why this state may not be set by this identity, whoever holds the lock."""
    if identity.reaches(Role.OPERATOR):
        return MAY
    if request.state == _IGNORED:
        return f"to cancel {takes(Role.OPERATOR)}"
    if not request.lock_token:
        return f"without the lock's token {takes(Role.OPERATOR)}"
    if request.cluster_name and not identity.admits(CLUSTERS, request.cluster_name):
        return "cluster_name is not a cluster of its own"
    return MAY
