"""A status becomes the exception that a caller can branch on."""

import grpc
import pytest
from daylily.workset.v1 import error_reason_pb2
from google.protobuf import any_pb2
from google.rpc import error_details_pb2, status_pb2

from daylily_client import (
    AlreadyExists,
    DaylilyError,
    DeadlineExceeded,
    InternalError,
    NotFound,
    PermissionDenied,
    Unauthenticated,
    Unavailable,
    Unimplemented,
    errors,
)
from daylily_client.errors import error_from_status

REASONS = {
    name.removeprefix("ERROR_REASON_")
    for name in error_reason_pb2.ErrorReason.keys()  # noqa: SIM118 - an enum wrapper, no dict
    if not name.endswith("UNSPECIFIED")
}
# For these the class of the gRPC code says as much as one of their own would.
BY_CODE = {
    "CUSTOMER_NOT_FOUND": (grpc.StatusCode.NOT_FOUND, NotFound),
    "CONSUMER_NOT_FOUND": (grpc.StatusCode.NOT_FOUND, NotFound),
    "DELIVERY_NOT_FOUND": (grpc.StatusCode.NOT_FOUND, NotFound),
    "CHANNEL_NOT_FOUND": (grpc.StatusCode.NOT_FOUND, NotFound),
    "DEPENDENCY_NOT_FOUND": (grpc.StatusCode.NOT_FOUND, NotFound),
    "NOT_IMPLEMENTED": (grpc.StatusCode.UNIMPLEMENTED, Unimplemented),
    "INTERNAL": (grpc.StatusCode.INTERNAL, InternalError),
    "DEADLINE_EXCEEDED": (grpc.StatusCode.DEADLINE_EXCEEDED, DeadlineExceeded),
    "UNAUTHENTICATED": (grpc.StatusCode.UNAUTHENTICATED, Unauthenticated),
    "PERMISSION_DENIED": (grpc.StatusCode.PERMISSION_DENIED, PermissionDenied),
    "ISSUER_UNAVAILABLE": (grpc.StatusCode.UNAVAILABLE, Unavailable),
}


def trailer(reason, domain="daylily"):
    status = status_pb2.Status()
    packed = any_pb2.Any()
    packed.Pack(error_details_pb2.ErrorInfo(reason=reason, domain=domain))
    status.details.append(packed)
    return (("grpc-status-details-bin", status.SerializeToString()),)


def test_every_reason_has_its_class():
    assert set(errors._BY_REASON) | set(BY_CODE) == REASONS


@pytest.mark.parametrize(("reason", "code_and_kind"), BY_CODE.items())
def test_reasons_without_a_class_get_that_of_their_code(reason, code_and_kind):
    code, kind = code_and_kind
    error = error_from_status(code, "no", trailer(reason))
    assert type(error) is kind
    assert error.reason == reason


def test_an_error_says_its_reason_behind_its_sentence():
    error = error_from_status(
        grpc.StatusCode.ALREADY_EXISTS, "ws-1 is registered", trailer("WORKSET_EXISTS")
    )
    assert isinstance(error, AlreadyExists)
    assert str(error) == "ws-1 is registered (WORKSET_EXISTS)"


def test_a_reason_of_somebody_else_is_not_taken_for_ours():
    error = error_from_status(
        grpc.StatusCode.UNAVAILABLE, "proxy", trailer("LOCK_HELD", domain="proxy.example")
    )
    assert type(error) is Unavailable
    assert error.reason == ""


def test_a_server_torn_down_in_the_middle_of_a_call_is_unavailable():
    assert type(error_from_status(grpc.StatusCode.CANCELLED, "")) is Unavailable


def test_an_unheard_of_code_is_a_plain_daylily_error():
    assert type(error_from_status(grpc.StatusCode.DATA_LOSS, "")) is DaylilyError
