"""WatchEvents: where it starts, what it sends, and how it ends."""

import asyncio
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from daylily_runtime.testing import ManualClock
from tests.integration.state.asking import (
    URGENT,
    acquire,
    at,
    cancel,
    events,
    register,
    run,
)
from tests.integration.state.refusals import refusal, refused
from tests.integration.state.replicas import replica, settings_on_file
from tests.integration.state.watching import watching

REGISTERED = event_pb2.EVENT_TYPE_REGISTERED
IGNORED = event_pb2.EVENT_TYPE_IGNORED


def ids(found):
    return [event.workset_id for event in found]


async def test_from_the_beginning_means_every_event_in_order_per_workset(stub):
    for name in ("a", "b", "c"):
        await register(stub, name)
        await run(stub, name)
    async with watching(stub, from_beginning=True) as watch:
        found = await watch.to_the_end()
    assert len(found) == 9
    for name in ("a", "b", "c"):
        assert [event.version for event in found if event.workset_id == name] == [1, 2, 3]


async def test_without_a_start_it_begins_now(stub):
    await register(stub, "before")
    for request in ({}, {"from_beginning": False}):
        async with watching(stub, **request) as watch:
            assert not (await watch.next()).events
            name = f"after-{len(request)}"
            await register(stub, name)
            assert ids((await watch.next()).events) == [name]


async def test_an_event_of_the_feed_is_that_of_the_audit_trail(stub):
    async with watching(stub) as watch:
        await watch.next()
        await register(stub, "a", priority=URGENT, labels={"run": "R0"}, customer_id="acme")
        (event,) = (await watch.next()).events
    cursor, event.cursor = event.cursor, ""
    assert cursor == watch.cursor
    assert (await events(stub, "a")) == [event]


async def test_from_a_cursor_it_goes_on_right_after_it(stub):
    for number in range(10):
        await register(stub, f"w{number}")
    async with watching(stub, from_beginning=True) as watch:
        everything = await watch.to_the_end()
    for number, event in enumerate(everything):
        async with watching(stub, cursor=event.cursor) as watch:
            rest = await watch.to_the_end()
        assert [later.event_id for later in rest] == [
            later.event_id for later in everything[number + 1 :]
        ]


async def test_the_first_heartbeat_comes_at_the_end_and_then_one_every_20_s(still, clock):
    await register(still, "a")
    async with watching(still, from_beginning=True) as watch:
        await watch.to_the_end()
        first = watch.cursor
        beat = asyncio.create_task(watch.next())
        for _ in range(19):
            await clock.advance(1)
            await asyncio.sleep(0.01)
        assert not beat.done()
        await clock.advance(1.1)
        answer = await beat
        assert (list(answer.events), answer.cursor) == ([], first)


async def test_since_begins_with_the_first_event_of_that_time(still, clock):
    moments = []
    for number in range(40):
        moments.append(clock.now())
        await register(still, f"w{number}")
        clock.tick(10)
    for start in (0, 1, 7, 39):
        async with watching(still, since=at(moments[start])) as watch:
            found = await watch.to_the_end()
        assert sorted(ids(found)) == sorted(f"w{number}" for number in range(start, 40))
    for moment, count in (
        (moments[0] - timedelta(days=1000), 40),
        (datetime(1, 1, 1, tzinfo=UTC), 40),
        (clock.now(), 0),
        (datetime(9999, 1, 1, tzinfo=UTC), 0),
    ):
        async with watching(still, since=at(moment)) as watch:
            assert len(await watch.to_the_end()) == count


async def test_since_misses_nothing_when_the_clocks_of_replicas_differ(file, clock):
    """Two seconds are what clocks may differ by; a lane is then not quite in order of time."""
    behind = ManualClock(clock.now() - timedelta(seconds=2))
    async with (
        replica(settings_on_file(file), clock) as first,
        replica(settings_on_file(file), behind) as second,
    ):
        await register(first.stub, "a")
        for number in range(30):
            each = (first, second, second)[number % 3]
            await acquire(each.stub, "a", owner_id=f"m{number}", force=True)
            for time in (clock, behind):
                time.tick(0.3)
        everything = await events(first.stub, "a")
        for start in everything:
            moment = start.occurred_at.ToDatetime()
            wanted = {e.version for e in everything if e.occurred_at.ToDatetime() >= moment}
            async with watching(first.stub, since=start.occurred_at) as watch:
                await clock.advance(0.3)
                found = await watch.to_the_end()
            assert wanted <= {event.version for event in found}


async def test_a_consumer_begins_at_its_durable_position(stub):
    await register(stub, "a")
    held = await stub.AcquireConsumer(
        state_pb2.AcquireConsumerRequest(consumer="reader", owner_id="r1", start_at_end=True)
    )
    await register(stub, "b")
    async with watching(stub, consumer="reader") as watch:
        assert ids(await watch.to_the_end()) == ["b"]
        await stub.AckEvents(
            state_pb2.AckEventsRequest(
                consumer="reader", consumer_token=held.consumer_token, cursor=watch.cursor
            )
        )
    async with watching(stub, consumer="reader") as watch:
        assert await watch.to_the_end() == []


async def test_filters_choose_events_and_the_cursor_moves_on_over_the_others(still, clock):
    for name in ("a", "b"):
        await register(still, name)
        await acquire(still, name)
        await cancel(still, name)
    for request, expected in (
        ({"event_types": [REGISTERED]}, [("a", REGISTERED), ("b", REGISTERED)]),
        ({"workset_id": "b", "event_types": [REGISTERED, IGNORED]}, [("b", REGISTERED), ("b", IGNORED)]),
        ({"workset_id": "x"}, []),
        ({"event_types": [event_pb2.EVENT_TYPE_COMPLETED]}, []),
    ):  # fmt: skip
        async with watching(still, from_beginning=True, **request) as watch:
            found = await watch.to_the_end()
            assert sorted((event.workset_id, event.type) for event in found) == expected
        async with watching(still, cursor=watch.cursor) as rest:
            assert await rest.to_the_end() == []


async def test_a_heartbeat_tells_the_position_behind_events_that_were_not_wanted(still, clock):
    async with watching(still, workset_id="a") as watch:
        await watch.next()
        await register(still, "b")
        beat = asyncio.create_task(watch.next())
        await clock.advance(1)
        await clock.advance(20)
        assert not (await beat).events
    async with watching(still, cursor=watch.cursor) as rest:
        assert await rest.to_the_end() == []


async def test_a_position_is_good_after_a_restart(file):
    async with replica(settings_on_file(file)) as first:
        await register(first.stub, "a")
        async with watching(first.stub, from_beginning=True) as watch:
            await watch.to_the_end()
        await register(first.stub, "b")
    async with (
        replica(settings_on_file(file)) as second,
        watching(second.stub, cursor=watch.cursor) as resumed,
    ):
        assert ids(await resumed.to_the_end()) == ["b"]
        await register(second.stub, "c")
        assert ids((await resumed.next()).events) == ["c"]


async def publish(stub, subject_id):
    subject = event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_SYSTEM, id=subject_id)
    await stub.PublishEvent(
        state_pb2.PublishEventRequest(subject=subject, type=event_pb2.EVENT_TYPE_EXTERNAL)
    )


async def test_a_watcher_that_is_far_behind_misses_nothing_and_is_told_a_part_at_a_time(stub):
    """520 of a lane are more than is kept in memory; 850 in all are too many for one answer."""
    counts = {"one": 520, "two": 110, "three": 110, "four": 110}
    async with watching(stub, from_beginning=True) as slow:
        await slow.next()
        for name, count in counts.items():
            await asyncio.gather(*(publish(stub, name) for _ in range(count)))
        sizes = []
        while len(slow.events) < 850:
            sizes.append(len((await slow.next()).events))
    assert max(sizes) <= 500
    assert len({event.event_id for event in slow.events}) == 850


async def test_a_watcher_that_does_not_read_hinders_nobody(stub):
    async with watching(stub, from_beginning=True) as deaf, watching(stub) as awake:
        await awake.next()
        for number in range(200):
            await register(stub, f"w{number:03}", labels={"x": "y" * 63})
        assert len(await awake.until(200)) == 200
        assert len(await deaf.until(200)) == 200


async def test_a_stopping_server_ends_watches_with_words(file):
    async with replica(settings_on_file(file)) as state:
        async with watching(state.stub) as watch:
            await watch.next()
            stopping = asyncio.create_task(state.server.stop())
            with pytest.raises(grpc.aio.AioRpcError) as ended:
                await watch.next()
            await stopping
        assert (ended.value.code(), refusal(ended.value).reason) == (
            grpc.StatusCode.UNAVAILABLE,
            "STOPPING",
        )


async def test_a_cursor_of_the_future_is_refused(file, tmp_path):
    async with replica(settings_on_file(tmp_path / "other.db")) as other:
        for number in range(40):
            await register(other.stub, f"w{number}")
        async with watching(other.stub, from_beginning=True) as watch:
            await watch.to_the_end()
    async with replica(settings_on_file(file)) as state:
        await register(state.stub, "a")
        refusal_ = await refused(watching_once(state.stub, cursor=watch.cursor))
        assert (refusal_.code, refusal_.reason) == (
            grpc.StatusCode.INVALID_ARGUMENT,
            "INVALID_CURSOR",
        )
        assert refusal_.metadata == {"field": "cursor"}


async def watching_once(stub, **request):
    async with watching(stub, **request) as watch:
        return await watch.next()


WRONG = [
    ({"cursor": ""}, "INVALID_CURSOR", None),
    ({"cursor": "nonsense"}, "INVALID_CURSOR", None),
    ({"cursor": "é"}, "INVALID_CURSOR", None),
    ({"cursor": "A" * 100_000}, "INVALID_CURSOR", None),
    ({"consumer": "nobody"}, "CONSUMER_NOT_FOUND", None),
    ({"consumer": ""}, "INVALID_FIELD", "consumer"),
    ({"consumer": "c" * 3000}, "INVALID_FIELD", "consumer"),
    ({"since": Timestamp(seconds=2**62)}, "INVALID_FIELD", "since"),
    ({"event_types": [0]}, "INVALID_FIELD", "event_types[0]"),
    ({"event_types": [REGISTERED, 99]}, "INVALID_FIELD", "event_types[1]"),
    ({"workset_id": "a b"}, "INVALID_FIELD", "workset_id"),
]


async def test_a_wrong_start_is_refused(stub):
    for request_, reason, path in WRONG:
        found = await refused(watching_once(stub, **request_))
        assert found.reason == reason
        if path:
            assert set(found.violations) == {path}
