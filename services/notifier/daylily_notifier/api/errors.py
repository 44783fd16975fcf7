"""The one table from an exception to a gRPC status."""

import grpc

from daylily_client import DaylilyError, DeadlineExceeded, OutcomeUnknown, Unavailable
from daylily_runtime import ErrorTable, FieldViolation, RuntimeReason, ServiceError


class UnknownChannelError(ServiceError):
    """The configuration has no such channel."""

    code = grpc.StatusCode.NOT_FOUND
    reason = "CHANNEL_NOT_FOUND"

    def __init__(self, channel: str) -> None:
        super().__init__(
            f"There is no channel {channel!r} in the notifier's configuration.",
            metadata={"channel": channel},
        )


class InvalidFieldError(ServiceError):
    """A field of the request is wrong."""

    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = RuntimeReason.INVALID_FIELD

    def __init__(self, field: str, description: str) -> None:
        super().__init__(
            f"{field}: {description}",
            metadata={"field": field},
            field_violations=[FieldViolation(field, description)],
        )


class UnfinishedDeliveryError(ServiceError):
    """The delivery is on its way: sending it again makes no sense yet."""

    code = grpc.StatusCode.ABORTED
    reason = "CLAIM_LOST"

    def __init__(self, delivery_id: str) -> None:
        super().__init__(
            "The delivery is not finished: it is tried again by itself.",
            metadata={"delivery_id": delivery_id},
        )


def _of_state(error: DaylilyError) -> ServiceError:
    """What state refused is refused here alike; what kept state from answering is said as that."""
    if isinstance(error, Unavailable) and not isinstance(error, OutcomeUnknown):
        return ServiceError(
            f"The state service does not answer: {error.message}",
            code=grpc.StatusCode.UNAVAILABLE,
            reason="STATE_UNAVAILABLE",
            retry_after=error.retry_after or 1.0,
        )
    if isinstance(error, DeadlineExceeded):
        return ServiceError(
            "The state service did not answer in time; what was asked may have been done.",
            code=grpc.StatusCode.UNAVAILABLE,
            reason="STATE_UNAVAILABLE",
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


ERRORS = ErrorTable({DaylilyError: _of_state})
