"""PublishEvent: events that no command makes."""

import grpc
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2

from tests.integration.state.asking import (
    READY,
    URGENT,
    acquire,
    events,
    get,
    put_cluster,
    register,
    struct,
)
from tests.integration.state.refusals import refused
from tests.integration.state.watching import watching

WORKSET = event_pb2.SUBJECT_KIND_WORKSET
CLUSTER = event_pb2.SUBJECT_KIND_CLUSTER
CUSTOMER = event_pb2.SUBJECT_KIND_CUSTOMER
SYSTEM = event_pb2.SUBJECT_KIND_SYSTEM
EXTERNAL = event_pb2.EVENT_TYPE_EXTERNAL


def published(kind=SYSTEM, subject_id="lab", **fields):
    return state_pb2.PublishEventRequest(
        **{
            "subject": event_pb2.Subject(kind=kind, id=subject_id),
            "type": EXTERNAL,
            **fields,
        }
    )


async def publish(stub, *args, **fields):
    return (await stub.PublishEvent(published(*args, **fields))).event


async def test_what_was_published_is_on_the_feed(still):
    async with watching(still) as watch:
        await watch.next()
        given = published(
            reason="freezer 3 is warm",
            priority=URGENT,
            customer_id="acme",
            cluster_name="c1",
            labels={"room": "7"},
            error_details="-60 C",
            details=struct(celsius=-60.5, probes=["a", "b"]),
            request_id="r-1",
        )
        answered = (await still.PublishEvent(given)).event
        (event,) = (await watch.next()).events
    for name in [
        "subject",
        "reason",
        "priority",
        "customer_id",
        "cluster_name",
        "labels",
        "error_details",
        "details",
        "type",
        "request_id",
    ]:
        assert getattr(event, name) == getattr(given, name), name
    event.cursor = ""
    assert event == answered
    assert (event.version, event.workset_id) == (0, "")


async def test_an_event_on_a_workset_is_in_its_trail_and_changes_nothing_else(still):
    await register(still, "ws-1", customer_id="acme")
    await acquire(still, "ws-1", owner_id="m1")
    before = await get(still, "ws-1")
    event = await publish(
        still, WORKSET, "ws-1", type=event_pb2.EVENT_TYPE_DEADLINE_AT_RISK, customer_id="other"
    )
    assert (event.version, event.owner_id, event.customer_id) == (3, "m1", "acme")
    after = await get(still, "ws-1")
    assert (after.version, after.state, after.lock) == (3, before.state, before.lock)
    assert [each.version for each in await events(still, "ws-1")] == [1, 2, 3]


async def test_an_event_on_a_cluster_or_customer_counts_in_its_version(still):
    await put_cluster(still)
    await still.PutCustomer(state_pb2.PutCustomerRequest(customer_id="acme"))
    silent = await publish(still, CLUSTER, "c1", type=event_pb2.EVENT_TYPE_CLUSTER_SILENT)
    assert (silent.version, silent.cluster_name) == (2, "c1")
    assert (await put_cluster(still)).version == 3
    warned = await publish(still, CUSTOMER, "acme", type=event_pb2.EVENT_TYPE_BUDGET_WARNING)
    assert (warned.version, warned.customer_id) == (2, "acme")


async def test_one_subject_may_be_unknown_unless_it_is_a_workset(still):
    refusal = await refused(publish(still, WORKSET, "ws-x"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "WORKSET_NOT_FOUND")
    assert (await publish(still, CLUSTER, "c9")).version == 0
    assert (await publish(still, CUSTOMER, "nobody")).version == 0


async def test_what_is_for_people_is_cut_to_what_an_event_holds(still):
    event = await publish(
        still,
        SYSTEM,
        "s" * 128,
        reason="é" * 128,
        error_details="x" * 16_384,
        labels={f"{number:063}": "y" * 63 for number in range(16)},
        details=struct(a="z" * 240),
        request_id="r" * 64,
    )
    assert event.subject.id == "s" * 128
    assert event.details == struct(a="z" * 240)
    assert "x" * 200 in event.error_details
    assert event.ByteSize() < 1500


WRONG = [
    ({"kind": 0}, "subject.kind"),
    ({"kind": 5}, "subject.kind"),
    ({"subject_id": ""}, "subject.id"),
    ({"subject_id": "a b"}, "subject.id"),
    ({"subject_id": "s" * 129}, "subject.id"),
    ({"type": 0}, "type"),
    ({"type": 99}, "type"),
    ({"type": event_pb2.EVENT_TYPE_COMPLETED}, "type"),
    ({"type": event_pb2.EVENT_TYPE_DEPENDENCY_MET}, "type"),
    ({"priority": 4}, "priority"),
    ({"reason": "r" * 257}, "reason"),
    ({"customer_id": "a b"}, "customer_id"),
    ({"cluster_name": "c" * 65}, "cluster_name"),
    ({"labels": {f"l{number}": "" for number in range(17)}}, "labels"),
    ({"error_details": "e" * 16_385}, "error_details"),
    ({"details": struct(a="z" * 256)}, "details"),
    ({"details": struct(a=float("nan"))}, "details"),
    ({"request_id": "a b"}, "request_id"),
]


async def test_a_wrong_event_is_refused(still):
    await register(still, "ws-1")
    for fields, path in WRONG:
        refusal = await refused(publish(still, **fields))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert set(refusal.violations) == {path}
        assert (await get(still, "ws-1")).state == READY
