"""UpdateWorkset."""

from datetime import UTC, datetime

import grpc
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from tests.integration.state.asking import (
    LOW,
    NORMAL,
    READY,
    URGENT,
    at,
    complete,
    events,
    get,
    needs,
    register,
    struct,
)
from tests.integration.state.refusals import refused

DEADLINE = at(datetime(2030, 1, 1, tzinfo=UTC))


async def update(stub, workset_id, *paths, **fields):
    answer = await stub.UpdateWorkset(
        state_pb2.UpdateWorksetRequest(
            workset_id=workset_id, update_mask=FieldMask(paths=paths), **fields
        )
    )
    return answer.workset


async def test_what_the_mask_names_is_set_and_nothing_else(stub):
    before = await register(
        stub, "ws-1", labels={"run": "R0"}, metadata=struct(a=1), deadline=DEADLINE
    )
    after = await update(
        stub, "ws-1", "priority", "labels", priority=URGENT, labels={"run": "R1"}, metadata=struct()
    )
    assert (after.priority, dict(after.labels)) == (URGENT, {"run": "R1"})
    found = await get(stub, "ws-1")
    assert (found.metadata, found.deadline) == (before.metadata, before.deadline)
    assert (found.version, found.state) == (2, READY)


async def test_a_field_is_set_whole_and_empty_clears_it(stub):
    await register(
        stub,
        "ws-1",
        priority=URGENT,
        labels={"run": "R0"},
        metadata=struct(a=1),
        deadline=DEADLINE,
        requirements=needs(vcpus=8, preferred_cluster="c1"),
    )
    await update(stub, "ws-1", "metadata", metadata=struct(b=2))
    assert (await get(stub, "ws-1")).metadata == struct(b=2)
    await update(stub, "ws-1", "requirements", requirements=needs(memory_gb=4))
    assert (await get(stub, "ws-1")).requirements == needs(memory_gb=4)
    await update(stub, "ws-1", "priority", "labels", "metadata", "requirements", "deadline")
    found = await get(stub, "ws-1")
    assert (found.priority, dict(found.labels), found.metadata) == (NORMAL, {}, struct())
    assert found.requirements == needs()
    assert not found.HasField("deadline")


async def test_an_update_is_an_event_that_names_the_fields(stub):
    await register(stub, "ws-1")
    await update(stub, "ws-1", "priority", "labels", priority=LOW, reason="not so urgent")
    event = (await events(stub, "ws-1"))[-1]
    assert (event.type, event.reason) == (event_pb2.EVENT_TYPE_UPDATED, "not so urgent")
    assert list(event.details["fields"]) == ["labels", "priority"]
    assert (event.from_state, event.to_state, event.priority) == (READY, READY, LOW)


async def test_a_version_that_is_expected_must_be_the_present_one(stub):
    await register(stub, "ws-1")
    await update(stub, "ws-1", "priority", priority=LOW, expected_version=1)
    refusal = await refused(update(stub, "ws-1", "priority", priority=URGENT, expected_version=1))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "VERSION_MISMATCH")
    assert refusal.metadata == {"expected": "1", "actual": "2"}
    assert (await get(stub, "ws-1")).priority == LOW


async def test_a_complete_workset_takes_labels_and_metadata_only(stub):
    await register(stub, "ws-1")
    await complete(stub, "ws-1")
    await update(stub, "ws-1", "labels", "metadata", labels={"seen": "yes"}, metadata=struct(a=1))
    assert dict((await get(stub, "ws-1")).labels) == {"seen": "yes"}
    for path in ("priority", "requirements", "deadline"):
        refusal = await refused(update(stub, "ws-1", path, "labels"))
        assert refusal.reason == "ILLEGAL_TRANSITION"
    assert dict((await get(stub, "ws-1")).labels) == {"seen": "yes"}


async def test_an_unknown_workset_cannot_be_updated(stub):
    refusal = await refused(update(stub, "ws-x", "priority"))
    assert refusal.reason == "WORKSET_NOT_FOUND"


WRONG = [
    ([], {}, {"update_mask"}),
    (["state"], {}, {"update_mask"}),
    (["requirements.vcpus"], {}, {"update_mask"}),
    (["*"], {}, {"update_mask"}),
    (["priority", "x" * 10_000], {}, {"update_mask"}),
    (["priority"], {"priority": 9}, {"priority"}),
    (["labels"], {"labels": {f"l{n}": "" for n in range(17)}}, {"labels"}),
    (["metadata"], {"metadata": struct(a=float("nan"))}, {"metadata"}),
    (["metadata"], {"metadata": struct(a="x" * 256 * 1024)}, {"metadata"}),
    (["requirements"], {"requirements": needs(vcpus=2**32 - 1)}, {"requirements.vcpus"}),
    (["priority"], {"reason": "r" * 257}, {"reason"}),
    (["priority"], {"reason": "a\nb\0"}, {"reason"}),
]


async def test_a_wrong_update_is_refused_and_changes_nothing(stub):
    await register(stub, "ws-1")
    for paths, fields, wrong in WRONG:
        refusal = await refused(update(stub, "ws-1", *paths, **fields))
        assert refusal.code == grpc.StatusCode.INVALID_ARGUMENT
        assert set(refusal.violations) == wrong
        assert (await get(stub, "ws-1")).version == 1
