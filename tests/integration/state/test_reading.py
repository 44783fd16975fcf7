"""GetWorkset and BatchGetWorksets."""

import grpc
import pytest
from daylily.state.v1 import state_pb2

from tests.integration.state.asking import (
    BASIC,
    FULL,
    IN_PROGRESS,
    acquire,
    fail,
    get,
    register,
    renew,
    run,
    set_state,
    struct,
)
from tests.integration.state.refusals import refused


async def test_one_workset_comes_whole_unless_a_view_says_otherwise(stub):
    await register(stub, "ws-1", labels={"run": "R0"}, metadata=struct(a=1), depends_on=[])
    for view in (0, FULL):
        found = (
            await stub.GetWorkset(state_pb2.GetWorksetRequest(workset_id="ws-1", view=view))
        ).workset
        assert (found.bucket, dict(found.labels)) == ("lab", {"run": "R0"})
        assert found.metadata == struct(a=1)
    basic = (
        await stub.GetWorkset(state_pb2.GetWorksetRequest(workset_id="ws-1", view=BASIC))
    ).workset
    assert basic.workset_id == "ws-1"
    assert (basic.bucket, basic.prefix, dict(basic.labels)) == ("", "", {})
    assert not basic.HasField("metadata")


async def test_many_come_slim_unless_a_view_says_otherwise(stub):
    await register(stub, "ws-1", metadata=struct(a=1))
    for view, full in ((0, False), (BASIC, False), (FULL, True)):
        answer = await stub.BatchGetWorksets(
            state_pb2.BatchGetWorksetsRequest(workset_ids=["ws-1"], view=view)
        )
        assert bool(answer.worksets[0].bucket) is full
        assert answer.worksets[0].HasField("metadata") is full


async def test_a_batch_says_what_is_missing_and_counts_an_id_once(stub):
    for name in ("a", "b"):
        await register(stub, name)
    answer = await stub.BatchGetWorksets(
        state_pb2.BatchGetWorksetsRequest(workset_ids=["b", "x", "a", "b", "x"])
    )
    assert [found.workset_id for found in answer.worksets] == ["b", "a"]
    assert list(answer.missing) == ["x"]


async def test_a_hundred_at_once(stub):
    ids = [f"w{number}" for number in range(99)]
    for name in ids:
        await register(stub, name)
    answer = await stub.BatchGetWorksets(
        state_pb2.BatchGetWorksetsRequest(workset_ids=[*ids, "x"], view=FULL)
    )
    assert [found.workset_id for found in answer.worksets] == ids
    assert list(answer.missing) == ["x"]


WRONG_BATCHES = [
    ([], "workset_ids"),
    ([f"w{number}" for number in range(101)], "workset_ids"),
    (["ws-1", ""], "workset_ids[1]"),
    (["a b"], "workset_ids[0]"),
    (["w" * 129], "workset_ids[0]"),
]


async def test_a_batch_of_wrong_ids_is_refused(stub):
    for ids, path in WRONG_BATCHES:
        refusal = await refused(
            stub.BatchGetWorksets(state_pb2.BatchGetWorksetsRequest(workset_ids=ids))
        )
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert set(refusal.violations) == {path}


async def test_an_unknown_view_is_refused(stub):
    await register(stub, "ws-1")
    for call in (
        stub.GetWorkset(state_pb2.GetWorksetRequest(workset_id="ws-1", view=7)),
        stub.BatchGetWorksets(state_pb2.BatchGetWorksetsRequest(workset_ids=["ws-1"], view=7)),
        stub.ListWorksets(state_pb2.ListWorksetsRequest(view=7)),
        stub.ListReadyWorksets(state_pb2.ListReadyWorksetsRequest(view=7)),
    ):
        assert set((await refused(call)).violations) == {"view"}


async def test_a_batch_whose_whole_worksets_fit_no_answer_is_refused(stub):
    ids = [f"w{number}" for number in range(20)]
    for name in ids:
        await register(stub, name, metadata=struct(text="x" * 250_000))
    slim = await stub.BatchGetWorksets(state_pb2.BatchGetWorksetsRequest(workset_ids=ids))
    assert len(slim.worksets) == 20
    refusal = await refused(
        stub.BatchGetWorksets(state_pb2.BatchGetWorksetsRequest(workset_ids=ids, view=FULL))
    )
    assert refusal.code == grpc.StatusCode.INVALID_ARGUMENT
    assert set(refusal.violations) == {"workset_ids"}
    some = await stub.BatchGetWorksets(
        state_pb2.BatchGetWorksetsRequest(workset_ids=ids[:10], view=FULL)
    )
    assert len(some.worksets) == 10


async def test_an_id_that_nobody_registered(stub):
    refusal = await refused(get(stub, "ws-x"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "WORKSET_NOT_FOUND")
    assert refusal.metadata == {"workset_id": "ws-x"}
    assert "ws-x" in refusal.message


@pytest.mark.parametrize("name", ["", "a b", "w" * 129, "../etc", "\x00"])
async def test_an_id_that_none_can_have(stub, name):
    refusal = await refused(get(stub, name))
    assert set(refusal.violations) == {"workset_id"}


async def test_the_end_of_the_log_is_what_the_latest_run_said_last(stub):
    await register(stub, "ws-1")
    first = await run(stub, "ws-1")

    async def report(token, text):
        await stub.ReportProgress(
            state_pb2.ReportProgressRequest(
                workset_id="ws-1", lock_token=token, percent=10, log_tail=text
            )
        )

    async def tail(asked):
        answer = await stub.GetWorkset(
            state_pb2.GetWorksetRequest(workset_id="ws-1", include_log_tail=asked)
        )
        return answer.log_tail

    assert await tail(True) == ""
    await report(first, "line 1\n\x1b[31mred\x1b[0m\ttab")
    await report(first, "")  # nothing to say about the log
    assert (await tail(True), await tail(False)) == ("line 1\n\x1b[31mred\x1b[0m\ttab", "")
    second = await acquire(stub, "ws-1", owner_id="m2", force=True)
    await report(second, "anew")
    assert (await refused(report(first, "too late"))).reason == "LOCK_LOST"
    assert await tail(True) == "anew"


async def test_the_whole_error_details_come_with_the_full_view_alone(stub):
    await register(stub, "ws-1")
    token = await run(stub, "ws-1")
    details = "é" * 8192
    await set_state(stub, "ws-1", 5, token, error_details=details)
    assert (await get(stub, "ws-1")).error_details == details
    answer = await stub.GetWorkset(state_pb2.GetWorksetRequest(workset_id="ws-1", view=BASIC))
    assert answer.workset.error_details == "é" * 128


async def test_progress_is_seen_at_once_and_ends_with_the_run(stub):
    await register(stub, "ws-1")
    token = await run(stub, "ws-1")
    await stub.ReportProgress(
        state_pb2.ReportProgressRequest(
            workset_id="ws-1", lock_token=token, step="run_pipeline", percent=40, message="chr7"
        )
    )
    progress = (await get(stub, "ws-1")).progress
    assert (progress.step, progress.percent, progress.message) == ("run_pipeline", 40, "chr7")
    await renew(stub, "ws-1", token, progress={"percent": 50})
    progress = (await get(stub, "ws-1")).progress
    assert (progress.step, progress.percent, progress.message) == ("run_pipeline", 50, "chr7")
    await set_state(stub, "ws-1", IN_PROGRESS, token, metrics=struct(reads=1))
    assert (await get(stub, "ws-1")).progress.percent == 50
    await register(stub, "ws-2")
    await fail(stub, "ws-2")
    assert not (await get(stub, "ws-2")).HasField("progress")


WRONG_REPORTS = [
    ({"workset_id": "a b"}, "workset_id"),
    ({"lock_token": 0}, "lock_token"),
    ({"percent": 101}, "percent"),
    ({"step": "s" * 65}, "step"),
    ({"message": "m" * 129}, "message"),
    ({"message": "a\0b"}, "message"),
    ({"log_tail": "x" * (16 * 1024 + 1)}, "log_tail"),
]


async def test_a_wrong_report_is_refused(stub):
    await register(stub, "ws-1")
    token = await acquire(stub, "ws-1")
    for fields, path in WRONG_REPORTS:
        given = {"workset_id": "ws-1", "lock_token": token, **fields}
        refusal = await refused(stub.ReportProgress(state_pb2.ReportProgressRequest(**given)))
        assert set(refusal.violations) == {path}
