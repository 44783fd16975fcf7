import grpc
import pytest
from daylily.workset.v1 import error_reason_pb2
from google.rpc.error_details_pb2 import BadRequest, RetryInfo

from daylily_runtime import ErrorRow, ErrorTable, FieldViolation, RuntimeReason, ServiceError
from daylily_runtime.errors import to_status


class NotThereError(Exception):
    pass


class OldNotThereError(NotThereError):
    pass


TABLE = ErrorTable(
    {
        NotThereError: ErrorRow(grpc.StatusCode.NOT_FOUND, "NOT_THERE"),
        LookupError: ErrorRow(grpc.StatusCode.ABORTED, "LOOKUP"),
        KeyError: ErrorRow(grpc.StatusCode.INTERNAL, "KEY"),
    }
)


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (NotThereError("x"), "NOT_THERE"),
        (OldNotThereError("x"), "NOT_THERE"),
        (IndexError("x"), "LOOKUP"),
        (KeyError("x"), "KEY"),
        (ServiceError("x", reason="OWN"), "OWN"),
    ],
)
def test_the_nearest_row_decides(error, reason):
    assert TABLE.translate(error).reason == reason


def test_what_has_no_row_is_not_translated():
    assert TABLE.translate(ValueError("x")) is None


def test_the_reasons_of_the_runtime_are_in_the_documented_enum():
    names = error_reason_pb2.DESCRIPTOR.enum_types_by_name["ErrorReason"].values_by_name
    documented = {name.removeprefix("ERROR_REASON_") for name in names}
    assert {str(reason) for reason in RuntimeReason} <= documented


def test_a_class_may_bring_its_code_and_reason():
    class GoneError(ServiceError):
        code = grpc.StatusCode.NOT_FOUND
        reason = "GONE"

    assert to_status(GoneError("It is gone.")).code == 5
    assert GoneError("x", reason="OTHER").reason == "OTHER"
    assert GoneError("x").reason == "GONE"


def test_a_status_fits_into_trailers_whatever_goes_in():
    status = to_status(
        ServiceError(
            "\ud800ü" * 10_000,
            field_violations=[FieldViolation("f" * 1000, "ü" * 1000)] * 1000,
            metadata={f"k{n}": "v" * 10_000 for n in range(50)},
        )
    )
    trailers = len(status.message.encode()) * 3 + status.ByteSize() * 4 / 3
    assert trailers < 8_000
    bad = BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    assert "more fields are wrong" in bad.field_violations[-1].description


def test_all_violations_are_there_when_they_fit():
    status = to_status(
        ServiceError("x", field_violations=[FieldViolation(f"f{n}", "is wrong") for n in range(50)])
    )
    bad = BadRequest()
    assert any(detail.Unpack(bad) for detail in status.details)
    assert [v.field for v in bad.field_violations] == [f"f{n}" for n in range(50)]


@pytest.mark.parametrize(("seconds", "millis"), [(0.25, 250), (90.0, 90_000), (-1.0, 0)])
def test_retry_after_is_a_duration(seconds, millis):
    info = RetryInfo()
    status = to_status(ServiceError("x", retry_after=seconds))
    assert any(detail.Unpack(info) for detail in status.details)
    assert info.retry_delay.ToMilliseconds() == millis
