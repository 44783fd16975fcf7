"""Counts, dependencies and promotion: what state does by itself."""

from datetime import timedelta
from uuid import uuid4

import pytest

from daylily_state.app.counting import SNAPSHOT
from daylily_state.app.dependencies import CONSUMER
from daylily_state.domain.commands import Update
from daylily_state.domain.counts import Image
from daylily_state.domain.cursor import BEGINNING, encode
from daylily_state.domain.errors import DependencyNotMetError
from daylily_state.domain.events import EventType
from daylily_state.domain.model import ErrorCategory, Priority, WorksetState
from daylily_state.domain.records import Snapshot
from tests.integration.state_app.replicas import on_sqlite

READY = WorksetState.READY


async def fail(replica, workset_id, category) -> None:
    token = (await replica.acquire(workset_id)).last_token
    await replica.move(workset_id, WorksetState.IN_PROGRESS, token)
    await replica.move(workset_id, WorksetState.ERROR, token, error_category=category)


# --- counts ---


async def test_counts_follow_the_feed_of_every_replica(lab) -> None:
    one, two = await lab.replica("one"), await lab.replica("two")
    for number in range(5):
        await one.register(f"ws-{number}", priority=Priority.URGENT)
    await one.complete("ws-0")
    await fail(two, "ws-1", ErrorCategory.TRANSIENT)
    await lab.passes(1)
    for replica in (one, two):
        counted = await replica.counting.now()
        assert counted.depth.counts == {
            (READY, Priority.URGENT): 4,
            (WorksetState.COMPLETE, Priority.URGENT): 1,
        }
        assert (counted.depth.ready, counted.depth.waiting) == (3, 1)
        assert counted.position == await one.feed.now()


@on_sqlite
async def test_counts_are_told_without_a_read_of_the_store(lab, one) -> None:
    for number in range(5):
        await one.register(f"ws-{number}")
    await lab.passes(1)
    before = dict(one.store.calls)
    for _ in range(20):
        assert (await one.counting.now()).depth.total == 5
    assert one.store.calls == before


@on_sqlite
async def test_a_new_replica_begins_at_the_checkpoint_and_counts_the_rest(lab) -> None:
    first = await lab.replica("first")
    for number in range(20):
        await first.register(f"ws-{number}")
    await lab.passes(90)
    assert first.store.calls["put_snapshot"] == 1
    await first.complete("ws-0")
    second = await lab.replica("second")
    await lab.passes(1)
    depth = (await second.counting.now()).depth
    assert (depth.total, depth.ready) == (20, 19)
    assert depth.oldest_ready_age == timedelta(seconds=91)


@on_sqlite
async def test_a_large_checkpoint_is_begun_with_and_written_no_oftener_than_it_is_worth(
    lab,
) -> None:
    many = {uuid4().hex: None for _ in range(180_000)}
    image = Image({(READY, Priority.LOW): len(many)}, many)
    data = image.dump()
    assert len(data) > 3 * 1024 * 1024
    one = await lab.replica("one")
    await one.store.put_snapshot(Snapshot(SNAPSHOT, encode(BEGINNING), data, lab.clock.now()))
    two = await lab.replica("two")
    await two.register("ws-1")
    await lab.passes(61)
    depth = (await two.counting.now()).depth
    assert (depth.total, depth.ready, depth.waiting) == (len(many) + 1, 1, len(many))
    assert "put_snapshot" not in two.store.calls  # 3,000 write units for a single event


# --- dependencies ---


async def test_a_workset_starts_when_its_last_dependency_is_complete(lab, one) -> None:
    for key in ("ws-0", "ws-1"):
        await one.register(key)
    await one.register("ws-2", depends_on=("ws-0", "ws-1"))
    await one.complete("ws-0")
    await lab.passes(1)
    with pytest.raises(DependencyNotMetError):
        await one.acquire("ws-2")
    await one.complete("ws-1")
    await lab.passes(1)
    assert (await one.get("ws-2")).dependencies_met
    assert [event.type for event in await one.trail("ws-2")] == [
        EventType.REGISTERED,
        EventType.DEPENDENCY_MET,
    ]


async def test_a_failed_dependency_is_said_once_and_again_when_it_fails_again(lab, one) -> None:
    await one.register("ws-0")
    await one.register("ws-1", depends_on=("ws-0",))
    await lab.passes(1)
    for _ in range(2):
        await fail(one, "ws-0", ErrorCategory.DATA)
        await lab.passes(1)
        await one.move("ws-0", READY)
    await one.complete("ws-0")
    await lab.passes(1)
    trail = await one.trail("ws-1")
    assert [event.type for event in trail] == [
        EventType.REGISTERED,
        EventType.DEPENDENCY_FAILED,
        EventType.DEPENDENCY_FAILED,
        EventType.DEPENDENCY_MET,
    ]
    assert trail[1].reason == "dependency ws-0 is ERROR"


async def test_a_dependency_that_had_failed_before_is_said_too(lab, one) -> None:
    await one.register("ws-0")
    await one.move("ws-0", WorksetState.IGNORED)
    await lab.passes(1)
    await one.register("ws-1", depends_on=("ws-0",))
    await lab.passes(1)
    assert (await one.trail("ws-1"))[-1].type is EventType.DEPENDENCY_FAILED


async def test_a_lock_can_be_taken_before_the_resolver_has_said_so(lab, one) -> None:
    await one.register("ws-0")
    await one.register("ws-1", depends_on=("ws-0",))
    await one.complete("ws-0")
    assert (await one.acquire("ws-1")).state is WorksetState.LOCKED


async def test_an_update_of_a_failed_dependency_says_nothing_anew(lab, one) -> None:
    await one.register("ws-0")
    await one.move("ws-0", WorksetState.IGNORED)
    await one.register("ws-1", depends_on=("ws-0",))
    await lab.passes(1)
    command = Update(workset_id="ws-0", fields=frozenset({"labels"}), labels={"a": "b"})
    await one.worksets.update(command)
    await lab.passes(1)
    assert (await one.get("ws-1")).version == 2


async def test_another_replica_resolves_when_the_first_is_cut_off(lab) -> None:
    first, second = await lab.replica("first"), await lab.replica("second")
    await first.register("ws-0")
    await first.register("ws-1", depends_on=("ws-0",))
    await lab.passes(5)
    assert (await second.records.consumer_position(CONSUMER)) is not None
    first.store.down = True
    await second.complete("ws-0")
    await lab.passes(20)
    assert (await second.get("ws-1")).dependencies_met


# --- promotion ---


async def test_a_workset_whose_time_has_come_is_moved_to_the_ready_part(lab, one) -> None:
    await one.register("ws-1")
    await fail(one, "ws-1", ErrorCategory.TRANSIENT)
    await lab.passes(10)
    assert (await one.get("ws-1")).available_at is not None
    ready, _ = await one.queries.list_ready(frozenset(), "", 10, full=False)
    assert ready == []
    await lab.passes(30)
    ready, _ = await one.queries.list_ready(frozenset(), "", 10, full=False)
    assert [view.workset.workset_id for view in ready] == ["ws-1"]
    workset = await one.get("ws-1")
    assert (workset.available_at, workset.version) == (None, 4)
