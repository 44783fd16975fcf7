"""ListReadyWorksets and GetQueueDepth: the queue in order, and what is in it, counted."""

import asyncio
import zlib
from datetime import UTC, datetime

import pytest
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2, workset_pb2
from google.protobuf.field_mask_pb2 import FieldMask

from daylily_state.domain.counts import Counts
from daylily_state.domain.cursor import BEGINNING, encode
from daylily_state.domain.records import Snapshot
from daylily_state.store.sqlite import SqliteStore
from tests.integration.state.asking import (
    COMPLETE,
    DATA,
    ERROR,
    IGNORED,
    IN_PROGRESS,
    LOCKED,
    LOW,
    NORMAL,
    READY,
    TRANSIENT,
    URGENT,
    acquire,
    cancel,
    complete,
    fail,
    get,
    register,
    release,
    restore,
    run,
    struct,
)
from tests.integration.state.refusals import refused
from tests.integration.state.replicas import replica, settings_on_file


async def queue(stub, page_size=100, **filters):
    found, token = [], ""
    while True:
        answer = await stub.ListReadyWorksets(
            state_pb2.ListReadyWorksetsRequest(page_size=page_size, page_token=token, **filters)
        )
        found += [workset.workset_id for workset in answer.worksets]
        token = answer.next_page_token
        if not token:
            return found


async def depth(stub):
    return await stub.GetQueueDepth(state_pb2.GetQueueDepthRequest())


async def counts(stub):
    return {(each.state, each.priority): each.count for each in (await depth(stub)).counts}


async def update_priority(stub, workset_id, priority):
    await stub.UpdateWorkset(
        state_pb2.UpdateWorksetRequest(
            workset_id=workset_id, priority=priority, update_mask=FieldMask(paths=["priority"])
        )
    )


@pytest.mark.parametrize("page_size", [100, 2, 1])
async def test_the_queue_goes_by_priority_then_first_in_first_out(still, clock, page_size):
    for name, priority in (
        ("low-1", LOW),
        ("normal-1", NORMAL),
        ("urgent-1", URGENT),
        ("a-low-2", LOW),
        ("a-normal-2", NORMAL),
        ("a-urgent-2", URGENT),
    ):
        await register(still, name, priority=priority)
        await clock.advance(1)
    expected = ["urgent-1", "a-urgent-2", "normal-1", "a-normal-2", "low-1", "a-low-2"]
    assert await queue(still, page_size) == expected
    assert await queue(still, page_size, priorities=[LOW, URGENT]) == [
        *expected[:2],
        *expected[4:],
    ]


async def test_what_is_given_back_keeps_its_place(still, clock):
    for name in ("a", "b", "c"):
        await register(still, name)
        await clock.advance(1)
    token = await run(still, "a")
    assert await queue(still) == ["b", "c"]
    await release(still, "a", token)
    assert await queue(still) == ["a", "b", "c"]


async def test_a_new_priority_moves_a_workset(still, clock):
    for name in ("a", "b"):
        await register(still, name)
        await clock.advance(1)
    await update_priority(still, "b", URGENT)
    assert await queue(still) == ["b", "a"]


async def test_the_queue_holds_what_can_start_and_nothing_else(still):
    for name in ("ready", "locked", "running", "done", "failed", "cancelled", "backing-off"):
        await register(still, name)
    await register(still, "waiting", depends_on=["ready"])
    await acquire(still, "locked")
    await run(still, "running")
    await complete(still, "done")
    await fail(still, "failed", DATA)
    await cancel(still, "cancelled")
    await fail(still, "backing-off", TRANSIENT)
    assert await queue(still) == ["ready"]


async def test_a_workset_that_backs_off_comes_back_in_its_place_when_its_time_has_come(
    still, clock
):
    for name in ("a", "b", "c"):
        await register(still, name)
        await clock.advance(1)
    await fail(still, "b", TRANSIENT)
    assert await queue(still) == ["a", "c"]
    clock.tick(31)  # nobody had the time to promote it
    for page_size in (100, 1):
        assert await queue(still, page_size) == ["a", "b", "c"]
    await clock.advance(5)  # now somebody had
    for page_size in (100, 1):
        assert await queue(still, page_size) == ["a", "b", "c"]


async def test_those_that_back_off_come_before_the_queue_and_none_is_missed(still, clock):
    for name in ("a", "b", "c", "d"):
        await register(still, name)
        await clock.advance(1)
    for name in ("b", "d"):
        await fail(still, name, TRANSIENT)
        await clock.advance(5)
    listed = await queue(still, include_backing_off=True)
    assert (set(listed[:2]), listed[2:]) == ({"b", "d"}, ["a", "c"])
    # One whose time comes between two pages is found in the queue at the latest.
    found, token = [], ""
    while True:
        answer = await still.ListReadyWorksets(
            state_pb2.ListReadyWorksetsRequest(
                page_size=1, page_token=token, include_backing_off=True
            )
        )
        found += [workset.workset_id for workset in answer.worksets]
        token = answer.next_page_token
        if not token:
            break
        await clock.advance(31)
    assert set(found) == {"a", "b", "c", "d"}


async def test_those_that_back_off_are_filtered_by_priority_too(still, clock):
    for name, priority in (("a", LOW), ("b", URGENT)):
        await register(still, name, priority=priority)
        await fail(still, name, TRANSIENT)
    assert await queue(still, 1, include_backing_off=True, priorities=[LOW]) == ["a"]


async def test_a_wrong_priority_is_refused(still):
    refusal = await refused(
        still.ListReadyWorksets(state_pb2.ListReadyWorksetsRequest(priorities=[4]))
    )
    assert set(refusal.violations) == {"priorities[0]"}


# --- depth ---


async def test_depth_counts_every_workset_by_state_and_priority(still):
    for name, priority in (("a", URGENT), ("b", URGENT), ("c", LOW), ("d", NORMAL), ("e", LOW)):
        await register(still, name, priority=priority)
    await acquire(still, "b")
    await run(still, "c")
    await complete(still, "d")
    await fail(still, "e")
    assert await counts(still) == {
        (READY, URGENT): 1,
        (LOCKED, URGENT): 1,
        (IN_PROGRESS, LOW): 1,
        (COMPLETE, NORMAL): 1,
        (ERROR, LOW): 1,
    }
    found = await depth(still)
    assert (found.total, found.ready, found.waiting) == (5, 1, 0)


async def test_depth_is_empty_at_first(still):
    found = await depth(still)
    assert (list(found.counts), found.total, found.ready, found.waiting) == ([], 0, 0, 0)
    assert not found.HasField("oldest_ready_age")
    assert found.cursor


async def test_depth_follows_every_kind_of_move(still, clock):
    await register(still, "a")
    await update_priority(still, "a", URGENT)
    assert await counts(still) == {(READY, URGENT): 1}
    await acquire(still, "a")
    await update_priority(still, "a", LOW)
    assert await counts(still) == {(LOCKED, LOW): 1}
    await acquire(still, "a", owner_id="boss", force=True)
    assert await counts(still) == {(LOCKED, LOW): 1}
    await cancel(still, "a")
    await release(still, "a", 2)
    assert await counts(still) == {(IGNORED, LOW): 1}
    await restore(still, "a")
    assert await counts(still) == {(READY, LOW): 1}


async def test_what_waits_is_counted_apart_until_its_time_has_come(still, clock):
    await register(still, "a")
    await register(still, "b", depends_on=["a"])
    await fail(still, "a", TRANSIENT)
    found = await depth(still)
    assert (found.ready, found.waiting) == (0, 2)
    assert not found.HasField("oldest_ready_age")
    clock.tick(31)
    found = await depth(still)
    assert (found.ready, found.waiting) == (1, 1)
    assert 0 < found.oldest_ready_age.ToTimedelta().total_seconds() <= 16
    assert await counts(still) == {(READY, NORMAL): 2}
    await complete(still, "a")
    async with asyncio.timeout(30):
        while not (await get(still, "b")).dependencies_met:
            await clock.advance(0.5)
    found = await depth(still)
    assert (found.ready, found.waiting) == (1, 0)


async def oldest(stub):
    """The age of the oldest that can start; the test's clock adds up floats."""
    return round((await depth(stub)).oldest_ready_age.ToTimedelta().total_seconds())


async def test_the_oldest_age_is_since_a_workset_can_start(still, clock):
    await register(still, "a")
    await clock.advance(100)
    await register(still, "b")
    await clock.advance(50)
    assert await oldest(still) == 150
    await update_priority(still, "a", LOW)  # changes nothing about its waiting
    assert await oldest(still) == 150
    await acquire(still, "a")
    assert await oldest(still) == 50
    await release(still, "a", 1)
    assert await oldest(still) == 50
    await acquire(still, "b")
    assert await oldest(still) == 0


async def test_events_that_are_published_about_a_workset_count_nothing(still, clock):
    await register(still, "a")
    await register(still, "b", depends_on=["a"])
    await clock.advance(10)
    before = await depth(still)
    for name in ("a", "b"):
        for details in (
            struct(from_priority="BOGUS"),
            struct(from_priority="LOW"),
            struct(available_at="never"),
            struct(dependencies_met=False),
            struct(),
        ):
            await still.PublishEvent(
                state_pb2.PublishEventRequest(
                    subject=event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_WORKSET, id=name),
                    type=event_pb2.EVENT_TYPE_EXTERNAL,
                    details=details,
                )
            )
    await register(still, "c")
    await cancel(still, "c")
    found = await depth(still)
    assert {(each.state, each.count) for each in found.counts} == {(READY, 2), (IGNORED, 1)}
    assert (found.ready, found.waiting) == (before.ready, before.waiting)
    assert found.oldest_ready_age == before.oldest_ready_age


async def test_depth_is_exact_after_a_restart_from_the_checkpoint_and_without(file, clock):
    async with replica(settings_on_file(file), clock) as first:
        await register(first.stub, "a", priority=URGENT)
        await register(first.stub, "b", depends_on=["a"])
        await register(first.stub, "c")
        await fail(first.stub, "c", TRANSIENT)
        await clock.advance(61)
        await register(first.stub, "d", priority=LOW)
        async with asyncio.timeout(30):
            while not await checkpointed(first.stub):
                await register(first.stub, f"more-{clock.monotonic()}")
                await clock.advance(61)
        await acquire(first.stub, "a")  # behind the checkpoint
        before = await depth(first.stub)
    async with replica(settings_on_file(file), clock) as second:
        after = await depth(second.stub)
    assert after.counts == before.counts
    assert (after.total, after.ready, after.waiting) == (before.total, before.ready, before.waiting)
    assert after.oldest_ready_age == before.oldest_ready_age
    assert after.waiting == 1


async def checkpointed(stub):
    try:
        await stub.GetSnapshot(state_pb2.GetSnapshotRequest(name="state.counts"))
    except Exception:  # noqa: BLE001 - not yet
        return False
    return True


@pytest.mark.parametrize(
    ("data", "position"),
    [
        (b"not compressed", encode(BEGINNING)),
        (zlib.compress(b"not json"), encode(BEGINNING)),
        (zlib.compress(b"[1]"), encode(BEGINNING)),
        (zlib.compress(b'[["GONE","LOW",1]]'), encode(BEGINNING)),
        (zlib.compress(b'[]\n{"a":"yesterday"}'), encode(BEGINNING)),
        (zlib.compress(b"[]\n[1]"), encode(BEGINNING)),
        (Counts().image().dump(), "nonsense"),
        (Counts().image().dump(), encode((7,) * 16)),
    ],
)
async def test_a_checkpoint_that_is_of_no_use_is_left_aside(file, data, position):
    """From another version, or from a restored table that is ahead of the events."""
    store = SqliteStore(file)
    await store.create_tables()
    await store.put_snapshot(
        Snapshot("state.counts", position, data, datetime(2026, 1, 1, tzinfo=UTC))
    )
    await store.close()
    async with replica(settings_on_file(file)) as state:
        await register(state.stub, "a")
        assert (await depth(state.stub)).total == 1
    assert state.server._failure is None


async def test_depth_is_exact_at_its_cursor(stub):
    """Whatever comes behind the cursor, added to the counts, gives what is there."""
    names = [f"w{number}" for number in range(30)]

    async def work():
        for name in names:
            await register(stub, name)
            await acquire(stub, name)

    task = asyncio.create_task(work())
    measured = []
    while not task.done():
        measured.append(await depth(stub))
        await asyncio.sleep(0.01)
    await task
    for found in measured[:: max(1, len(measured) // 10)]:
        total = {(each.state, each.priority): each.count for each in found.counts}
        watch = stub.WatchEvents(state_pb2.WatchEventsRequest(cursor=found.cursor))
        async for answer in watch:
            for event in answer.events:
                if event.from_state:
                    total[event.from_state, event.priority] -= 1
                key = (event.to_state, event.priority)
                total[key] = total.get(key, 0) + 1
            if not answer.events:
                break
        watch.cancel()
        assert {key: n for key, n in total.items() if n} == {
            (workset_pb2.WORKSET_STATE_LOCKED, NORMAL): len(names)
        }
