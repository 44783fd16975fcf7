"""What callers send, checked: a wrong field is refused at once and not after a wait."""

from datetime import timedelta
from typing import Final

from daylily.scheduler.v1 import scheduler_pb2 as pb
from daylily.workset.v1 import cluster_pb2
from google.protobuf.duration_pb2 import Duration

from daylily_client.calling import new_request_id
from daylily_scheduler.claims import Claim
from daylily_scheduler.errors import InvalidFieldError

MOST_WAIT: Final = timedelta(seconds=45)
LEASES: Final = (timedelta(seconds=10), timedelta(hours=24))
OWNER_BYTES: Final = 128
REQUEST_ID_BYTES: Final = 64
# Before the caller's own deadline an answer has to be on its way: empty is better than late.
ANSWER_SECONDS: Final = 0.25


def claim_of(request: pb.ClaimNextWorksetRequest, remaining: float | None) -> Claim:
    """The claim in a request. `remaining` is what the caller's deadline leaves, in seconds.

    Raises:
        InvalidFieldError: a field is wrong.
    """
    named("cluster_name", request.cluster_name)
    _text("owner_id", request.owner_id, OWNER_BYTES)
    if len(request.request_id.encode()) > REQUEST_ID_BYTES:
        raise InvalidFieldError("request_id", f"takes {REQUEST_ID_BYTES} bytes at most")
    wait = _between("max_wait", request.max_wait, (timedelta(0), MOST_WAIT)).total_seconds()
    if remaining is not None:
        wait = max(min(wait, remaining - ANSWER_SECONDS), 0.0)
    return Claim(
        cluster_name=request.cluster_name,
        owner_id=request.owner_id,
        lease=_between("lease", request.lease, LEASES) if request.HasField("lease") else None,
        max_wait=wait,
        request_id=request.request_id or new_request_id(),
        is_new=not request.request_id,
    )


def cluster_of(request: pb.RegisterClusterRequest) -> cluster_pb2.Cluster:
    """The cluster in a request; state checks its fields."""
    named("cluster_name", request.cluster_name)
    return cluster_pb2.Cluster(
        cluster_name=request.cluster_name,
        state=cluster_pb2.CLUSTER_STATE_ACTIVE,
        region=request.region,
        availability_zone=request.availability_zone,
        instance_types=request.instance_types,
        capacity=cluster_pb2.Resources(
            vcpus=request.vcpus,
            memory_gb=request.memory_gb,
            storage_gb=request.storage_gb,
            slots=request.slots,
        ),
        price_per_vcpu_hour_usd=request.price_per_vcpu_hour_usd,
        fixed_cost_per_hour_usd=request.fixed_cost_per_hour_usd,
        report_interval=request.report_interval if request.HasField("report_interval") else None,
    )


def named(field: str, value: str) -> str:
    """A name that has to be given; whether it is well formed says state."""
    if not value:
        raise InvalidFieldError(field, "has to be given")
    return value


def _text(field: str, value: str, most: int) -> None:
    if not value.strip():
        raise InvalidFieldError(field, "has to be given")
    if len(value.encode()) > most:
        raise InvalidFieldError(field, f"takes {most} bytes at most")


def _between(field: str, value: Duration, bounds: tuple[timedelta, timedelta]) -> timedelta:
    least, most = bounds
    # Compared as numbers: a Duration can hold more than a timedelta.
    seconds = value.seconds + value.nanos / 1e9
    if not least.total_seconds() <= seconds <= most.total_seconds():
        raise InvalidFieldError(
            field, f"takes {least.total_seconds():g} to {most.total_seconds():g} s"
        )
    return timedelta(seconds=seconds)
