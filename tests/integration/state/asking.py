"""Requests with everything set that a test does not name, and short names for what tests often do."""

from datetime import datetime, timedelta
from typing import Any

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import cluster_pb2, workset_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.struct_pb2 import Struct
from google.protobuf.timestamp_pb2 import Timestamp

READY = workset_pb2.WORKSET_STATE_READY
LOCKED = workset_pb2.WORKSET_STATE_LOCKED
IN_PROGRESS = workset_pb2.WORKSET_STATE_IN_PROGRESS
COMPLETE = workset_pb2.WORKSET_STATE_COMPLETE
ERROR = workset_pb2.WORKSET_STATE_ERROR
IGNORED = workset_pb2.WORKSET_STATE_IGNORED

URGENT = workset_pb2.PRIORITY_URGENT
NORMAL = workset_pb2.PRIORITY_NORMAL
LOW = workset_pb2.PRIORITY_LOW

TRANSIENT = workset_pb2.ERROR_CATEGORY_TRANSIENT
RESOURCE = workset_pb2.ERROR_CATEGORY_RESOURCE
INFRASTRUCTURE = workset_pb2.ERROR_CATEGORY_INFRASTRUCTURE
DATA = workset_pb2.ERROR_CATEGORY_DATA

FULL = workset_pb2.WORKSET_VIEW_FULL
BASIC = workset_pb2.WORKSET_VIEW_BASIC


def struct(**fields: Any) -> Struct:
    made = Struct()
    made.update(fields)
    return made


def seconds(number: float) -> Duration:
    made = Duration()
    made.FromTimedelta(timedelta(seconds=number))
    return made


def at(moment: datetime) -> Timestamp:
    made = Timestamp()
    made.FromDatetime(moment)
    return made


def needs(**fields: Any) -> workset_pb2.Requirements:
    return workset_pb2.Requirements(**fields)


def resources(
    vcpus: int = 64, memory_gb: float = 256, storage_gb: float = 0, slots: int = 8
) -> cluster_pb2.Resources:
    return cluster_pb2.Resources(
        vcpus=vcpus, memory_gb=memory_gb, storage_gb=storage_gb, slots=slots
    )


def registration(workset_id: str, **fields: Any) -> state_pb2.RegisterWorksetRequest:
    return state_pb2.RegisterWorksetRequest(
        **{
            "workset_id": workset_id,
            "bucket": "lab",
            "prefix": f"runs/{workset_id}/",
            **fields,
        }
    )


async def register(stub: Any, workset_id: str, **fields: Any) -> workset_pb2.Workset:
    answer = await stub.RegisterWorkset(registration(workset_id, **fields))
    return answer.workset


async def get(stub: Any, workset_id: str) -> workset_pb2.Workset:
    answer = await stub.GetWorkset(state_pb2.GetWorksetRequest(workset_id=workset_id))
    return answer.workset


async def acquire(stub: Any, workset_id: str, owner_id: str = "m1", **fields: Any) -> int:
    """Take the lock, and give its token."""
    answer = await stub.AcquireLock(
        state_pb2.AcquireLockRequest(workset_id=workset_id, owner_id=owner_id, **fields)
    )
    return answer.lock_token


async def renew(stub: Any, workset_id: str, lock_token: int, **fields: Any) -> workset_pb2.Lock:
    answer = await stub.RenewLock(
        state_pb2.RenewLockRequest(workset_id=workset_id, lock_token=lock_token, **fields)
    )
    return answer.lock


async def release(stub: Any, workset_id: str, lock_token: int, **fields: Any) -> Any:
    answer = await stub.ReleaseLock(
        state_pb2.ReleaseLockRequest(workset_id=workset_id, lock_token=lock_token, **fields)
    )
    return answer.workset


async def set_state(
    stub: Any, workset_id: str, state: int, lock_token: int = 0, **fields: Any
) -> workset_pb2.Workset:
    answer = await stub.UpdateState(
        state_pb2.UpdateStateRequest(
            workset_id=workset_id, state=state, lock_token=lock_token, **fields
        )
    )
    return answer.workset


async def run(stub: Any, workset_id: str, **acquiring: Any) -> int:
    """Lock a READY workset and start it; gives the token."""
    token = await acquire(stub, workset_id, **acquiring)
    await set_state(stub, workset_id, IN_PROGRESS, token)
    return token


async def complete(stub: Any, workset_id: str, **finishing: Any) -> workset_pb2.Workset:
    """Take a READY workset to COMPLETE."""
    token = await run(stub, workset_id)
    return await set_state(stub, workset_id, COMPLETE, token, **finishing)


async def fail(stub: Any, workset_id: str, category: int = DATA) -> workset_pb2.Workset:
    """Take a READY workset to what a failure of this category makes of it."""
    token = await run(stub, workset_id)
    return await set_state(
        stub, workset_id, ERROR, token, error_category=category, error_details="it broke"
    )


async def cancel(stub: Any, workset_id: str) -> workset_pb2.Workset:
    return await set_state(stub, workset_id, IGNORED)


async def restore(stub: Any, workset_id: str) -> workset_pb2.Workset:
    return await set_state(stub, workset_id, READY)


async def events(stub: Any, workset_id: str, page_size: int = 500) -> list[Any]:
    """The whole audit trail."""
    found: list[Any] = []
    token = ""
    while True:
        page = await stub.ListEvents(
            state_pb2.ListEventsRequest(
                workset_id=workset_id, page_size=page_size, page_token=token
            )
        )
        found += page.events
        token = page.next_page_token
        if not token:
            return found


async def put_cluster(stub: Any, cluster_name: str = "c1", **fields: Any) -> Any:
    answer = await stub.PutCluster(
        state_pb2.PutClusterRequest(
            **{"cluster_name": cluster_name, "capacity": resources(), **fields}
        )
    )
    return answer.cluster


async def cluster(stub: Any, cluster_name: str = "c1") -> Any:
    answer = await stub.ListClusters(state_pb2.ListClustersRequest())
    return next(found for found in answer.clusters if found.cluster_name == cluster_name)


async def customer(stub: Any, customer_id: str = "acme") -> Any:
    answer = await stub.ListCustomers(state_pb2.ListCustomersRequest())
    return next(found for found in answer.customers if found.customer_id == customer_id)
