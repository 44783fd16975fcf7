"""From an exception to a `google.rpc.Status`: one table a service, no handler names a code."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, ClassVar

import grpc
from google.protobuf import any_pb2, duration_pb2
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

ERROR_DOMAIN = "daylily"
"""`ErrorInfo.domain` of every error."""

DETAILS_KEY = "grpc-status-details-bin"
"""The trailing metadata key that carries the serialised `google.rpc.Status`."""

# A client refuses trailing metadata above 8 KiB and then shows that refusal instead of our error.
# Together these stay below it at the worst: the message is in twice, once with three bytes for
# each of its own, and the details grow by a third on the way.
_MAX_MESSAGE_BYTES = 600
_MAX_METADATA_BYTES = 1000
_MAX_VIOLATIONS_BYTES = 2000


class RuntimeReason(StrEnum):
    """The reasons that this package gives by itself; a service's ErrorReason has each of them."""

    INTERNAL = "INTERNAL"
    DEADLINE_EXCEEDED = "DEADLINE_EXCEEDED"
    STOPPING = "STOPPING"
    OVERLOADED = "OVERLOADED"
    NOT_IMPLEMENTED = "NOT_IMPLEMENTED"
    INVALID_FIELD = "INVALID_FIELD"
    UNAUTHENTICATED = "UNAUTHENTICATED"
    PERMISSION_DENIED = "PERMISSION_DENIED"
    ISSUER_UNAVAILABLE = "ISSUER_UNAVAILABLE"


@dataclass(frozen=True, slots=True)
class FieldViolation:
    """What is wrong with one field of a request; `field` is a path like `requirements.vcpus`."""

    field: str
    description: str


class ServiceError(Exception):
    """A refusal that the caller is meant to read.

    Raise it, or a subclass with `code` and `reason` of its own. Domain exceptions need not know
    it: an `ErrorTable` turns them into one.

    Args:
        message: a sentence for a person.
        code: the gRPC code; without it, the class's.
        reason: the machine-readable reason, UPPER_SNAKE_CASE; without it, the class's.
        field_violations: what is wrong with which field, for INVALID_ARGUMENT.
        retry_after: seconds after which asking again makes sense; None where it does not.
        metadata: further facts for programs; values are texts.
    """

    code: grpc.StatusCode = grpc.StatusCode.INTERNAL
    reason: str = RuntimeReason.INTERNAL

    def __init__(
        self,
        message: str,
        *,
        code: grpc.StatusCode | None = None,
        reason: str | None = None,
        field_violations: Iterable[FieldViolation] = (),
        retry_after: float | None = None,
        metadata: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if reason is not None:
            self.reason = reason
        self.field_violations = tuple(field_violations)
        self.retry_after = retry_after
        self.metadata = dict(metadata or {})


@dataclass(frozen=True)
class ErrorRow:
    """How one domain exception looks on the wire. Its `str()` is the message.

    The functions read the details from the exception.
    """

    code: grpc.StatusCode
    reason: str
    metadata: Callable[[Any], Mapping[str, str]] = field(default=lambda _: {})
    field_violations: Callable[[Any], Iterable[FieldViolation]] = field(default=lambda _: ())
    retry_after: Callable[[Any], float | None] = field(default=lambda _: None)

    def apply(self, error: Exception) -> ServiceError:
        return ServiceError(
            str(error),
            code=self.code,
            reason=self.reason,
            metadata=self.metadata(error),
            field_violations=self.field_violations(error),
            retry_after=self.retry_after(error),
        )


Translate = Callable[[Any], ServiceError]


class ErrorTable:
    """The one place where a service decides which exception is which status.

    A row is an `ErrorRow`, or a function from the exception to a `ServiceError` where the code
    depends on what the exception carries. The nearest base class with a row decides.
    """

    EMPTY: ClassVar["ErrorTable"]

    def __init__(self, rows: Mapping[type[Exception], ErrorRow | Translate]) -> None:
        self._rows = dict(rows)

    def translate(self, error: Exception) -> ServiceError | None:
        """The refusal for `error`, or None when the table does not know it."""
        if isinstance(error, ServiceError):
            return error
        for kind in type(error).__mro__:
            row = self._rows.get(kind)
            if isinstance(row, ErrorRow):
                return row.apply(error)
            if row is not None:
                return row(error)
        return None


ErrorTable.EMPTY = ErrorTable({})


def to_status(error: ServiceError) -> Status:
    """The `google.rpc.Status` of `error`, cut so that it fits into trailing metadata."""
    status = Status(code=error.code.value[0], message=_shortened(error.message))
    _pack(status, _error_info(error))
    if error.retry_after is not None:
        delay = duration_pb2.Duration()
        delay.FromNanoseconds(round(max(0.0, error.retry_after) * 1e9))
        _pack(status, RetryInfo(retry_delay=delay))
    if error.field_violations:
        _pack(status, _bad_request(error.field_violations))
    return status


def _error_info(error: ServiceError) -> ErrorInfo:
    info = ErrorInfo(reason=error.reason, domain=ERROR_DOMAIN)
    for key, value in error.metadata.items():
        info.metadata[key] = _shortened(value, 256)
        if info.ByteSize() > _MAX_METADATA_BYTES:
            del info.metadata[key]
            break
    return info


def _bad_request(violations: tuple[FieldViolation, ...]) -> BadRequest:
    bad = BadRequest()
    for index, violation in enumerate(violations):
        bad.field_violations.add(
            field=_shortened(violation.field, 256),
            description=_shortened(violation.description, 256),
        )
        if bad.ByteSize() > _MAX_VIOLATIONS_BYTES:
            del bad.field_violations[-1]
            bad.field_violations.add(
                description=f"{len(violations) - index} more fields are wrong."
            )
            break
    return bad


def _pack(
    status: Status,
    detail: ErrorInfo | RetryInfo | BadRequest,
) -> None:
    packed = any_pb2.Any()
    packed.Pack(detail)
    status.details.append(packed)


def _shortened(text: str, limit: int = _MAX_MESSAGE_BYTES) -> str:
    raw = text.encode("utf-8", "replace")
    if len(raw) <= limit:
        return raw.decode()
    return raw[: limit - 3].decode("utf-8", "ignore") + "…"
