"""The one table from an exception to a gRPC status."""

from typing import Final

import grpc

from daylily_client.errors import DaylilyError, DeadlineExceeded, OutcomeUnknown, Unavailable
from daylily_runtime.errors import ErrorRow, ErrorTable, FieldViolation, RuntimeReason, ServiceError
from daylily_scheduler import errors

STATE_UNAVAILABLE: Final = "STATE_UNAVAILABLE"


def _of_state(error: DaylilyError) -> ServiceError:
    """What state refuses is refused here alike; what kept it from answering is said as that."""
    if isinstance(error, Unavailable) and not isinstance(error, OutcomeUnknown):
        return ServiceError(
            f"The state service does not answer: {error.message}",
            code=grpc.StatusCode.UNAVAILABLE,
            reason=STATE_UNAVAILABLE,
            retry_after=error.retry_after or 1.0,
        )
    if isinstance(error, DeadlineExceeded):
        return ServiceError(
            "The state service did not answer in time; what was asked may have been done. "
            "Ask again with the same request_id.",
            code=grpc.StatusCode.UNAVAILABLE,
            reason="OUTCOME_UNKNOWN",
            retry_after=1.0,
        )
    return ServiceError(
        error.message,
        code=error.code,
        reason=error.reason or RuntimeReason.INTERNAL,
        field_violations=[
            FieldViolation(violation.field, violation.description) for violation in error.violations
        ],
        retry_after=error.retry_after,
        metadata=error.metadata,
    )


ERRORS: Final = ErrorTable(
    {
        DaylilyError: _of_state,
        errors.InvalidFieldError: ErrorRow(
            grpc.StatusCode.INVALID_ARGUMENT,
            RuntimeReason.INVALID_FIELD,
            metadata=lambda error: {"field": error.field},
            field_violations=lambda error: [FieldViolation(error.field, error.description)],
        ),
        errors.RepeatedDifferentlyError: ErrorRow(
            grpc.StatusCode.INVALID_ARGUMENT,
            "REQUEST_ID_REUSED",
            metadata=lambda error: {"request_id": error.request_id},
        ),
        errors.UnknownClusterError: ErrorRow(
            grpc.StatusCode.NOT_FOUND,
            "CLUSTER_NOT_FOUND",
            metadata=lambda error: {"cluster_name": error.cluster_name},
        ),
        errors.DrainingError: ErrorRow(
            grpc.StatusCode.FAILED_PRECONDITION,
            "CLUSTER_DRAINING",
            metadata=lambda error: {"cluster_name": error.cluster_name},
        ),
        errors.NotCaughtUpError: ErrorRow(
            grpc.StatusCode.UNAVAILABLE, STATE_UNAVAILABLE, retry_after=lambda _: 1.0
        ),
        errors.NotWaitingError: ErrorRow(
            grpc.StatusCode.FAILED_PRECONDITION,
            "ILLEGAL_TRANSITION",
            metadata=lambda error: {"from": error.state, "to": "LOCKED"},
        ),
        errors.StoppingError: ErrorRow(grpc.StatusCode.UNAVAILABLE, RuntimeReason.STOPPING),
    }
)
