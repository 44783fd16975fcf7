"""What a refused call says: the google.rpc.Status of its trailers, unpacked."""

from collections.abc import Awaitable
from dataclasses import dataclass, field

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status
from grpc_status.rpc_status import GRPC_DETAILS_METADATA_KEY


@dataclass
class Refusal:
    """A failed call. `violations` maps the path of each wrong field to what is wrong with it."""

    code: grpc.StatusCode
    message: str
    reason: str = ""
    domain: str = ""
    metadata: dict[str, str] = field(default_factory=dict)
    violations: dict[str, str] = field(default_factory=dict)
    retry_after: float | None = None


async def refused(call: Awaitable[object]) -> Refusal:
    """Awaits a call that must fail, and reads why."""
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return refusal(caught.value)


def refusal(error: grpc.aio.AioRpcError) -> Refusal:
    found = Refusal(error.code(), error.details() or "")
    trailers = dict(error.trailing_metadata() or ())
    status = Status.FromString(trailers.get(GRPC_DETAILS_METADATA_KEY, b""))
    info, bad, retry = ErrorInfo(), BadRequest(), RetryInfo()
    for detail in status.details:
        if detail.Unpack(info):
            found.reason, found.domain = info.reason, info.domain
            found.metadata = dict(info.metadata)
        elif detail.Unpack(bad):
            found.violations = {wrong.field: wrong.description for wrong in bad.field_violations}
        elif detail.Unpack(retry):
            found.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
    return found
