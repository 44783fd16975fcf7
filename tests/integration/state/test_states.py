"""UpdateState: what the holder and what an operator may do, retries, and what each exit leaves."""

from itertools import pairwise

import grpc
import pytest
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2, workset_pb2

from tests.integration.state.asking import (
    COMPLETE,
    DATA,
    ERROR,
    IGNORED,
    IN_PROGRESS,
    INFRASTRUCTURE,
    LOCKED,
    READY,
    RESOURCE,
    TRANSIENT,
    acquire,
    cancel,
    complete,
    events,
    fail,
    get,
    register,
    restore,
    run,
    set_state,
    struct,
)
from tests.integration.state.refusals import refused


async def bring_to(stub, name, state):
    """A workset in this state; gives the token of its holder, 0 if it has none."""
    await register(stub, name)
    if state == LOCKED:
        return await acquire(stub, name)
    if state == IN_PROGRESS:
        return await run(stub, name)
    if state == COMPLETE:
        await complete(stub, name)
    elif state == ERROR:
        await fail(stub, name)
    elif state == IGNORED:
        await cancel(stub, name)
    return 0


AS_HOLDER = {
    (LOCKED, IN_PROGRESS),
    (LOCKED, ERROR),
    (LOCKED, READY),
    (LOCKED, IGNORED),
    (IN_PROGRESS, IN_PROGRESS),
    (IN_PROGRESS, COMPLETE),
    (IN_PROGRESS, ERROR),
    (IN_PROGRESS, READY),
    (IN_PROGRESS, IGNORED),
}
AS_OPERATOR = {
    (READY, IGNORED),
    (LOCKED, IGNORED),
    (IN_PROGRESS, IGNORED),
    (ERROR, IGNORED),
    (ERROR, READY),
    (IGNORED, READY),
}
STATES = [READY, LOCKED, IN_PROGRESS, COMPLETE, ERROR, IGNORED]
NAMES = workset_pb2.WorksetState


@pytest.mark.parametrize("origin", STATES, ids=lambda state: NAMES.Name(state)[14:])
async def test_only_the_moves_of_the_table_happen(still, origin):
    for to in STATES:
        name = f"to-{NAMES.Name(to)}"
        token = await bring_to(still, name, origin)
        before = await get(still, name)
        if token and (origin, to) not in AS_HOLDER:
            refusal = await refused(set_state(still, name, to, token))
            assert refusal.reason == "ILLEGAL_TRANSITION"
            assert refusal.code == grpc.StatusCode.FAILED_PRECONDITION
        if (origin, to) not in AS_OPERATOR:
            refusal = await refused(set_state(still, name, to))
            needs_token = token and to in {READY, IN_PROGRESS, COMPLETE, ERROR}
            assert refusal.reason == ("LOCK_REQUIRED" if needs_token else "ILLEGAL_TRANSITION")
            assert refusal.code == grpc.StatusCode.FAILED_PRECONDITION
        assert await get(still, name) == before
        if token and (origin, to) in AS_HOLDER:
            assert (await set_state(still, name, to, token)).state == to
        elif (origin, to) in AS_OPERATOR:
            assert (await set_state(still, name, to)).state == to


async def test_attempts_count_the_runs_that_began(still):
    await register(still, "ws-1")
    token = await acquire(still, "ws-1")
    assert (await get(still, "ws-1")).attempt == 0
    await set_state(still, "ws-1", IN_PROGRESS, token)
    assert (await get(still, "ws-1")).attempt == 1
    await set_state(still, "ws-1", IN_PROGRESS, token, metrics=struct(reads=10))
    assert (await get(still, "ws-1")).attempt == 1


async def test_a_failure_that_can_be_retried_is_answered_with_ready_and_when(still, clock):
    await register(still, "ws-1", max_attempts=3)
    waits = []
    for _ in range(2):
        after = await fail(still, "ws-1", TRANSIENT)
        assert after.state == READY
        waits.append(after.available_at.ToDatetime() - clock.now().replace(tzinfo=None))
        clock.tick(waits[-1].total_seconds())
    assert 15 <= waits[0].total_seconds() <= 30 <= waits[1].total_seconds() <= 60
    after = await fail(still, "ws-1", RESOURCE)
    assert (after.state, after.attempt) == (ERROR, 3)
    assert after.error_category == RESOURCE
    found = [event.type for event in await events(still, "ws-1")]
    assert found.count(event_pb2.EVENT_TYPE_RETRY_SCHEDULED) == 2
    assert found.count(event_pb2.EVENT_TYPE_FAILED) == 1


@pytest.mark.parametrize(
    "category",
    [0, DATA, workset_pb2.ERROR_CATEGORY_CONFIGURATION, workset_pb2.ERROR_CATEGORY_PERMANENT],
)
async def test_other_failures_are_final(still, category):
    await register(still, "ws-1")
    after = await fail(still, "ws-1", category)
    assert after.state == ERROR
    assert after.error_category == (category or workset_pb2.ERROR_CATEGORY_PERMANENT)
    assert after.error_details == "it broke"
    event = (await events(still, "ws-1"))[-1]
    assert (event.type, event.error_details) == (event_pb2.EVENT_TYPE_FAILED, "it broke")
    assert event.error_category == after.error_category


async def test_failures_of_the_infrastructure_cost_no_attempt_but_have_a_bound(still, clock):
    await register(still, "ws-1", max_attempts=1)
    for number in range(1, 11):
        after = await fail(still, "ws-1", INFRASTRUCTURE)
        assert (after.state, after.infrastructure_failures) == (READY, number)
        clock.tick(4000)
    assert (await fail(still, "ws-1", INFRASTRUCTURE)).state == ERROR


async def test_restoring_begins_anew(still):
    await register(still, "ws-1")
    await fail(still, "ws-1")
    after = await restore(still, "ws-1")
    assert (after.state, after.attempt, after.infrastructure_failures) == (READY, 0, 0)
    assert (after.error_category, after.error_details) == (0, "")
    assert await acquire(still, "ws-1") == 2  # tokens go on


async def test_a_lock_clears_the_failure_before(still, clock):
    await register(still, "ws-1")
    await fail(still, "ws-1", TRANSIENT)
    clock.tick(60)
    await run(still, "ws-1")
    found = await get(still, "ws-1")
    assert found.error_category == 0
    assert not found.HasField("available_at")


async def test_metrics_add_up_and_stay(still):
    await register(still, "ws-1")
    token = await run(still, "ws-1")
    await set_state(still, "ws-1", IN_PROGRESS, token, metrics=struct(reads=10, step="a"))
    await set_state(still, "ws-1", COMPLETE, token, metrics=struct(step="b", cost_usd=12.34))
    metrics = (await get(still, "ws-1")).metrics
    assert metrics == struct(reads=10, step="b", cost_usd=12.34)


async def test_metrics_beyond_64_kib_in_all_are_refused(still):
    await register(still, "ws-1")
    token = await run(still, "ws-1")
    await set_state(still, "ws-1", IN_PROGRESS, token, metrics=struct(a="x" * 40_000))
    for metrics in (struct(b="x" * 40_000), struct(b="x" * 70_000)):
        refusal = await refused(set_state(still, "ws-1", IN_PROGRESS, token, metrics=metrics))
        assert set(refusal.violations) == {"metrics"}
    await set_state(still, "ws-1", COMPLETE, token, metrics=struct(a="", b="x" * 40_000))


async def test_the_holder_may_say_where_it_runs(still):
    await register(still, "ws-1")
    token = await acquire(still, "ws-1")
    await set_state(still, "ws-1", IN_PROGRESS, token, cluster_name="c7")
    assert (await get(still, "ws-1")).cluster_name == "c7"
    await set_state(still, "ws-1", COMPLETE, token)
    assert (await get(still, "ws-1")).cluster_name == "c7"


async def test_a_version_that_is_expected_must_be_the_present_one(still):
    await register(still, "ws-1")
    token = await acquire(still, "ws-1")
    refusal = await refused(
        set_state(still, "ws-1", IN_PROGRESS, token, expected_version=1),
    )
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "VERSION_MISMATCH")
    assert (await set_state(still, "ws-1", IN_PROGRESS, token, expected_version=2)).version == 3


async def test_states_of_unknown_worksets(still):
    for state in STATES:
        assert (await refused(set_state(still, "ws-x", state))).reason == "WORKSET_NOT_FOUND"


WRONG = [
    ({"workset_id": "a b"}, "workset_id"),
    ({"state": 0}, "state"),
    ({"state": 7}, "state"),
    ({"state": -3}, "state"),
    ({"reason": "r" * 257}, "reason"),
    ({"error_details": "e" * (16 * 1024 + 1)}, "error_details"),
    ({"error_category": 7}, "error_category"),
    ({"metrics": struct(a=float("inf"))}, "metrics"),
    ({"metrics": struct(a="x" * 64 * 1024)}, "metrics"),
    ({"cluster_name": "c" * 65}, "cluster_name"),
    ({"request_id": "a b"}, "request_id"),
]


async def test_a_wrong_field_is_named(still):
    await register(still, "ws-1")
    for fields, path in WRONG:
        given = {"workset_id": "ws-1", "state": IGNORED, **fields}
        refusal = await refused(still.UpdateState(state_pb2.UpdateStateRequest(**given)))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert set(refusal.violations) == {path}
        assert (await get(still, "ws-1")).state == READY


async def test_the_audit_trail_is_complete_and_in_order(still, clock):
    await register(still, "ws-1")
    await fail(still, "ws-1", TRANSIENT)
    clock.tick(60)
    await run(still, "ws-1")
    await acquire(still, "ws-1", owner_id="boss", force=True)
    await cancel(still, "ws-1")
    for page_size in (500, 1, 3):
        found = await events(still, "ws-1", page_size)
        assert [event.version for event in found] == list(range(1, 9))
        for before, after in pairwise(found):
            assert before.to_state == after.from_state
            assert before.occurred_at.ToDatetime() <= after.occurred_at.ToDatetime()
    assert (await get(still, "ws-1")).version == 8
    assert len({event.event_id for event in found}) == 8
