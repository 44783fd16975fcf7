"""Typed clients and the lock keeper of the Daylily control plane.

    async with AsyncStateClient("localhost:50051") as state:
        answer = await state.acquire_lock(workset_id="ws-1", owner_id="me", lease=duration(900))

Each client has a method for each RPC. Its keyword arguments are the fields of the request, its
answer is the proto's message, and it raises a `DaylilyError`. Calls have a deadline and are repeated
inside it as far as that is safe: `ClientOptions.timeout`, or `client.with_timeout(5)` for a few.
"""

from daylily_client.async_client import AsyncClient
from daylily_client.calling import new_request_id
from daylily_client.credentials import FixedToken, TokenFile, TokenSource
from daylily_client.errors import (
    Aborted,
    AlreadyExists,
    BudgetExceeded,
    ClaimLost,
    ClusterDraining,
    ClusterFull,
    ClusterInUse,
    ClusterNotFound,
    ConsumerHeld,
    ConsumerLost,
    Contention,
    CustomerLimit,
    DaylilyError,
    DeadlineExceeded,
    DependencyNotMet,
    EpisodeNotFound,
    FailedPrecondition,
    FieldViolation,
    GrantNotFound,
    IllegalTransition,
    InternalError,
    InvalidArgument,
    InvalidCursor,
    InvalidField,
    LockHeld,
    LockLost,
    LockRequired,
    NotFound,
    NotYetAvailable,
    OutcomeUnknown,
    Overloaded,
    PermissionDenied,
    RequestIdReused,
    ResourceExhausted,
    SnapshotNotFound,
    StateUnavailable,
    Stopping,
    StoreUnavailable,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    VersionMismatch,
    WorksetCancelled,
    WorksetNotFound,
)
from daylily_client.keeper import LockKeeper, LockState
from daylily_client.notifier import AsyncNotifierClient, NotifierClient
from daylily_client.options import ClientOptions, RetryPolicy, TlsFiles
from daylily_client.paging import async_pages, pages
from daylily_client.scheduler import AsyncSchedulerClient, SchedulerClient
from daylily_client.spans import client_spans
from daylily_client.state import AsyncStateClient, StateClient
from daylily_client.sync_client import SyncClient
from daylily_client.timing import AsyncTime, SyncTime
from daylily_client.values import as_dict, duration, struct, timestamp

__all__ = [
    "Aborted",
    "AlreadyExists",
    "AsyncClient",
    "AsyncNotifierClient",
    "AsyncSchedulerClient",
    "AsyncStateClient",
    "AsyncTime",
    "BudgetExceeded",
    "ClaimLost",
    "ClientOptions",
    "ClusterDraining",
    "ClusterFull",
    "ClusterInUse",
    "ClusterNotFound",
    "ConsumerHeld",
    "ConsumerLost",
    "Contention",
    "CustomerLimit",
    "DaylilyError",
    "DeadlineExceeded",
    "DependencyNotMet",
    "EpisodeNotFound",
    "FailedPrecondition",
    "FieldViolation",
    "FixedToken",
    "GrantNotFound",
    "IllegalTransition",
    "InternalError",
    "InvalidArgument",
    "InvalidCursor",
    "InvalidField",
    "LockHeld",
    "LockKeeper",
    "LockLost",
    "LockRequired",
    "LockState",
    "NotFound",
    "NotYetAvailable",
    "NotifierClient",
    "OutcomeUnknown",
    "Overloaded",
    "PermissionDenied",
    "RequestIdReused",
    "ResourceExhausted",
    "RetryPolicy",
    "SchedulerClient",
    "SnapshotNotFound",
    "StateClient",
    "StateUnavailable",
    "Stopping",
    "StoreUnavailable",
    "SyncClient",
    "SyncTime",
    "TlsFiles",
    "TokenFile",
    "TokenSource",
    "Unauthenticated",
    "Unavailable",
    "Unimplemented",
    "VersionMismatch",
    "WorksetCancelled",
    "WorksetNotFound",
    "as_dict",
    "async_pages",
    "client_spans",
    "duration",
    "new_request_id",
    "pages",
    "struct",
    "timestamp",
]
