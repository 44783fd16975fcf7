"""What a call fails with: one exception class for each family of reasons that callers branch on.

The words are those of `ErrorReason` in protos/daylily/workset/v1/error_reason.proto, where each
reason is explained. A class stands for one reason or, as a base class, for a gRPC code.
"""
# ruff: noqa: N818 - a class is called after its reason, which is no "...Error"

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import grpc
from google.rpc import error_details_pb2, status_pb2

ERROR_DOMAIN = "daylily"
STATUS_DETAILS_KEY = "grpc-status-details-bin"

Metadata: TypeAlias = Iterable[tuple[str, str | bytes]]


@dataclass(frozen=True)
class FieldViolation:
    """One wrong field of a request: its path in the proto, and what is wrong with it."""

    field: str
    description: str


class DaylilyError(Exception):
    """A call failed.

    Attributes:
        message: a sentence for people.
        code: the gRPC status code.
        reason: name of the `ErrorReason`, such as "LOCK_HELD". Empty when no Daylily service
            answered: the connection broke, or something between refused the call.
        metadata: facts that belong to the reason, such as {"owner_id": "m2"}.
        violations: the wrong fields, for `InvalidField`.
        retry_after: seconds after which the service thinks asking again is worth it, or None.
        rpc: the method that was called, "StateService/AcquireLock".
        request_id: the call's id, which the server's log has too.
    """

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode = grpc.StatusCode.UNKNOWN,
        reason: str = "",
        metadata: Mapping[str, str] | None = None,
        violations: tuple[FieldViolation, ...] = (),
        retry_after: float | None = None,
        rpc: str = "",
        request_id: str = "",
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.metadata = dict(metadata or {})
        self.violations = violations
        self.retry_after = retry_after
        self.rpc = rpc
        self.request_id = request_id

    def __str__(self) -> str:
        return f"{self.message} ({self.reason or self.code.name})"


class InvalidArgument(DaylilyError):
    """The request itself is wrong; the same request will always be refused."""


class InvalidField(InvalidArgument):
    """A field is missing, malformed or too large; `violations` names each."""


class RequestIdReused(InvalidArgument):
    """The request_id was used before for other content."""


class InvalidCursor(InvalidArgument):
    """The cursor or page token was not made by this service, or by another call."""


class NotFound(DaylilyError):
    """There is no such thing; `reason` says of what kind."""


class WorksetNotFound(NotFound):
    """No workset has this id."""


class ClusterNotFound(NotFound):
    """No cluster is registered under this name."""


class GrantNotFound(NotFound):
    """No lock was granted to this request_id."""


class SnapshotNotFound(NotFound):
    """The service has not written a checkpoint yet."""


class EpisodeNotFound(NotFound):
    """No episode has this id."""


class AlreadyExists(DaylilyError):
    """A workset with this id exists; nothing was changed."""


class FailedPrecondition(DaylilyError):
    """Things do not stand so that the call may be done."""


class IllegalTransition(FailedPrecondition):
    """The state machine has no such transition; metadata has `from` and `to`."""


class LockHeld(FailedPrecondition):
    """Somebody else holds the lock; metadata has `owner_id` and `expires_at`."""


class LockRequired(FailedPrecondition):
    """This write needs the lock's token and none was given."""


class DependencyNotMet(FailedPrecondition):
    """A dependency is not COMPLETE; metadata names it."""


class NotYetAvailable(FailedPrecondition):
    """The workset backs off after a failure; metadata has `available_at`."""


class ClusterInUse(FailedPrecondition):
    """Worksets still hold parts of the cluster."""


class ClusterDraining(FailedPrecondition):
    """The cluster takes no new work."""


class ConsumerHeld(FailedPrecondition):
    """Another process is this consumer at the moment."""


class Aborted(DaylilyError):
    """Somebody else was first."""


class VersionMismatch(Aborted):
    """The record changed since it was read. Read it and decide again."""


class LockLost(Aborted):
    """The token is not the current one: the workset is somebody else's. Stop the work."""


class WorksetCancelled(Aborted):
    """An operator cancelled the workset. Stop the work, then release the lock."""


class ConsumerLost(Aborted):
    """Another process took the consumer over."""


class ClaimLost(Aborted):
    """The claim on the delivery ran out and somebody else has it."""


class Contention(Aborted):
    """Too many writers at once; nothing was changed."""


class ResourceExhausted(DaylilyError):
    """Something there is not enough of."""


class ClusterFull(ResourceExhausted):
    """The cluster has not enough free; metadata has `resource`, `need` and `have`."""


class CustomerLimit(ResourceExhausted):
    """The customer runs as many worksets as it may."""


class BudgetExceeded(ResourceExhausted):
    """The estimate does not fit what is left of the customer's budget."""


class Overloaded(ResourceExhausted):
    """The server has as many calls or streams as it takes."""


class Unavailable(DaylilyError):
    """No answer that can be used. With an empty `reason` the service itself was not reached."""


class StoreUnavailable(Unavailable):
    """The store does not answer; nothing was changed."""


class OutcomeUnknown(Unavailable):
    """Whether the write went through is not known.

    Ask again with the same request_id: it has one effect.
    """


class StateUnavailable(Unavailable):
    """The scheduler or notifier cannot reach state, or has not caught up with it."""


class Stopping(Unavailable):
    """This server is stopping. Another one will do it."""


class DeadlineExceeded(DaylilyError):
    """The caller's deadline passed. A write may have gone through."""


class Unimplemented(DaylilyError):
    """The service does not know this call."""


class Unauthenticated(DaylilyError):
    """The caller did not prove who it is."""


class PermissionDenied(DaylilyError):
    """The caller may not do this."""


class InternalError(DaylilyError):
    """A fault of the service; its log has it under `request_id`."""


_BY_REASON: dict[str, type[DaylilyError]] = {
    "INVALID_FIELD": InvalidField,
    "REQUEST_ID_REUSED": RequestIdReused,
    "INVALID_CURSOR": InvalidCursor,
    "WORKSET_NOT_FOUND": WorksetNotFound,
    "CLUSTER_NOT_FOUND": ClusterNotFound,
    "GRANT_NOT_FOUND": GrantNotFound,
    "SNAPSHOT_NOT_FOUND": SnapshotNotFound,
    "EPISODE_NOT_FOUND": EpisodeNotFound,
    "WORKSET_EXISTS": AlreadyExists,
    "ILLEGAL_TRANSITION": IllegalTransition,
    "LOCK_HELD": LockHeld,
    "LOCK_REQUIRED": LockRequired,
    "DEPENDENCY_NOT_MET": DependencyNotMet,
    "NOT_YET_AVAILABLE": NotYetAvailable,
    "CLUSTER_IN_USE": ClusterInUse,
    "CLUSTER_DRAINING": ClusterDraining,
    "CONSUMER_HELD": ConsumerHeld,
    "VERSION_MISMATCH": VersionMismatch,
    "LOCK_LOST": LockLost,
    "WORKSET_CANCELLED": WorksetCancelled,
    "CONSUMER_LOST": ConsumerLost,
    "CLAIM_LOST": ClaimLost,
    "CONTENTION": Contention,
    "CLUSTER_FULL": ClusterFull,
    "CUSTOMER_LIMIT": CustomerLimit,
    "BUDGET_EXCEEDED": BudgetExceeded,
    "OVERLOADED": Overloaded,
    "STORE_UNAVAILABLE": StoreUnavailable,
    "OUTCOME_UNKNOWN": OutcomeUnknown,
    "STATE_UNAVAILABLE": StateUnavailable,
    "STOPPING": Stopping,
}

_BY_CODE: dict[grpc.StatusCode, type[DaylilyError]] = {
    grpc.StatusCode.INVALID_ARGUMENT: InvalidArgument,
    grpc.StatusCode.OUT_OF_RANGE: InvalidArgument,
    grpc.StatusCode.NOT_FOUND: NotFound,
    grpc.StatusCode.ALREADY_EXISTS: AlreadyExists,
    grpc.StatusCode.FAILED_PRECONDITION: FailedPrecondition,
    grpc.StatusCode.ABORTED: Aborted,
    grpc.StatusCode.RESOURCE_EXHAUSTED: ResourceExhausted,
    grpc.StatusCode.UNAVAILABLE: Unavailable,
    # A server that is torn down in the middle of a call cancels it.
    grpc.StatusCode.CANCELLED: Unavailable,
    grpc.StatusCode.DEADLINE_EXCEEDED: DeadlineExceeded,
    grpc.StatusCode.UNIMPLEMENTED: Unimplemented,
    grpc.StatusCode.UNAUTHENTICATED: Unauthenticated,
    grpc.StatusCode.PERMISSION_DENIED: PermissionDenied,
    grpc.StatusCode.INTERNAL: InternalError,
}


def error_from_status(
    code: grpc.StatusCode,
    message: str,
    trailing_metadata: Metadata = (),
    *,
    rpc: str = "",
    request_id: str = "",
) -> DaylilyError:
    """The exception for a gRPC status: its class by reason, else by code."""
    reason, facts = "", {}
    violations: list[FieldViolation] = []
    retry_after: float | None = None
    for detail in _details(trailing_metadata):
        if isinstance(detail, error_details_pb2.ErrorInfo):
            if detail.domain == ERROR_DOMAIN:
                reason, facts = detail.reason, dict(detail.metadata)
        elif isinstance(detail, error_details_pb2.BadRequest):
            violations += [
                FieldViolation(violation.field, violation.description)
                for violation in detail.field_violations
            ]
        else:
            retry_after = detail.retry_delay.ToTimedelta().total_seconds()
    kind = _BY_REASON.get(reason) or _BY_CODE.get(code, DaylilyError)
    return kind(
        message or code.name,
        code=code,
        reason=reason,
        metadata=facts,
        violations=tuple(violations),
        retry_after=retry_after,
        rpc=rpc,
        request_id=request_id,
    )


_Detail: TypeAlias = (
    error_details_pb2.ErrorInfo | error_details_pb2.BadRequest | error_details_pb2.RetryInfo
)


def _details(trailing_metadata: Metadata) -> Iterator[_Detail]:
    for key, value in trailing_metadata:
        if key != STATUS_DETAILS_KEY or isinstance(value, str):
            continue
        for packed in status_pb2.Status.FromString(value).details:
            for kind in (
                error_details_pb2.ErrorInfo,
                error_details_pb2.BadRequest,
                error_details_pb2.RetryInfo,
            ):
                detail = kind()
                if packed.Unpack(detail):
                    yield detail
