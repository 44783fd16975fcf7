"""Every event reaches every watcher, in order per subject, across replicas."""

import itertools
from datetime import timedelta

import pytest

from daylily_state.app.feed import HEARTBEAT_SECONDS
from daylily_state.domain.cursor import BEGINNING
from daylily_state.domain.errors import InvalidCursorError, StoppingError
from daylily_state.domain.model import WorksetState
from tests.integration.state_app.replicas import Watcher, on_sqlite


def seen(watcher) -> list[tuple[str, int]]:
    return [(event.workset_id, event.version) for event in watcher.events]


async def test_a_watcher_on_the_same_replica_hears_at_once(lab, one) -> None:
    watcher = Watcher(one, await one.feed.now())
    await lab.passes(1)
    await one.register("ws-1")
    await lab.settle()
    assert seen(watcher) == [("ws-1", 1)]
    await watcher.stop()


async def test_a_watcher_on_another_replica_hears_within_a_second(lab) -> None:
    one, two = await lab.replica("one"), await lab.replica("two")
    watcher = Watcher(two, await two.feed.now())
    await lab.passes(1)
    for number in range(40):
        await one.register(f"ws-{number}")
    await lab.passes(1)
    assert sorted(seen(watcher)) == sorted((f"ws-{n}", 1) for n in range(40))
    await watcher.stop()


async def test_a_watch_from_the_beginning_brings_everything_in_order_per_workset(lab, one) -> None:
    for number in range(5):
        await one.register(f"ws-{number}")
        await one.complete(f"ws-{number}")
    late = await lab.replica("late")
    watcher = Watcher(late, BEGINNING)
    await lab.passes(1)
    for number in range(5):
        versions = [version for key, version in seen(watcher) if key == f"ws-{number}"]
        assert versions == [1, 2, 3, 4]
    await watcher.stop()


async def test_a_watch_goes_on_exactly_where_a_cursor_was_left(lab, one) -> None:
    first = Watcher(one, BEGINNING)
    for number in range(6):
        await one.register(f"ws-{number}")
    await lab.passes(1)
    await first.stop()
    middle = first.positions[-1]
    for number in range(6, 9):
        await one.register(f"ws-{number}")
    second = Watcher(one, middle)
    await lab.passes(1)
    assert {key for key, _ in seen(second)} == {"ws-6", "ws-7", "ws-8"}
    await second.stop()


async def test_every_event_comes_with_the_position_right_after_it(lab, one) -> None:
    for number in range(6):
        await one.register(f"ws-{number}")
    async for batch in one.feed.watch(BEGINNING):
        events = [event for event, _ in batch.events]
        position = batch.events[2][1]
        break
    resumed = Watcher(one, position)
    await lab.passes(1)
    assert [event.event_id for event in resumed.events] == [e.event_id for e in events[3:]]
    await resumed.stop()


@on_sqlite
async def test_a_watcher_that_is_far_behind_reads_nothing_twice(lab, one) -> None:
    for number in range(700):
        await one.register(f"ws-{number}")
    late = await lab.replica("late")
    read: dict[int, list[tuple[int, int]]] = {}

    async def note(lane, after, limit, *, strong=False) -> None:
        read.setdefault(lane, []).append((after, after + limit))

    late.store.before["read_lane"] = note
    watcher = Watcher(late, BEGINNING)
    await lab.passes(1)
    assert len(set(seen(watcher))) == len(watcher.events) == 700
    for stretches in read.values():
        # Counting and the resolver read the same feed beside the watcher; what one has read, they share.
        once = sorted(set(stretches))
        assert all(before[1] <= after[0] for before, after in itertools.pairwise(once))
        assert len(stretches) - len(once) <= 2  # the end of a lane, read by all three
    await watcher.stop()


@on_sqlite
async def test_watchers_that_were_busy_when_others_had_their_heartbeat_have_theirs(
    lab, one
) -> None:
    watchers = [Watcher(one, await one.feed.now())]
    for _ in range(3):
        await lab.passes(7)
        watchers.append(Watcher(one, await one.feed.now()))
    await lab.passes(10 * HEARTBEAT_SECONDS)
    assert all(watcher.heartbeats in {11, 12} for watcher in watchers)
    for watcher in watchers:
        await watcher.stop()


@on_sqlite
async def test_a_heartbeat_comes_at_the_end_of_the_feed_and_then_every_20_s(lab, one) -> None:
    await one.register("ws-1")
    watcher = Watcher(one, BEGINNING)
    await lab.passes(1)
    assert watcher.heartbeats == 1
    assert watcher.positions[-1] == await one.feed.now()
    await lab.passes(HEARTBEAT_SECONDS)
    assert watcher.heartbeats == 2
    await watcher.stop()


async def test_a_watch_since_a_time_brings_all_that_happened_from_then_on(lab, one) -> None:
    for number in range(8):
        await one.register(f"early-{number}")
    await lab.passes(60)
    moment = lab.clock.now()
    for number in range(8):
        await one.register(f"late-{number}")
    watcher = Watcher(one, await one.feed.position_at(moment))
    await lab.passes(1)
    assert {key for key, _ in seen(watcher)} == {f"late-{n}" for n in range(8)}
    everything = await one.feed.position_at(moment - timedelta(hours=1))
    assert everything == BEGINNING
    nothing = await one.feed.position_at(moment + timedelta(hours=1))
    assert nothing == await one.feed.now()
    await watcher.stop()


@on_sqlite
async def test_a_watcher_that_is_far_behind_reads_on_from_the_store(lab, one) -> None:
    await one.register("ws-1")
    for _ in range(260):  # far more events in this lane than are kept in memory
        await one.move("ws-1", WorksetState.IGNORED)
        await one.move("ws-1", WorksetState.READY)
    watcher = Watcher(one, BEGINNING)
    await lab.passes(1)
    assert seen(watcher) == [("ws-1", version) for version in range(1, 522)]
    await watcher.stop()


async def test_a_lane_that_lags_at_one_replica_is_read_again_and_never_skipped(lab) -> None:
    one, two = await lab.replica("one"), await lab.replica("two")
    watcher = Watcher(two, await two.feed.now())
    await lab.passes(1)
    real = two.store.store.read_lane

    async def lagging(lane, after, limit, *, strong=False):
        events = await real(lane, after, limit, strong=strong)
        return events if strong else events[1:]

    two.store.store.read_lane = lagging
    await one.register("ws-1")
    await one.complete("ws-1")
    await lab.passes(1)
    assert seen(watcher) == [("ws-1", version) for version in range(1, 5)]
    await watcher.stop()


async def test_the_store_may_be_away_for_a_while_and_no_event_is_lost(lab) -> None:
    one, two = await lab.replica("one"), await lab.replica("two")
    watcher = Watcher(two, await two.feed.now())
    await lab.passes(1)
    two.store.down = True
    await one.register("ws-1")
    await one.complete("ws-1")
    await lab.passes(5)
    assert seen(watcher) == []
    two.store.down = False
    await lab.passes(2)
    assert seen(watcher) == [("ws-1", version) for version in range(1, 5)]
    await watcher.stop()


@on_sqlite
async def test_a_cursor_from_the_future_is_refused(lab, one) -> None:
    watcher = Watcher(one, (1,) * 16)
    await lab.passes(1)
    assert isinstance(watcher.ended, InvalidCursorError)


@on_sqlite
async def test_a_watch_ends_when_the_server_stops(lab, one) -> None:
    watcher = Watcher(one, BEGINNING)
    await lab.passes(1)
    one.lifecycle.stopping.set()
    await lab.settle()
    assert isinstance(watcher.ended, StoppingError)


@on_sqlite
@pytest.mark.parametrize("watchers", [20])
async def test_many_watchers_cost_the_store_no_more_than_one(lab, one, watchers) -> None:
    await lab.passes(1)
    probes = one.store.calls["probe"]
    watching = [Watcher(one, await one.feed.now()) for _ in range(watchers)]
    await lab.passes(2)
    assert one.store.calls["probe"] - probes <= 9
    for watcher in watching:
        await watcher.stop()
