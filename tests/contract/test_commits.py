"""A commit writes all of itself under all of its conditions, or nothing."""

from dataclasses import replace
from datetime import timedelta

from daylily_state.domain.commit import Clash, Commit, Committed, Conflict, WorksetWrite
from daylily_state.domain.events import EventType
from daylily_state.domain.model import (
    Amount,
    Details,
    ErrorCategory,
    Failure,
    Lock,
    Preferences,
    Priority,
    Progress,
    RequestMark,
    Requirements,
    Reservation,
    Results,
    SubjectKind,
    WorksetState,
)
from daylily_state.ports import ProgressPatch, ReadSet, Touch
from tests.support.state_rows import (
    LEASE,
    NOW,
    apply_change,
    change,
    commit,
    load,
    lock,
    make_event,
    make_workset,
    register,
    registration,
)


async def test_a_registered_workset_is_read_as_it_was_written(store):
    workset = await register(
        store,
        make_workset(
            "ws:1",
            priority=Priority.URGENT,
            deadline=NOW + timedelta(days=3, microseconds=1),
            requirements=Requirements(
                96, 786_432, 2_000_000, 12.5, 4_250, timedelta(hours=7), 9_900, sample_count=30
            ),
            recent_requests=(RequestMark(b"12345678", 70_000), RequestMark(b"abcdefgh", 70_001)),
        ),
    )
    assert await load(store, "ws:1") == workset


async def test_a_held_workset_is_read_as_it_was_written(store):
    workset = await register(store, make_workset())
    held = await apply_change(
        store,
        workset,
        state=WorksetState.IN_PROGRESS,
        cluster_name="c1",
        lock=Lock("node-1", 1, NOW, LEASE, NOW + LEASE),
        last_token=1,
        attempt=1,
        progress=Progress("run_pipeline", 40, "chr1", NOW),
        reservation=Reservation(Amount(96, 786_432, 0, 1), on_customer=True, cost_cents=4_250),
    )
    assert await load(store, "ws-1") == held


async def test_a_failed_workset_is_read_as_it_was_written(store):
    workset = await register(store, make_workset())
    failed = await apply_change(
        store,
        workset,
        available_at=NOW + timedelta(minutes=2),
        failure=Failure(ErrorCategory.TRANSIENT, "no space left · größer"),
        attempt=1,
        failures=1,
        dependencies_met=False,
    )
    assert await load(store, "ws-1") == failed


async def test_an_empty_reservation_is_not_no_reservation(store):
    workset = await register(store, make_workset())
    held = Reservation(None, on_customer=True, cost_cents=0)
    locked = await lock(store, workset, reservation=held)
    assert (await load(store, "ws-1")).reservation == held == locked.reservation


async def test_details_metadata_and_results_are_written_each_when_given(store):
    details = Details(
        "lab",
        "runs/1/",
        labels={"run": "R0"},
        depends_on=("a", "b"),
        preferences=Preferences(("r7i.48xlarge",), "us-east-1a", "c1"),
        rerun_of="ws-0",
    )
    workset = await register(store, make_workset(), details=details, metadata='{"n":1.5}')
    results = Results('{"cost_usd":3}', "trace …" * 1_000)
    await apply_change(store, workset, parts={"results": results})
    rows = await store.read(
        ReadSet(details=("ws-1",), metadata=("ws-1",), results=("ws-1",), worksets=("ws-1",))
    )
    assert rows.details == {"ws-1": details}
    assert rows.metadata == {"ws-1": '{"n":1.5}'}
    assert rows.results == {"ws-1": results}
    assert rows.worksets["ws-1"].version == 2


async def test_metadata_of_256_kib_is_kept(store):
    metadata = '{"text":"' + "x" * (256 * 1024 - 12) + '"}'
    await register(store, make_workset(), metadata=metadata)
    assert (await store.read(ReadSet(metadata=("ws-1",)))).metadata == {"ws-1": metadata}


async def test_an_event_is_read_as_it_was_written(store):
    workset = await register(store, make_workset())
    made = await change(
        store,
        workset,
        EventType.RETRY_SCHEDULED,
        event={
            "actor": "head-node",
            "owner_id": "node-1",
            "lock_token": 7,
            "attempt": 2,
            "reason": "exit 75",
            "priority": Priority.LOW,
            "customer_id": "lab-7",
            "labels": {"run": "R0"},
            "cluster_name": "c1",
            "error_details": "disk full",
            "error_category": ErrorCategory.TRANSIENT,
            "details": {"percent": 12.5, "list": [1, None, {"a": True}]},
            "request_id": "r-1",
            "request_digest": b"\x00\xff345678",
        },
    )
    assert await commit(store, made) == Committed()
    found = await store.read_lane(workset.lane, made.event.seq - 1, 10, strong=True)
    assert list(found) == [made.event]


async def test_an_event_that_is_no_worksets_own_is_read_as_it_was_written(store):
    event = make_event(
        "c1", 1, EventType.CLUSTER_SILENT, subject_kind=SubjectKind.CLUSTER, version=0
    )
    assert await commit(store, Commit(event)) == Committed()
    assert list(await store.read_lane(event.lane, 0, 10, strong=True)) == [event]


async def test_a_second_registration_of_an_id_clashes(store):
    await register(store, make_workset())
    again = await registration(store, make_workset(priority=Priority.LOW))
    assert await commit(store, again) == Conflict(frozenset({Clash.WORKSET}))
    assert (await load(store, "ws-1")).priority is Priority.NORMAL


async def test_a_taken_slot_clashes_and_nothing_is_written(store):
    first = await registration(store, make_workset())
    await commit(store, first)
    late = replace(
        await registration(store, make_workset()),
        event=make_event("ws-1", first.event.seq, EventType.REGISTERED),
    )
    outcome = await commit(store, late)
    assert isinstance(outcome, Conflict)
    assert outcome.clashes == {Clash.SLOT, Clash.WORKSET}
    assert [
        event.event_id for event in await store.read_lane(first.event.lane, 0, 9, strong=True)
    ] == [first.event.event_id]


async def test_a_taken_slot_alone_clashes(store):
    workset = await register(store, make_workset())
    made = await change(store, workset)
    late = replace(made, event=replace(made.event, seq=made.event.seq - 1))
    assert await commit(store, late) == Conflict(frozenset({Clash.SLOT}))
    assert await load(store, "ws-1") == workset


async def test_a_version_that_has_passed_clashes_and_writes_no_event(store):
    workset = await register(store, make_workset())
    await apply_change(store, workset, priority=Priority.LOW)
    stale = await change(store, workset, priority=Priority.URGENT, parts={"metadata": "{}"})
    assert await commit(store, stale) == Conflict(frozenset({Clash.WORKSET}))
    assert (await load(store, "ws-1")).priority is Priority.LOW
    assert (await store.read(ReadSet(metadata=("ws-1",)))).metadata == {}
    assert len(await store.read_lane(workset.lane, 0, 10, strong=True)) == 2


async def test_the_same_commit_sent_again_is_committed_once(store):
    workset = await register(store, make_workset())
    made = await change(store, workset, priority=Priority.LOW)
    assert await commit(store, made) == Committed()
    assert await commit(store, made) == Committed()
    assert (await load(store, "ws-1")).version == 2
    assert len(await store.read_lane(workset.lane, 0, 10, strong=True)) == 2


async def test_a_commit_leaves_a_renewal_that_came_in_between_alone(store):
    held = await lock(store, await register(store, make_workset()))
    renewed = NOW + 2 * LEASE
    await store.touch(
        Touch("ws-1", 1, LEASE, renewed, ProgressPatch("run_pipeline", 5, "chr1", NOW))
    )
    await apply_change(store, held, state=WorksetState.IN_PROGRESS, attempt=1)
    found = await load(store, "ws-1")
    assert found.lock is not None
    assert found.lock.expires_at == renewed
    assert found.progress == Progress("run_pipeline", 5, "chr1", NOW)
    assert (found.state, found.attempt) == (WorksetState.IN_PROGRESS, 1)


async def test_what_was_reported_in_between_ends_with_the_lock(store):
    held = await lock(store, await register(store, make_workset()))
    await store.touch(Touch("ws-1", 1, progress=ProgressPatch("run_pipeline", 5, "", NOW)))
    released = await apply_change(store, held, state=WorksetState.READY, lock=None)
    assert await load(store, "ws-1") == released


async def test_what_was_reported_in_between_does_not_pass_to_the_next_holder(store):
    held = await lock(store, await register(store, make_workset()))
    await store.touch(
        Touch("ws-1", 1, LEASE, NOW + 3 * LEASE, ProgressPatch("run_pipeline", 5, "", NOW))
    )
    taken = await lock(store, held)
    assert await load(store, "ws-1") == taken


async def test_a_renewed_lock_is_not_timed_out(store):
    held = await lock(store, await register(store, make_workset()))
    assert held.lock is not None
    await store.touch(Touch("ws-1", 1, LEASE, held.lock.expires_at + LEASE))
    timeout = await change(
        store,
        held,
        EventType.LOCK_TIMEOUT,
        expiry_seen=held.lock.expires_at,
        state=WorksetState.READY,
        lock=None,
    )
    assert await commit(store, timeout) == Conflict(frozenset({Clash.WORKSET}))
    assert (await load(store, "ws-1")).state is WorksetState.LOCKED


async def test_a_lock_that_expired_as_seen_is_timed_out(store):
    held = await lock(store, await register(store, make_workset()))
    assert held.lock is not None
    freed = await apply_change(
        store,
        held,
        EventType.LOCK_TIMEOUT,
        expiry_seen=held.lock.expires_at,
        state=WorksetState.READY,
        lock=None,
        infra_failures=1,
    )
    assert await load(store, "ws-1") == freed


async def test_a_change_of_a_row_that_was_promoted_in_between_keeps_its_place_in_the_queue(store):
    due = NOW - timedelta(seconds=1)
    waiting = await register(store, make_workset(available_at=due))
    assert await store.promote("ws-1", due)
    made = await change(store, waiting, priority=Priority.URGENT)
    if await commit(store, made) != Committed():
        await apply_change(store, await load(store, "ws-1"), priority=Priority.URGENT)
    (queued,) = (await store.queue(frozenset({Priority.URGENT}), NOW, None, 10)).items
    assert queued.priority is Priority.URGENT
    assert (await store.queue(frozenset({Priority.NORMAL}), NOW, None, 10)).items == ()


async def test_a_commit_without_a_workset_takes_its_slot(store):
    event = make_event("outside", 1, EventType.EXTERNAL, subject_kind=SubjectKind.SYSTEM, version=0)
    assert await commit(store, Commit(event)) == Committed()
    other = make_event("outside", 1, EventType.EXTERNAL, subject_kind=SubjectKind.SYSTEM, version=0)
    assert await commit(store, Commit(other)) == Conflict(frozenset({Clash.SLOT}))


async def test_the_write_of_another_workset_in_the_same_slot_is_refused_whole(store):
    first = await register(store, make_workset("ws-1"))
    made = await change(store, first, priority=Priority.LOW)
    wrong = Commit(
        replace(made.event, seq=first.last_seq, event_id="another"),
        WorksetWrite(first, replace(first, version=2, priority=Priority.LOW)),
        metadata='{"a":1}',
    )
    assert await commit(store, wrong) == Conflict(frozenset({Clash.SLOT}))
    assert (await store.read(ReadSet(metadata=("ws-1",)))).metadata == {}
