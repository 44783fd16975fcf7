"""A good request for every RPC of the service, on a server that has something of everything."""

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import delivery_pb2, event_pb2
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message_factory import GetMessageClass

from tests.integration.state.asking import (
    IN_PROGRESS,
    URGENT,
    acquire,
    put_cluster,
    register,
    registration,
    resources,
    struct,
)

SERVICE = state_pb2.DESCRIPTOR.services_by_name["StateService"]
METHODS = {method.name: method for method in SERVICE.methods}
SYSTEM = event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_SYSTEM, id="lab")

# A request that is good as it stands, so that the one bad field is what is looked at.
GOOD = {
    "RegisterWorkset": registration("new", depends_on=["ws-1"], metadata=struct(a=1)),
    "GetWorkset": {"workset_id": "ws-1"},
    "BatchGetWorksets": {"workset_ids": ["ws-1"]},
    "ListWorksets": {},
    "UpdateWorkset": {
        "workset_id": "ws-1",
        "priority": URGENT,
        "update_mask": FieldMask(
            paths=["priority", "metadata", "requirements", "deadline", "labels"]
        ),
    },
    "ListReadyWorksets": {},
    "AcquireLock": {"workset_id": "ws-1", "owner_id": "m1", "force": True},
    "GetGrant": {"request_id": "r"},
    "RenewLock": {"workset_id": "held", "lock_token": 1},
    "ReleaseLock": {"workset_id": "held", "lock_token": 1},
    "UpdateState": {"workset_id": "held", "lock_token": 1, "state": IN_PROGRESS},
    "ReportProgress": {"workset_id": "held", "lock_token": 1},
    "GetQueueDepth": {},
    "ListEvents": {"workset_id": "ws-1"},
    "WatchEvents": {},
    "PublishEvent": {
        "subject": event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_WORKSET, id="ws-1"),
        "type": event_pb2.EVENT_TYPE_EXTERNAL,
    },
    "AcquireConsumer": {"consumer": "reader", "owner_id": "n1"},
    "RenewConsumer": {"consumer": "reader", "consumer_token": 1},
    "ReleaseConsumer": {"consumer": "reader", "consumer_token": 1},
    "AckEvents": {"consumer": "reader", "consumer_token": 1},
    "PutCluster": {"cluster_name": "c1", "capacity": resources()},
    "ReportCluster": {"cluster_name": "c1"},
    "ListClusters": {},
    "DeleteCluster": {"cluster_name": "c1"},
    "PutCustomer": {"customer_id": "acme"},
    "ListCustomers": {},
    "GetSnapshot": {"name": "reader"},
    "PutSnapshot": {"name": "reader"},
    "PutDeliveries": {
        "deliveries": [
            delivery_pb2.Delivery(
                delivery_id="d1",
                channel="lab",
                event=event_pb2.Event(event_id="e", subject=SYSTEM, type=50),
            )
        ]
    },
    "ClaimDeliveries": {"channel": "lab", "owner_id": "n1"},
    "UpdateDelivery": {"delivery_id": "d1", "claim_token": 1, "state": 3},
    "GetDelivery": {"delivery_id": "d1"},
    "ListDeliveries": {},
    "GetEpisode": {"episode_id": "ep-1"},
    "PutEpisode": {
        "episode": delivery_pb2.Episode(episode_id="ep-1", subject=SYSTEM, state=1, cause="x")
    },
}


def good(name):
    given = GOOD[name]
    return given if not isinstance(given, dict) else request_class(name)(**given)


def request_class(name):
    return GetMessageClass(METHODS[name].input_type)


async def prepare(stub):
    """Something of everything."""
    for name in ("ws-1", "held"):
        await register(stub, name)
    await acquire(stub, "held")
    await put_cluster(stub)
    await stub.PutCustomer(state_pb2.PutCustomerRequest(customer_id="acme"))
    await stub.AcquireConsumer(state_pb2.AcquireConsumerRequest(consumer="reader", owner_id="n1"))


async def first_answer(state, name, request, seconds=20.0):
    """The answer of an RPC; of a stream its first message."""
    call = getattr(state.stub, name)(request, timeout=seconds)
    try:
        return await (anext(aiter(call)) if METHODS[name].server_streaming else call)
    finally:
        call.cancel()
