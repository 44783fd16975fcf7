"""One request id, one effect: every changing call sent again, as clients do that got no answer."""

import asyncio

import grpc
import pytest
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from tests.integration.state.asking import (
    COMPLETE,
    ERROR,
    IGNORED,
    IN_PROGRESS,
    READY,
    TRANSIENT,
    URGENT,
    acquire,
    cancel,
    events,
    get,
    put_cluster,
    register,
    registration,
    release,
    resources,
    run,
    seconds,
    set_state,
    struct,
)
from tests.integration.state.refusals import refused

R = "r-1"


def update(**fields):
    return state_pb2.UpdateWorksetRequest(
        **{
            "workset_id": "ws-1",
            "priority": URGENT,
            "update_mask": FieldMask(paths=["priority"]),
            "request_id": R,
            **fields,
        }
    )


async def nothing(stub):
    pass


async def ready(stub):
    await register(stub, "ws-1")


async def locked(stub):
    await register(stub, "ws-1")
    await acquire(stub, "ws-1")


async def running(stub):
    await register(stub, "ws-1")
    await run(stub, "ws-1")


def call(name, request, other):
    """A call, prepared by something, and what the same request id must not be used for."""
    return pytest.param(name, request, other, id=name)


def state_request(**fields):
    return state_pb2.UpdateStateRequest(
        **{"workset_id": "ws-1", "state": IN_PROGRESS, "request_id": R, "lock_token": 1, **fields}
    )


# (RPC, what comes before, the request, another content under the same id)
ON_WORKSETS = [
    ("RegisterWorkset", nothing, registration("ws-1", request_id=R, metadata=struct(a=1)),
     registration("ws-1", request_id=R, bucket="other")),
    ("UpdateWorkset", ready, update(), update(priority=READY, labels={"a": "b"})),
    ("AcquireLock", ready,
     state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id=R),
     state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m2", request_id=R)),
    ("ReleaseLock", locked,
     state_pb2.ReleaseLockRequest(workset_id="ws-1", lock_token=1, request_id=R),
     state_pb2.ReleaseLockRequest(workset_id="ws-1", lock_token=1, request_id=R, reason="x")),
    ("UpdateState", locked, state_request(), state_request(reason="x")),
    ("UpdateState", running, state_request(state=COMPLETE), state_request(state=ERROR)),
    ("UpdateState", running,
     state_request(state=ERROR, error_category=TRANSIENT, error_details="x"),
     state_request(state=ERROR, error_category=TRANSIENT, error_details="y")),
    ("UpdateState", running, state_request(state=IGNORED, lock_token=0),
     state_request(state=IGNORED, lock_token=0, reason="x")),
]  # fmt: skip


@pytest.mark.parametrize(("rpc", "before", "request_", "other"), ON_WORKSETS)
async def test_a_repeat_has_the_first_answer_and_no_effect(
    still, clock, rpc, before, request_, other
):
    await before(still)
    first = await getattr(still, rpc)(request_)
    trail = await events(still, "ws-1")
    clock.tick(1)
    again = await getattr(still, rpc)(request_)
    assert again == first
    assert await events(still, "ws-1") == trail
    refusal = await refused(getattr(still, rpc)(other))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.INVALID_ARGUMENT,
        "REQUEST_ID_REUSED",
    )
    assert refusal.metadata["request_id"] == R
    assert await events(still, "ws-1") == trail


@pytest.mark.parametrize(("rpc", "before", "request_", "other"), ON_WORKSETS)
async def test_many_at_once_have_one_effect(stub, rpc, before, request_, other):
    await before(stub)
    answers = await asyncio.gather(*(getattr(stub, rpc)(request_) for _ in range(8)))
    assert all(answer == answers[0] for answer in answers)
    found = [event for event in await events(stub, "ws-1") if event.request_id == R]
    assert len(found) == 1


async def many_commits(stub, count=20):
    """Later changes with request ids of their own, so that the workset has to forget old ones."""
    for number in range(count):
        await stub.UpdateWorkset(
            update(request_id=f"later-{number}", labels={"n": f"{number}"}, priority=URGENT)
        )


async def test_a_repeat_is_known_after_many_later_commits(still):
    await still.RegisterWorkset(registration("ws-1", request_id="register"))
    first = await still.AcquireLock(
        state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id="acquire")
    )
    started = await still.UpdateState(state_request(request_id="start"))
    await many_commits(still)
    trail = await events(still, "ws-1")
    registered = await still.RegisterWorkset(registration("ws-1", request_id="register"))
    assert (registered.workset.version, registered.workset.state) == (1, READY)
    again = await still.UpdateState(state_request(request_id="start"))
    assert (again.workset.version, again.workset.state) == (3, IN_PROGRESS)
    assert again.workset.attempt == started.workset.attempt
    again = await still.AcquireLock(
        state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id="acquire")
    )
    assert again.lock_token == first.lock_token
    for other in (registration("ws-1", request_id="register", bucket="other"),):
        assert (await refused(still.RegisterWorkset(other))).reason == "REQUEST_ID_REUSED"
    refusal = await refused(still.UpdateState(state_request(request_id="start", reason="x")))
    assert refusal.reason == "REQUEST_ID_REUSED"
    assert await events(still, "ws-1") == trail


async def test_an_id_of_another_call_is_not_used_again(still):
    await still.RegisterWorkset(registration("ws-1", request_id="a"))
    await still.AcquireLock(
        state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id="b")
    )
    for reused in (
        still.UpdateWorkset(update(request_id="a")),
        still.UpdateState(state_request(request_id="a")),
        still.UpdateState(state_request(request_id="b")),
        still.AcquireLock(
            state_pb2.AcquireLockRequest(
                workset_id="ws-1", owner_id="m2", force=True, request_id="a"
            )
        ),
        still.PutCluster(
            state_pb2.PutClusterRequest(cluster_name="c1", capacity=resources(), request_id="b")
        ),
    ):
        assert (await refused(reused)).reason == "REQUEST_ID_REUSED"
    assert (await get(still, "ws-1")).version == 2


async def test_a_lock_that_is_gone_since_is_not_granted_again(still):
    asked = state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id=R)
    await register(still, "ws-1")
    token = (await still.AcquireLock(asked)).lock_token
    await release(still, "ws-1", token)
    refusal = await refused(still.AcquireLock(asked))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "LOCK_LOST")
    await acquire(still, "ws-1", owner_id="m2")
    assert (await refused(still.AcquireLock(asked))).reason == "LOCK_LOST"
    assert (await get(still, "ws-1")).lock.owner_id == "m2"


async def test_a_lock_that_was_cancelled_since_says_so_when_it_is_asked_for_again(still):
    asked = state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id=R)
    await register(still, "ws-1")
    await still.AcquireLock(asked)
    await cancel(still, "ws-1")
    assert (await refused(still.AcquireLock(asked))).reason == "WORKSET_CANCELLED"


def picked(workset_id, **fields):
    return state_pb2.AcquireLockRequest(
        **{
            "workset_id": workset_id,
            "owner_id": "m1",
            "picked": True,
            "request_id": R,
            **fields,
        }
    )


async def test_a_pick_that_is_repeated_finds_its_first_grant_whatever_it_names(still):
    for name in ("ws-1", "ws-2"):
        await register(still, name)
    first = await still.AcquireLock(picked("ws-1"))
    again = await still.AcquireLock(picked("ws-2"))
    assert (again.workset.workset_id, again.lock_token) == ("ws-1", first.lock_token)
    assert (await get(still, "ws-2")).state == READY
    grant = await still.GetGrant(state_pb2.GetGrantRequest(request_id=R))
    assert (grant.workset, grant.lock_token) == (first.workset, first.lock_token)
    for other in (
        picked("ws-2", owner_id="m2"),
        picked("ws-2", lease=seconds(60)),
        picked("ws-1", picked=False),
    ):
        assert (await refused(still.AcquireLock(other))).reason == "REQUEST_ID_REUSED"


async def test_without_picking_another_workset_is_other_content(still):
    for name in ("ws-1", "ws-2"):
        await register(still, name)
    await still.AcquireLock(picked("ws-1", picked=False))
    refusal = await refused(still.AcquireLock(picked("ws-2", picked=False)))
    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_two_schedulers_that_serve_one_claim_grant_once(stub):
    ids = [f"ws-{number}" for number in range(8)]
    for name in ids:
        await register(stub, name)
    answers = await asyncio.gather(*(stub.AcquireLock(picked(name)) for name in ids))
    assert len({answer.workset.workset_id for answer in answers}) == 1
    states = [(await get(stub, name)).state for name in ids]
    assert states.count(READY) == len(ids) - 1


async def test_a_grant_is_found_while_it_holds_and_for_a_day(still, clock):
    refusal = await refused(still.GetGrant(state_pb2.GetGrantRequest(request_id=R)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "GRANT_NOT_FOUND")
    assert refusal.metadata == {"request_id": R}
    await register(still, "ws-1")
    await still.AcquireLock(picked("ws-1", lease=seconds(24 * 3600)))
    clock.tick(24 * 3600 - 1)
    assert (await still.GetGrant(state_pb2.GetGrantRequest(request_id=R))).lock_token == 1
    clock.tick(2)
    refusal = await refused(still.GetGrant(state_pb2.GetGrantRequest(request_id=R)))
    assert refusal.reason == "GRANT_NOT_FOUND"


async def test_a_grant_that_was_lost_is_said_to_be(still):
    await register(still, "ws-1")
    await still.AcquireLock(picked("ws-1"))
    await acquire(still, "ws-1", owner_id="boss", force=True)
    refusal = await refused(still.GetGrant(state_pb2.GetGrantRequest(request_id=R)))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "LOCK_LOST")


async def test_a_request_that_granted_no_lock_has_no_grant(still):
    await still.PutCluster(
        state_pb2.PutClusterRequest(cluster_name="c1", capacity=resources(), request_id="c")
    )
    await register(still, "ws-1", request_id="w")
    for request_id in ("c", "w", "x"):
        refusal = await refused(still.GetGrant(state_pb2.GetGrantRequest(request_id=request_id)))
        assert refusal.reason == "GRANT_NOT_FOUND"


@pytest.mark.parametrize("request_id", ["", "a b", "r" * 65])
async def test_a_grant_is_asked_for_by_a_request_id(still, request_id):
    refusal = await refused(still.GetGrant(state_pb2.GetGrantRequest(request_id=request_id)))
    assert set(refusal.violations) == {"request_id"}


ELSEWHERE = [
    (
        "PutCluster",
        {"cluster_name": "c1", "capacity": resources()},
        {"capacity": resources(vcpus=1)},
    ),
    ("PutCustomer", {"customer_id": "acme", "max_concurrent": 2}, {"max_concurrent": 3}),
    (
        "PublishEvent",
        {
            "subject": event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_SYSTEM, id="queue"),
            "type": event_pb2.EVENT_TYPE_QUEUE_BACKLOG,
        },
        {"reason": "x"},
    ),
]


@pytest.mark.parametrize(("rpc", "fields", "other"), ELSEWHERE)
async def test_a_repeat_elsewhere_has_the_first_answer(still, clock, rpc, fields, other):
    kind = getattr(state_pb2, f"{rpc}Request")
    first = await getattr(still, rpc)(kind(**fields, request_id=R))
    clock.tick(1)
    assert await getattr(still, rpc)(kind(**fields, request_id=R)) == first
    refusal = await refused(getattr(still, rpc)(kind(**{**fields, **other}, request_id=R)))
    assert refusal.reason == "REQUEST_ID_REUSED"


async def test_a_repeated_removal_removes_once(still):
    await put_cluster(still)
    asked = state_pb2.DeleteClusterRequest(cluster_name="c1", request_id=R)
    await still.DeleteCluster(asked)
    await put_cluster(still)
    await still.DeleteCluster(asked)
    assert len((await still.ListClusters(state_pb2.ListClustersRequest())).clusters) == 1


async def test_without_a_request_id_a_repeat_is_a_new_call(still):
    await register(still, "ws-1")
    for version in (2, 3):
        answer = await still.UpdateWorkset(update(request_id=""))
        assert answer.workset.version == version


async def test_what_was_refused_was_not_served(still):
    await register(still, "ws-1")
    asked = state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id=R)
    other = await acquire(still, "ws-1", owner_id="m2")
    assert (await refused(still.AcquireLock(asked))).reason == "LOCK_HELD"
    await release(still, "ws-1", other)
    assert (await still.AcquireLock(asked)).lock_token == other + 1


async def test_the_content_of_a_repeat_is_compared_and_not_who_asks(still):
    await register(still, "ws-1")
    asked = state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id=R)
    first = await still.AcquireLock(asked, metadata=(("x-daylily-actor", "scheduler-1"),))
    again = await still.AcquireLock(asked, metadata=(("x-daylily-actor", "scheduler-2"),))
    assert again.lock_token == first.lock_token


async def test_the_token_of_a_run_that_ended_answers_the_end_again(still):
    await register(still, "ws-1")
    token = await run(still, "ws-1")
    first = await set_state(still, "ws-1", COMPLETE, token, request_id=R)
    assert await set_state(still, "ws-1", COMPLETE, token, request_id=R) == first
    assert (await refused(set_state(still, "ws-1", COMPLETE, token))).reason == "LOCK_LOST"
