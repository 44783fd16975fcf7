"""AcquireLock, RenewLock and ReleaseLock, in a time that the test moves."""

import grpc
import pytest
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2
from google.protobuf.duration_pb2 import Duration

from tests.integration.state.asking import (
    COMPLETE,
    ERROR,
    IGNORED,
    IN_PROGRESS,
    LOCKED,
    READY,
    TRANSIENT,
    acquire,
    cancel,
    complete,
    events,
    fail,
    get,
    register,
    release,
    renew,
    restore,
    run,
    seconds,
    set_state,
)
from tests.integration.state.refusals import refused


async def test_a_lock_says_who_holds_it_how_and_until_when(still, clock):
    await register(still, "ws-1")
    answer = await still.AcquireLock(
        state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", lease=seconds(60))
    )
    lock = answer.workset.lock
    assert (lock.owner_id, lock.token, answer.lock_token) == ("m1", 1, 1)
    assert lock.lease.seconds == 60
    assert lock.expires_at.seconds == clock.now().timestamp() + 60
    assert answer.workset.state == LOCKED
    assert (await get(still, "ws-1")).lock == lock


async def test_a_lease_lasts_15_minutes_unless_it_is_given(still):
    await register(still, "ws-1")
    await acquire(still, "ws-1")
    assert (await get(still, "ws-1")).lock.lease.seconds == 900


async def test_a_held_lock_is_not_given_twice(still):
    await register(still, "ws-1")
    await acquire(still, "ws-1", owner_id="m1", lease=seconds(60))
    refusal = await refused(acquire(still, "ws-1", owner_id="m2"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LOCK_HELD")
    assert refusal.metadata["owner_id"] == "m1"
    assert refusal.metadata["expires_at"] == "2026-01-01T00:01:00Z"
    assert refusal.retry_after == 61


async def test_the_same_owner_has_no_lock_twice_either(still):
    await register(still, "ws-1")
    await acquire(still, "ws-1", owner_id="m1")
    assert (await refused(acquire(still, "ws-1", owner_id="m1"))).reason == "LOCK_HELD"


async def test_tokens_grow_with_every_grant_and_outlive_release(still):
    await register(still, "ws-1")
    for expected in (1, 2, 3):
        token = await acquire(still, "ws-1")
        assert token == expected
        await release(still, "ws-1", token)


async def test_renewing_makes_the_lock_last_for_a_lease_from_now(still, clock):
    await register(still, "ws-1")
    token = await acquire(still, "ws-1", lease=seconds(60))
    await clock.advance(20)
    lock = await renew(still, "ws-1", token)
    assert lock.expires_at.seconds == clock.now().timestamp() + 60
    lock = await renew(still, "ws-1", token, lease=seconds(600))
    assert (lock.lease.seconds, lock.expires_at.seconds) == (600, clock.now().timestamp() + 600)
    await clock.advance(30)
    assert (await renew(still, "ws-1", token)).lease.seconds == 600
    assert (await get(still, "ws-1")).version == 2  # a renewal is no event


async def test_a_renewal_that_would_shorten_the_lock_holds_and_keeps_its_progress(still):
    await register(still, "ws-1")
    token = await acquire(still, "ws-1", lease=seconds(900))
    lock = await renew(still, "ws-1", token, lease=seconds(60), progress={"percent": 30})
    assert lock.lease.seconds == 900
    assert (await get(still, "ws-1")).progress.percent == 30


async def test_a_lock_that_ran_out_can_be_renewed_while_nobody_took_it(still, clock):
    await register(still, "ws-1")
    token = await acquire(still, "ws-1", lease=seconds(60))
    clock.tick(3600)
    lock = await renew(still, "ws-1", token)
    assert lock.expires_at.seconds == clock.now().timestamp() + 60
    await set_state(still, "ws-1", IN_PROGRESS, token)
    clock.tick(3600)
    assert (await set_state(still, "ws-1", COMPLETE, token)).state == COMPLETE


async def test_giving_back_makes_the_workset_ready_at_once(still):
    await register(still, "ws-1")
    after = await release(still, "ws-1", await acquire(still, "ws-1"), reason="not for me")
    assert (after.state, after.HasField("lock")) == (READY, False)
    after = await release(still, "ws-1", await run(still, "ws-1"))
    assert (after.state, after.attempt) == (READY, 1)
    assert await acquire(still, "ws-1") == 3
    assert (await events(still, "ws-1"))[2].reason == "not for me"


async def test_force_takes_a_held_lock_over_and_fences_the_old_holder_off(still):
    await register(still, "ws-1")
    old = await run(still, "ws-1", owner_id="m1")
    new = await acquire(still, "ws-1", owner_id="boss", force=True, reason="m1 hangs")
    assert new == old + 1
    found = await get(still, "ws-1")
    assert (found.state, found.lock.owner_id, found.lock.token) == (LOCKED, "boss", new)
    for call in (
        renew(still, "ws-1", old),
        release(still, "ws-1", old),
        set_state(still, "ws-1", IN_PROGRESS, old),
        set_state(still, "ws-1", COMPLETE, old),
        set_state(still, "ws-1", ERROR, old, error_details="x"),
        set_state(still, "ws-1", READY, old),
        still.ReportProgress(
            state_pb2.ReportProgressRequest(workset_id="ws-1", lock_token=old, percent=1)
        ),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "LOCK_LOST")
        assert refusal.metadata["lock_token"] == str(old)
        assert refusal.metadata["current_token"] == str(new)
    assert await get(still, "ws-1") == found
    event = (await events(still, "ws-1"))[-1]
    assert event.details["forced"] is True
    assert event.details["fenced_token"] == old
    assert "may go on computing" in event.reason
    assert event.reason.endswith("m1 hangs")


async def test_force_on_a_free_workset_is_an_ordinary_lock(still):
    await register(still, "ws-1")
    await acquire(still, "ws-1", force=True)
    assert "forced" not in (await events(still, "ws-1"))[-1].details


async def test_force_does_not_run_what_is_finished_or_cancelled(still):
    for name in ("done", "failed", "cancelled"):
        await register(still, name)
    await complete(still, "done")
    await fail(still, "failed")
    await cancel(still, "cancelled")
    for name in ("done", "failed", "cancelled"):
        for force in (False, True):
            refusal = await refused(acquire(still, name, force=force))
            assert refusal.reason == "ILLEGAL_TRANSITION"
            assert refusal.metadata["to"] == "LOCKED"


@pytest.mark.parametrize("token", [0, 1, 3, 2**32 - 1])
async def test_a_token_that_is_not_the_current_one_does_nothing(still, token):
    await register(still, "ws-1")
    await release(still, "ws-1", await acquire(still, "ws-1"))
    await run(still, "ws-1")
    before = await get(still, "ws-1")
    for call in (
        renew(still, "ws-1", token),
        release(still, "ws-1", token),
        set_state(still, "ws-1", COMPLETE, token),
    ):
        refusal = await refused(call)
        assert refusal.reason in (
            {"INVALID_FIELD", "LOCK_REQUIRED"} if not token else {"LOCK_LOST"}
        )
    assert await get(still, "ws-1") == before


async def test_a_token_ends_with_its_lock(still):
    for name, ending in (("done", complete), ("failed", fail)):
        await register(still, name)
        await ending(still, name)
        assert (await refused(renew(still, name, 1))).reason == "LOCK_LOST"
        assert (await refused(release(still, name, 1))).reason == "LOCK_LOST"


async def test_the_holder_of_a_cancelled_workset_is_told_and_acknowledges(still):
    await register(still, "ws-1")
    token = await run(still, "ws-1")
    cancelled = await cancel(still, "ws-1")
    assert (cancelled.state, cancelled.lock.token) == (IGNORED, token)
    for call in (
        renew(still, "ws-1", token),
        set_state(still, "ws-1", COMPLETE, token),
        still.ReportProgress(
            state_pb2.ReportProgressRequest(workset_id="ws-1", lock_token=token, percent=1)
        ),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "WORKSET_CANCELLED")
    refusal = await refused(restore(still, "ws-1"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "LOCK_HELD")
    after = await release(still, "ws-1", token)
    assert (after.state, after.HasField("lock")) == (IGNORED, False)
    assert (await restore(still, "ws-1")).state == READY
    assert await acquire(still, "ws-1") == token + 1


async def test_a_cancelled_run_that_never_answers_delays_restoring_until_its_lock_ran_out(
    still, clock
):
    await register(still, "ws-1")
    await run(still, "ws-1", lease=seconds(60))
    await cancel(still, "ws-1")
    clock.tick(60.5)
    assert (await refused(restore(still, "ws-1"))).reason == "LOCK_HELD"
    clock.tick(1)
    after = await restore(still, "ws-1")
    assert (after.state, after.HasField("lock")) == (READY, False)


async def test_a_workset_that_backs_off_is_not_given_before_its_time(still, clock):
    await register(still, "ws-1")
    after = await fail(still, "ws-1", TRANSIENT)
    assert after.state == READY
    wait = (
        after.available_at.ToDatetime().timestamp() - clock.now().replace(tzinfo=None).timestamp()
    )
    assert 15 <= wait <= 30
    refusal = await refused(acquire(still, "ws-1"))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "NOT_YET_AVAILABLE",
    )
    assert refusal.retry_after == pytest.approx(wait, abs=0.01)
    clock.tick(wait)
    assert await acquire(still, "ws-1") == 2


async def test_a_workset_is_not_given_before_its_dependencies_are_complete(still):
    await register(still, "a")
    await register(still, "b", depends_on=["a"])
    refusal = await refused(acquire(still, "b"))
    assert (refusal.code, refusal.reason) == (
        grpc.StatusCode.FAILED_PRECONDITION,
        "DEPENDENCY_NOT_MET",
    )
    assert refusal.metadata == {"workset_id": "b", "dependency": "a", "state": "READY"}
    await complete(still, "a")
    assert await acquire(still, "b") == 1  # whether or not anybody has told b yet


async def test_locks_of_unknown_worksets(still):
    for call in (
        acquire(still, "ws-x"),
        renew(still, "ws-x", 1),
        release(still, "ws-x", 1),
        set_state(still, "ws-x", IN_PROGRESS, 1),
        still.ReportProgress(state_pb2.ReportProgressRequest(workset_id="ws-x", lock_token=1)),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "WORKSET_NOT_FOUND")


WRONG_LOCKS = [
    ({"workset_id": ""}, "workset_id"),
    ({"workset_id": "a/b"}, "workset_id"),
    ({"owner_id": ""}, "owner_id"),
    ({"owner_id": "a b"}, "owner_id"),
    ({"owner_id": "o" * 129}, "owner_id"),
    ({"lease": seconds(9.999999)}, "lease"),
    ({"lease": seconds(24 * 3600 + 1)}, "lease"),
    ({"lease": seconds(-60)}, "lease"),
    ({"lease": Duration(seconds=2**62)}, "lease"),
    ({"lease": Duration(seconds=60, nanos=2_000_000_000)}, "lease"),
    ({"lease": Duration()}, "lease"),
    ({"cluster_name": "a b"}, "cluster_name"),
    ({"reason": "r" * 257}, "reason"),
    ({"request_id": "r" * 65}, "request_id"),
]


async def test_a_wrong_field_of_a_lock_is_named(still):
    await register(still, "ws-1")
    for fields, path in WRONG_LOCKS:
        given = {"workset_id": "ws-1", "owner_id": "m1", **fields}
        refusal = await refused(still.AcquireLock(state_pb2.AcquireLockRequest(**given)))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert set(refusal.violations) == {path}
        assert (await get(still, "ws-1")).state == READY


WRONG_RENEWALS = [
    ({"workset_id": "a/b"}, "workset_id"),
    ({"lock_token": 0}, "lock_token"),
    ({"lease": seconds(1)}, "lease"),
    ({"progress": {"percent": 101}}, "progress.percent"),
    ({"progress": {"step": "s" * 65}}, "progress.step"),
    ({"progress": {"message": "m" * 129}}, "progress.message"),
]


async def test_a_wrong_field_of_a_renewal_is_named(still):
    await register(still, "ws-1")
    token = await acquire(still, "ws-1")
    for fields, path in WRONG_RENEWALS:
        given = {"workset_id": "ws-1", "lock_token": token, **fields}
        refusal = await refused(still.RenewLock(state_pb2.RenewLockRequest(**given)))
        assert set(refusal.violations) == {path}


async def test_the_events_of_a_lock_carry_what_followers_need(still):
    await register(still, "ws-1", customer_id="acme")
    await run(still, "ws-1", owner_id="m1", lease=seconds(60))
    acquired, started = (await events(still, "ws-1"))[1:]
    assert acquired.type == event_pb2.EVENT_TYPE_LOCK_ACQUIRED
    assert (acquired.owner_id, acquired.lock_token) == ("m1", 1)
    assert (acquired.from_state, acquired.to_state) == (READY, LOCKED)
    assert acquired.details["expires_at"] == "2026-01-01T00:01:00+00:00"
    assert acquired.details["lease"] == 60
    assert (started.type, started.attempt) == (event_pb2.EVENT_TYPE_STARTED, 1)
    assert started.customer_id == "acme"
