"""The one table from a refusal of the domain to a gRPC status."""

from typing import Final

import grpc

from daylily_runtime import ErrorRow, ErrorTable, FieldViolation
from daylily_state.domain import errors

_Code = grpc.StatusCode

CODES: Final[dict[type[errors.DomainError], grpc.StatusCode]] = {
    errors.InvalidFieldError: _Code.INVALID_ARGUMENT,
    errors.RequestIdReusedError: _Code.INVALID_ARGUMENT,
    errors.InvalidCursorError: _Code.INVALID_ARGUMENT,
    errors.WorksetNotFoundError: _Code.NOT_FOUND,
    errors.ClusterNotFoundError: _Code.NOT_FOUND,
    errors.CustomerNotFoundError: _Code.NOT_FOUND,
    errors.ConsumerNotFoundError: _Code.NOT_FOUND,
    errors.SnapshotNotFoundError: _Code.NOT_FOUND,
    errors.DeliveryNotFoundError: _Code.NOT_FOUND,
    errors.EpisodeNotFoundError: _Code.NOT_FOUND,
    errors.DependencyNotFoundError: _Code.NOT_FOUND,
    errors.GrantNotFoundError: _Code.NOT_FOUND,
    errors.WorksetExistsError: _Code.ALREADY_EXISTS,
    errors.IllegalTransitionError: _Code.FAILED_PRECONDITION,
    errors.LockHeldError: _Code.FAILED_PRECONDITION,
    errors.LockRequiredError: _Code.FAILED_PRECONDITION,
    errors.DependencyNotMetError: _Code.FAILED_PRECONDITION,
    errors.NotYetAvailableError: _Code.FAILED_PRECONDITION,
    errors.ClusterInUseError: _Code.FAILED_PRECONDITION,
    errors.ClusterDrainingError: _Code.FAILED_PRECONDITION,
    errors.ConsumerHeldError: _Code.FAILED_PRECONDITION,
    errors.VersionMismatchError: _Code.ABORTED,
    errors.LockLostError: _Code.ABORTED,
    errors.WorksetCancelledError: _Code.ABORTED,
    errors.ConsumerLostError: _Code.ABORTED,
    errors.ClaimLostError: _Code.ABORTED,
    errors.ContentionError: _Code.ABORTED,
    errors.ClusterFullError: _Code.RESOURCE_EXHAUSTED,
    errors.CustomerLimitError: _Code.RESOURCE_EXHAUSTED,
    errors.BudgetExceededError: _Code.RESOURCE_EXHAUSTED,
    errors.OverloadedError: _Code.RESOURCE_EXHAUSTED,
    errors.StoreUnavailableError: _Code.UNAVAILABLE,
    errors.OutcomeUnknownError: _Code.UNAVAILABLE,
    errors.StoppingError: _Code.UNAVAILABLE,
}


def _violations(error: errors.DomainError) -> tuple[FieldViolation, ...]:
    if not isinstance(error, errors.InvalidFieldError):
        return ()
    return tuple(FieldViolation(found.field, found.description) for found in error.violations)


def _retry_after(error: errors.DomainError) -> float | None:
    return error.retry_after.total_seconds() if error.retry_after is not None else None


ERRORS: Final = ErrorTable(
    {
        kind: ErrorRow(
            code,
            kind.reason,
            metadata=lambda error: error.metadata,
            field_violations=_violations,
            retry_after=_retry_after,
        )
        for kind, code in CODES.items()
    }
)
