"""The whole system with authentication on: who may do what, and what the audit trail says of it."""

import asyncio
import io
import logging
import time
from datetime import timedelta

import pytest
import structlog
from daylily.workset.v1 import workset_pb2

from daylily_client import (
    LockKeeper,
    LockLost,
    LockState,
    PermissionDenied,
    TokenFile,
    Unauthenticated,
    duration,
    struct,
)
from daylily_runtime import configure_logging
from daylily_runtime.access.tokens import hash_of, new_token

READY = workset_pb2.WORKSET_STATE_READY
IN_PROGRESS = workset_pb2.WORKSET_STATE_IN_PROGRESS
COMPLETE = workset_pb2.WORKSET_STATE_COMPLETE
IGNORED = workset_pb2.WORKSET_STATE_IGNORED


async def register(state, workset_id):
    await state.register_workset(workset_id=workset_id, bucket="lab", prefix=f"{workset_id}/")


async def open_cluster(lab, name):
    scheduler = await lab.scheduler(name)
    await scheduler.register_cluster(cluster_name=name, vcpus=64, memory_gb=256, slots=8)
    return scheduler


async def actors(lab, workset_id):
    state = await lab.state("vera")
    answer = await state.list_events(workset_id=workset_id)
    return [event.actor for event in answer.events]


async def claim(scheduler, name, **fields):
    return await scheduler.claim_next_workset(
        **{
            "cluster_name": name,
            "owner_id": f"monitor@{name}-head",
            "max_wait": duration(5),
            **fields,
        }
    )


async def test_a_monitor_works_from_claim_to_complete_and_the_audit_trail_knows_it(lab):
    scheduler = await open_cluster(lab, "c1")
    state = await lab.state("c1", actor="somebody-else")
    await register(state, "ws-1")
    granted = await claim(scheduler, "c1")
    assert granted.workset.workset_id == "ws-1"
    for moved in (IN_PROGRESS, COMPLETE):
        await state.renew_lock(workset_id="ws-1", lock_token=granted.lock_token)
        await state.update_state(workset_id="ws-1", state=moved, lock_token=granted.lock_token)
    assert await actors(lab, "ws-1") == ["c1", "scheduler/c1", "c1", "c1"]


async def test_a_monitor_does_nothing_with_the_lock_of_another(lab):
    scheduler = await open_cluster(lab, "c1")
    mine, other = await lab.state("c1"), await lab.state("c2")
    await register(mine, "ws-1")
    token = (await claim(scheduler, "c1")).lock_token
    for call in (
        other.renew_lock(workset_id="ws-1", lock_token=token),
        other.release_lock(workset_id="ws-1", lock_token=token),
        other.report_progress(workset_id="ws-1", lock_token=token, step="x"),
        other.update_state(workset_id="ws-1", lock_token=token, state=IN_PROGRESS),
        # The token that the next grant will have can be guessed.
        other.renew_lock(workset_id="ws-1", lock_token=token + 1),
    ):
        with pytest.raises(PermissionDenied) as refusal:
            await call
        assert refusal.value.reason == "PERMISSION_DENIED"
        assert refusal.value.metadata["identity"] == "c2"
    await mine.release_lock(workset_id="ws-1", lock_token=token)
    with pytest.raises(LockLost):
        await mine.renew_lock(workset_id="ws-1", lock_token=token)
    found = await mine.get_workset(workset_id="ws-1")
    assert found.workset.state == READY


async def test_what_a_monitor_wrote_can_be_repeated_after_its_lock_ended(lab):
    scheduler = await open_cluster(lab, "c1")
    state = await lab.state("c1")
    await register(state, "ws-1")
    token = (await claim(scheduler, "c1")).lock_token
    await state.update_state(workset_id="ws-1", lock_token=token, state=IN_PROGRESS)
    done = {"workset_id": "ws-1", "lock_token": token, "state": COMPLETE, "request_id": "r-1"}
    first = await state.update_state(**done)
    again = await state.update_state(**done)
    assert again.workset.version == first.workset.version


async def test_a_monitor_claims_for_its_own_cluster_alone(lab):
    await open_cluster(lab, "c1")
    scheduler = await open_cluster(lab, "c2")
    for fields in (
        {"cluster_name": "c1"},
        {"owner_id": "monitor@c1-head"},
    ):
        with pytest.raises(PermissionDenied):
            await claim(scheduler, "c2", **fields)
    with pytest.raises(PermissionDenied):
        await scheduler.update_cluster_utilization(cluster_name="c1", foreign_vcpus=64)
    with pytest.raises(PermissionDenied):
        await scheduler.drain_cluster(cluster_name="c2")
    state = await lab.state("c2")
    with pytest.raises(PermissionDenied):
        await state.put_cluster(cluster_name="c2")


async def test_what_an_operator_decides_is_on_record_under_his_name(lab):
    scheduler = await open_cluster(lab, "c1")
    monitor, olga = await lab.state("c1"), await lab.state("olga")
    await register(monitor, "ws-1")
    token = (await claim(scheduler, "c1")).lock_token
    with pytest.raises(PermissionDenied, match="an operator"):
        await monitor.update_state(workset_id="ws-1", state=IGNORED, lock_token=token)
    await olga.acquire_lock(workset_id="ws-1", owner_id="olga", force=True)
    await olga.update_state(workset_id="ws-1", state=IGNORED)
    with pytest.raises(LockLost):
        await monitor.renew_lock(workset_id="ws-1", lock_token=token)
    assert await actors(lab, "ws-1") == ["c1", "scheduler/c1", "olga", "olga"]
    await (await lab.scheduler("olga")).drain_cluster(cluster_name="c1")


async def test_a_viewer_looks_at_everything_and_changes_nothing(lab):
    state, scheduler, notifier = (
        await lab.state("vera"),
        await lab.scheduler("vera"),
        await lab.notifier("vera"),
    )
    await state.list_worksets()
    await state.get_queue_depth()
    await scheduler.list_clusters()
    await scheduler.get_scheduler_stats()
    await notifier.list_channels()
    watch = state.watch_events()
    assert (await anext(watch)).cursor
    await watch.aclose()
    with pytest.raises(PermissionDenied):
        await register(state, "ws-1")
    with pytest.raises(PermissionDenied):
        await notifier.notify(message="hello")


async def test_the_notifier_speaks_for_who_asked_it(lab):
    notifier = await lab.notifier("olga", actor="somebody-else")
    state = await lab.state("vera")
    watch = state.watch_events()
    assert not (await anext(watch)).events
    await notifier.notify(message="the freezer is warm", details=struct({"degrees": 4}))
    async for answer in watch:
        if answer.events:
            assert answer.events[0].actor == "notifier/olga"
            break
    await watch.aclose()


async def test_who_has_no_token_learns_nothing(lab):
    for client in (await lab.state(""), await lab.scheduler(""), await lab.notifier("")):
        with pytest.raises(Unauthenticated) as refusal:
            await (
                client.list_worksets()
                if hasattr(client, "list_worksets")
                else client.list_clusters()
                if hasattr(client, "list_clusters")
                else client.list_channels()
            )
        assert refusal.value.reason == "UNAUTHENTICATED"


async def test_a_token_is_changed_under_a_monitor_that_goes_on(lab):
    path = lab.token_file("c1")
    state = await lab.state("c1", token=TokenFile(path))
    await register(state, "ws-1")
    old = lab.tokens["c1"]
    lab.tokens["c1"] = new_token()
    lab.write_file()
    path.write_text(lab.tokens["c1"])
    async with asyncio.timeout(10):
        while True:
            try:
                await register(state, "ws-2")
                break
            except Unauthenticated:
                await asyncio.sleep(0.05)
    lab.tokens["c1"] = old
    with pytest.raises(Unauthenticated):
        await register(await lab.state("c1"), "ws-3")


async def test_a_monitor_whose_token_is_refused_stops_no_run_and_publishes_nothing(lab):
    scheduler = await open_cluster(lab, "c1")
    state = await lab.state("c1")
    await register(state, "ws-1")
    sent_at = time.monotonic()
    granted = await claim(scheduler, "c1", lease=duration(10))
    async with LockKeeper(
        state,
        workset_id="ws-1",
        lock_token=granted.lock_token,
        lease=timedelta(seconds=10),
        sent_at=sent_at,
    ) as keeper:
        await keeper.confirmed()
        lab.write_file("c1")

        async def is_refused():
            try:
                await state.list_worksets(page_size=1)
            except Unauthenticated:
                return True
            return False

        async with asyncio.timeout(10):
            while not await is_refused():  # noqa: ASYNC110 - it is a server that is asked
                await asyncio.sleep(0.05)
        waiting = asyncio.ensure_future(keeper.confirmed())
        await asyncio.wait([waiting], timeout=1)
        assert not waiting.done()
        assert keeper.state in {LockState.HELD, LockState.UNCONFIRMED}
        lab.write_file()
        async with asyncio.timeout(20):
            await waiting
        assert keeper.state is LockState.HELD


async def test_no_token_is_ever_in_a_log_or_an_error(tmp_path, lab):
    stream = io.StringIO()
    configure_logging("debug", stream=stream)
    errors = []
    wrong = new_token()
    try:
        scheduler = await open_cluster(lab, "c1")
        for name in ("vera", "c1", "c2", "olga", "anna", ""):
            for token in (None, wrong):
                if token is not None:
                    lab.tokens["stranger"] = token
                who = name if token is None else "stranger"
                state = await lab.state(who)
                looks = (
                    register(state, f"ws-{name or 'nobody'}"),
                    state.get_workset(workset_id="nothing"),
                    state.update_state(workset_id="ws-c1", state=IGNORED),
                    state.get_grant(request_id="r"),
                    (await lab.scheduler(who)).claim_next_workset(
                        cluster_name="c1", owner_id="monitor@c1-a"
                    ),
                    (await lab.notifier(who)).notify(message="hello"),
                )
                for look in looks:
                    try:
                        await look
                    except Exception as error:  # noqa: BLE001 - whatever it is, it is searched
                        errors += [repr(error), str(vars(error)), repr(error.__cause__)]
                errors.append(repr(state.options))
        await claim(scheduler, "c1")
    finally:
        structlog.reset_defaults()
        logging.getLogger().handlers = []
    logs = stream.getvalue()
    assert logs.count('"event": "call"') > 50
    for secret in {*lab.tokens.values(), wrong}:
        assert secret not in logs
        assert hash_of(secret) not in logs
        assert not any(secret in words for words in errors)
