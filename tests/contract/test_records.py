"""What the other services keep here: consumers, snapshots, deliveries, episodes."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from daylily_state.domain.events import EventType
from daylily_state.domain.filters import DeliveryFilter
from daylily_state.domain.model import LANES, SubjectKind
from daylily_state.domain.records import (
    Consumer,
    Delivery,
    DeliveryState,
    Episode,
    EpisodeState,
    Snapshot,
)
from tests.contract.conftest import on_engines_that_race
from tests.support.state_rows import NOW, make_event

SECOND = timedelta(seconds=1)


def make_consumer(**changes):
    consumer = Consumer(
        name="notifier",
        owner_id="replica-1",
        token=1,
        expires_at=NOW + 10 * SECOND,
        position=(70_000, *range(LANES - 1)),
        version=1,
    )
    return replace(consumer, **changes)


def make_delivery(delivery_id="d-1", workset_id="ws-1", **changes):
    delivery = Delivery(
        delivery_id=delivery_id,
        channel="sns",
        event=make_event(
            workset_id, 4, EventType.FAILED, labels={"run": "R0"}, details={"a": [1, 2.5, None]}
        ),
        event_cursor="cursor",
        state=DeliveryState.PENDING,
        attempts=0,
        next_attempt_at=None,
        answer="",
        latency=timedelta(milliseconds=12),
        dedup_key="k",
        external_ref="",
        episode_id="e-1",
        claim_token=0,
        claimed_by="",
        claim_expires_at=None,
        created_at=NOW,
        updated_at=NOW,
        version=1,
    )
    return replace(delivery, **changes)


# --- consumers and episodes: version by version ---


async def test_a_consumer_is_read_as_it_was_written(store):
    assert await store.get_consumer("notifier") is None
    assert await store.put_consumer(make_consumer())
    assert await store.get_consumer("notifier") == make_consumer()


async def test_a_consumer_is_written_only_behind_the_version_that_is_there(store):
    assert not await store.put_consumer(make_consumer(version=2))
    assert await store.put_consumer(make_consumer())
    assert not await store.put_consumer(make_consumer(owner_id="other"))
    assert not await store.put_consumer(make_consumer(version=3))
    later = make_consumer(version=2, token=2, owner_id="other")
    assert await store.put_consumer(later)
    assert await store.get_consumer("notifier") == later


@on_engines_that_race
async def test_of_many_that_take_a_consumer_one_gets_it(store, replicas):
    stores = [store, replicas()]
    taken = await asyncio.gather(
        *(
            stores[index % 2].put_consumer(make_consumer(owner_id=f"replica-{index}"))
            for index in range(8)
        )
    )
    assert sum(taken) == 1
    found = await store.get_consumer("notifier")
    assert taken.index(True) == int(found.owner_id.removeprefix("replica-"))


async def test_an_episode_goes_version_by_version(store):
    episode = Episode(
        episode_id="cluster:c1",
        subject_kind=SubjectKind.CLUSTER,
        subject_id="c1",
        cause="silent",
        state=EpisodeState.OPEN,
        occurrences=1,
        first_event_id="e1",
        last_event_id="e1",
        external_refs={"linear": "OPS-1"},
        opened_at=NOW,
        version=1,
    )
    assert await store.get_episode("cluster:c1") is None
    assert await store.put_episode(episode)
    assert not await store.put_episode(episode)
    closed = replace(episode, state=EpisodeState.CLOSED, closed_at=NOW + SECOND, version=2)
    assert await store.put_episode(closed)
    assert await store.get_episode("cluster:c1") == closed


# --- snapshots ---


@pytest.mark.parametrize("size", [0, 1, 300 * 1024, 300 * 1024 + 1, 10 * 1024 * 1024])
async def test_a_snapshot_is_read_as_it_was_written(store, size):
    snapshot = Snapshot("scheduler", "cursor", (bytes(range(256)) * (size // 256 + 1))[:size], NOW)
    assert await store.get_snapshot("scheduler") is None
    await store.put_snapshot(snapshot)
    assert await store.get_snapshot("scheduler") == snapshot


async def test_a_snapshot_takes_the_place_of_the_one_before(store):
    await store.put_snapshot(Snapshot("s", "c1", b"x" * 1_000_000, NOW))
    for number in range(3):
        snapshot = Snapshot("s", "c2", bytes([number]) * 10, NOW + number * SECOND)
        await store.put_snapshot(snapshot)
        assert await store.get_snapshot("s") == snapshot
    assert await store.get_snapshot("t") is None


@on_engines_that_race
async def test_a_snapshot_that_is_replaced_while_it_is_read_is_read_whole(store, replicas):
    other = replicas()
    size = 700_000
    await store.put_snapshot(Snapshot("s", "0", b"0" * size, NOW))

    async def write():
        for number in range(1, 6):
            await other.put_snapshot(Snapshot("s", str(number), f"{number}".encode() * size, NOW))

    writing = asyncio.create_task(write())
    while not writing.done():
        found = await store.get_snapshot("s")
        assert found.data == found.cursor.encode() * size
    await writing


# --- deliveries ---


async def test_a_delivery_is_read_as_it_was_written(store):
    delivery = make_delivery()
    assert await store.get_delivery("d-1") is None
    assert await store.add_deliveries([delivery]) == 1
    assert await store.get_delivery("d-1") == delivery


async def test_deliveries_are_added_once(store):
    first = [make_delivery(f"d-{number}") for number in range(20)]
    assert await store.add_deliveries(first[:15]) == 15
    changed = replace(first[0], state=DeliveryState.DELIVERED, version=2)
    assert await store.put_delivery(changed)
    assert await store.add_deliveries(first) == 5
    assert await store.get_delivery("d-0") == changed


async def test_a_delivery_is_written_only_behind_the_version_that_is_there(store):
    delivery = make_delivery()
    await store.add_deliveries([delivery])
    claimed = replace(delivery, state=DeliveryState.CLAIMED, claim_token=1, version=2)
    assert not await store.put_delivery(replace(claimed, version=3))
    assert await store.put_delivery(claimed)
    assert not await store.put_delivery(claimed)
    assert not await store.put_delivery(make_delivery("d-2", version=2))


async def test_unfinished_deliveries_of_a_channel_come_by_the_time_they_are_due(store):
    def claimed(seconds):
        return {"state": DeliveryState.CLAIMED, "claim_expires_at": NOW + seconds * SECOND}

    def again(seconds):
        return {"next_attempt_at": NOW + seconds * SECOND}

    await store.add_deliveries(
        [
            make_delivery("later", **again(50)),
            make_delivery("claimed", **claimed(30)),
            make_delivery("new"),
            make_delivery("done", state=DeliveryState.DELIVERED),
            make_delivery("dead", state=DeliveryState.DEAD),
            make_delivery("folded", state=DeliveryState.FOLDED),
            make_delivery("told", state=DeliveryState.FOLDED, next_attempt_at=None),
            make_delivery("elsewhere", channel="slack"),
        ]
    )
    due = [delivery.delivery_id for delivery in await store.due_deliveries("sns", 10)]
    assert due == ["new", "claimed", "later"]
    first = await store.due_deliveries("sns", 2)
    assert [delivery.delivery_id for delivery in first] == ["new", "claimed"]
    assert first[1] == make_delivery("claimed", **claimed(30), event=first[1].event)


async def test_a_finished_delivery_is_not_due(store):
    delivery = make_delivery()
    await store.add_deliveries([delivery])
    await store.put_delivery(replace(delivery, state=DeliveryState.DELIVERED, version=2))
    assert list(await store.due_deliveries("sns", 10)) == []


async def test_deliveries_are_listed_newest_first_page_by_page(store):
    await store.add_deliveries(
        [
            make_delivery(
                f"d-{number:02}",
                channel="sns" if number % 2 else "slack",
                state=DeliveryState.DEAD if number % 3 == 0 else DeliveryState.PENDING,
                workset_id=f"ws-{number % 4}",
                created_at=NOW + number * SECOND,
            )
            for number in range(25)
        ]
    )

    async def listed(limit=4, **wanted):
        ids, after = [], None
        while True:
            page = await store.list_deliveries(DeliveryFilter(**wanted), after, limit)
            assert len(page.items) <= limit
            ids += [int(delivery.delivery_id[2:]) for delivery in page.items]
            after = page.next
            if after is None:
                return ids

    newest_first = list(range(24, -1, -1))
    assert await listed() == newest_first
    assert await listed(channel="sns") == [number for number in newest_first if number % 2]
    dead = frozenset({DeliveryState.DEAD})
    assert await listed(states=dead) == [number for number in newest_first if number % 3 == 0]
    assert await listed(workset_id="ws-1") == [n for n in newest_first if n % 4 == 1]
    assert await listed(workset_id="ws-9") == []


async def test_deliveries_of_one_moment_are_all_listed_once(store):
    await store.add_deliveries([make_delivery(f"d-{number}") for number in range(25)])
    ids, after = [], None
    while True:
        page = await store.list_deliveries(DeliveryFilter(), after, 4)
        ids += [delivery.delivery_id for delivery in page.items]
        after = page.next
        if after is None:
            break
    assert sorted(ids) == sorted(f"d-{number}" for number in range(25))


# --- the store itself ---


async def test_a_heartbeat_is_a_write_that_may_tell_the_time(store):
    for _ in range(2):
        found = await store.heartbeat("replica-1")
        assert found is None or found.tzinfo is not None


async def test_making_tables_again_changes_nothing(store):
    await store.put_consumer(make_consumer())
    await store.create_tables()
    assert await store.get_consumer("notifier") == make_consumer()


async def test_closing_twice_is_harmless(replicas):
    store = replicas()
    await store.heads()
    await store.close()
    await store.close()
