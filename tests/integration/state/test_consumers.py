"""Named consumers of the feed: one holder at a time, and a position that never goes back."""

import asyncio
from datetime import UTC, datetime

import grpc
import pytest
from daylily.state.v1 import state_pb2

from daylily_state.domain.cursor import encode
from daylily_state.domain.records import Consumer
from daylily_state.store.sqlite import SqliteStore
from tests.integration.state.asking import complete, get, register
from tests.integration.state.refusals import refused
from tests.integration.state.replicas import replica, settings_on_file
from tests.integration.state.watching import watching


async def take(stub, owner_id, consumer="reader", **fields):
    return await stub.AcquireConsumer(
        state_pb2.AcquireConsumerRequest(consumer=consumer, owner_id=owner_id, **fields)
    )


async def renew(stub, token, consumer="reader"):
    return await stub.RenewConsumer(
        state_pb2.RenewConsumerRequest(consumer=consumer, consumer_token=token)
    )


async def let_go(stub, token, consumer="reader"):
    return await stub.ReleaseConsumer(
        state_pb2.ReleaseConsumerRequest(consumer=consumer, consumer_token=token)
    )


async def ack(stub, token, cursor, consumer="reader"):
    answer = await stub.AckEvents(
        state_pb2.AckEventsRequest(consumer=consumer, consumer_token=token, cursor=cursor)
    )
    return answer.cursor


async def everything(stub):
    """The whole feed; each event has the position right after it."""
    async with watching(stub, from_beginning=True) as watch:
        return await watch.to_the_end()


async def unread(stub):
    async with watching(stub, consumer="reader") as watch:
        return len(await watch.to_the_end())


async def test_one_holder_at_a_time(still):
    await take(still, "n1")
    refusal = await refused(take(still, "n2"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.FAILED_PRECONDITION, "CONSUMER_HELD")
    assert refusal.metadata == {"consumer": "reader", "owner_id": "n1"}
    assert refusal.retry_after == 10


async def test_another_takes_over_when_the_lease_is_over_and_the_old_one_is_fenced_off(
    still, clock
):
    await register(still, "a")
    old = await take(still, "n1")
    cursor = (await everything(still))[-1].cursor
    clock.tick(10.1)
    new = await take(still, "n2")
    assert new.consumer_token == old.consumer_token + 1
    for call in (
        renew(still, old.consumer_token),
        ack(still, old.consumer_token, cursor),
        let_go(still, old.consumer_token),
        still.PutDeliveries(
            state_pb2.PutDeliveriesRequest(
                consumer="reader", consumer_token=old.consumer_token, cursor=cursor
            )
        ),
    ):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "CONSUMER_LOST")
    assert await unread(still) == 1
    await ack(still, new.consumer_token, cursor)
    assert await unread(still) == 0


async def test_renewing_makes_the_lease_last(still, clock):
    held = await take(still, "n1")
    for _ in range(5):
        clock.tick(8)
        await renew(still, held.consumer_token)
        assert (await refused(take(still, "n2"))).reason == "CONSUMER_HELD"
    clock.tick(30)
    await renew(still, held.consumer_token)  # nobody took it
    assert (await refused(take(still, "n2"))).reason == "CONSUMER_HELD"


async def test_letting_go_lets_another_take_over_at_once(still):
    held = await take(still, "n1")
    await let_go(still, held.consumer_token)
    assert (await refused(renew(still, held.consumer_token))).reason == "CONSUMER_LOST"
    assert (await take(still, "n2")).consumer_token == held.consumer_token + 1


async def test_the_same_owner_may_take_it_again_as_its_answer_may_be_lost(still):
    first = await take(still, "n1")
    second = await take(still, "n1")
    assert (await refused(renew(still, first.consumer_token))).reason == "CONSUMER_LOST"
    await renew(still, second.consumer_token)


async def test_a_new_consumer_begins_at_the_beginning_or_at_the_end(still):
    await register(still, "a")
    await take(still, "n1", "from-start")
    await take(still, "n1", "from-end", start_at_end=True)
    async with watching(still, consumer="from-start") as watch:
        assert len(await watch.to_the_end()) == 1
    async with watching(still, consumer="from-end") as watch:
        assert await watch.to_the_end() == []
    again = await take(still, "n1", "from-start", start_at_end=True)
    async with watching(still, cursor=again.cursor) as watch:
        assert len(await watch.to_the_end()) == 1


async def test_a_position_merges_by_maximum_and_never_goes_back(still):
    for number in range(20):
        await register(still, f"w{number}")
    held = await take(still, "n1")
    found = await everything(still)
    half, last = found[9].cursor, found[-1].cursor
    assert await ack(still, held.consumer_token, half) == half
    assert await ack(still, held.consumer_token, last) == last
    assert await ack(still, held.consumer_token, half) == last
    assert await ack(still, held.consumer_token, found[0].cursor) == last
    assert await unread(still) == 0


async def test_a_position_ahead_of_a_restored_feed_comes_back_to_its_end(file):
    """Tables may be restored from different times; nobody is shut out by that."""
    store = SqliteStore(file)
    await store.create_tables()
    for name in ("reader", "state.dependencies"):
        ended = datetime(2026, 1, 1, tzinfo=UTC)
        await store.put_consumer(Consumer(name, "", 1, ended, (7,) * 16, version=1))
    await store.close()
    async with replica(settings_on_file(file)) as state:
        await take(state.stub, "n1")
        assert await unread(state.stub) == 0
        await register(state.stub, "a")
        assert await unread(state.stub) == 1
        await register(state.stub, "b", depends_on=["a"])
        await complete(state.stub, "a")
        async with asyncio.timeout(30):
            while not (await get(state.stub, "b")).dependencies_met:  # noqa: ASYNC110
                await asyncio.sleep(0.02)


async def test_of_many_that_want_it_one_gets_it(stub):
    answers = await asyncio.gather(
        *(take(stub, f"n{number}") for number in range(16)), return_exceptions=True
    )
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1


async def test_acknowledgements_at_once_add_up(stub):
    for number in range(10):
        await register(stub, f"w{number}")
    held = await take(stub, "n1")
    found = await everything(stub)
    await asyncio.gather(*(ack(stub, held.consumer_token, event.cursor) for event in found[:8]))
    assert await ack(stub, held.consumer_token, found[0].cursor) == found[7].cursor


async def test_an_unknown_consumer(still):
    cursor = (await still.GetQueueDepth(state_pb2.GetQueueDepthRequest())).cursor
    for call in (renew(still, 1), let_go(still, 1), ack(still, 1, cursor)):
        refusal = await refused(call)
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "CONSUMER_NOT_FOUND")


@pytest.mark.parametrize("cursor", ["", "nonsense", "é" * 10])
async def test_only_a_cursor_can_be_acknowledged(still, cursor):
    held = await take(still, "n1")
    refusal = await refused(ack(still, held.consumer_token, cursor))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_CURSOR")


async def test_a_cursor_of_the_future_cannot_be_acknowledged(still, tmp_path):
    held = await take(still, "n1")
    for beyond in ((1,) + (0,) * 15, (2**62,) * 16, (2**70 - 1,) * 16):
        refusal = await refused(ack(still, held.consumer_token, encode(beyond)))
        assert refusal.reason == "INVALID_CURSOR"


WRONG = [
    ({"consumer": ""}, "consumer"),
    ({"consumer": "a b"}, "consumer"),
    ({"consumer": "c" * 65}, "consumer"),
    ({"owner_id": ""}, "owner_id"),
    ({"owner_id": "o" * 129}, "owner_id"),
]


async def test_a_wrong_field_is_named(still):
    for fields, path in WRONG:
        refusal = await refused(take(still, **{"owner_id": "n1", **fields}))
        assert set(refusal.violations) == {path}


async def test_the_consumers_and_snapshots_of_state_itself_are_not_for_others(still):
    cursor = (await still.GetQueueDepth(state_pb2.GetQueueDepthRequest())).cursor
    own = "state.dependencies"
    for call, path in (
        (take(still, "me", own), "consumer"),
        (renew(still, 1, own), "consumer"),
        (let_go(still, 1, own), "consumer"),
        (ack(still, 1, cursor, own), "consumer"),
        (
            still.PutDeliveries(
                state_pb2.PutDeliveriesRequest(consumer=own, consumer_token=1, cursor=cursor)
            ),
            "consumer",
        ),
        (
            still.PutSnapshot(state_pb2.PutSnapshotRequest(name="state.counts", data=b"x")),
            "name",
        ),
    ):
        assert set((await refused(call)).violations) == {path}
