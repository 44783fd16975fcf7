"""The records that state keeps for other services: snapshots, deliveries, episodes."""

import asyncio
from datetime import timedelta

import grpc
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import delivery_pb2, event_pb2
from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp

from tests.integration.state.asking import at, register, seconds, struct
from tests.integration.state.refusals import refused
from tests.integration.state.watching import watching

PENDING = delivery_pb2.DELIVERY_STATE_PENDING
CLAIMED = delivery_pb2.DELIVERY_STATE_CLAIMED
DELIVERED = delivery_pb2.DELIVERY_STATE_DELIVERED
DEAD = delivery_pb2.DELIVERY_STATE_DEAD
FOLDED = delivery_pb2.DELIVERY_STATE_FOLDED
OPEN = delivery_pb2.EPISODE_STATE_OPEN
CLOSED = delivery_pb2.EPISODE_STATE_CLOSED
SYSTEM = event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_SYSTEM, id="lab")


# --- snapshots ---


async def put_snapshot(stub, name="scheduler", **fields):
    await stub.PutSnapshot(state_pb2.PutSnapshotRequest(name=name, **fields))


async def snapshot(stub, name="scheduler"):
    return await stub.GetSnapshot(state_pb2.GetSnapshotRequest(name=name))


async def test_a_snapshot_replaces_the_one_before(still, clock):
    await put_snapshot(still, data=b"\x00\xff" * 10)
    clock.tick(5)
    await put_snapshot(still, data=b"second")
    found = await snapshot(still)
    assert (found.name, found.data, found.cursor) == ("scheduler", b"second", "")
    assert found.written_at.ToDatetime() == clock.now().replace(tzinfo=None)


async def test_a_snapshot_goes_with_a_position_of_the_feed(still):
    cursor = (await still.GetQueueDepth(state_pb2.GetQueueDepthRequest())).cursor
    await put_snapshot(still, cursor=cursor, data=b"x")
    assert (await snapshot(still)).cursor == cursor
    refusal = await refused(put_snapshot(still, cursor="nonsense", data=b"y"))
    assert refusal.reason == "INVALID_CURSOR"
    assert (await snapshot(still)).data == b"x"


async def test_a_snapshot_has_3_mib_at_most(still):
    await put_snapshot(still, data=b"x" * 3 * 1024 * 1024)
    assert len((await snapshot(still)).data) == 3 * 1024 * 1024
    refusal = await refused(put_snapshot(still, data=b"x" * (3 * 1024 * 1024 + 1)))
    assert set(refusal.violations) == {"data"}


async def test_a_snapshot_that_nobody_wrote(still):
    refusal = await refused(snapshot(still, "nothing"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "SNAPSHOT_NOT_FOUND")
    for call in (snapshot(still, "a b"), put_snapshot(still, ""), put_snapshot(still, "n" * 65)):
        assert set((await refused(call)).violations) == {"name"}


# --- deliveries ---


def delivery(delivery_id, channel="lab", **fields):
    event = event_pb2.Event(
        event_id=f"e-{delivery_id}",
        subject=SYSTEM,
        type=event_pb2.EVENT_TYPE_EXTERNAL,
        reason="told",
        labels={"a": "b"},
        details=struct(n=1),
    )
    return delivery_pb2.Delivery(
        **{"delivery_id": delivery_id, "channel": channel, "event": event, **fields}
    )


async def record(stub, *deliveries, **fields):
    answer = await stub.PutDeliveries(
        state_pb2.PutDeliveriesRequest(deliveries=deliveries, **fields)
    )
    return answer.recorded


async def claim(stub, owner_id="n1", channel="lab", **fields):
    return await stub.ClaimDeliveries(
        state_pb2.ClaimDeliveriesRequest(channel=channel, owner_id=owner_id, **fields)
    )


async def mark(stub, delivery_id, claim_token, state, **fields):
    answer = await stub.UpdateDelivery(
        state_pb2.UpdateDeliveryRequest(
            delivery_id=delivery_id, claim_token=claim_token, state=state, **fields
        )
    )
    return answer.delivery


async def listed(stub, page_size=100, **filters):
    found, token = [], ""
    while True:
        answer = await stub.ListDeliveries(
            state_pb2.ListDeliveriesRequest(page_size=page_size, page_token=token, **filters)
        )
        found += answer.deliveries
        token = answer.next_page_token
        if not token:
            return found


def ids(deliveries):
    return [each.delivery_id for each in deliveries]


async def test_a_delivery_that_nobody_is_to_send_is_recorded_and_never_due(still):
    assert await record(still, delivery("d1", state=FOLDED, answer="a repeat")) == 1
    (kept,) = await listed(still, states=[FOLDED])
    assert kept.answer == "a repeat"
    assert not kept.HasField("next_attempt_at")
    assert not (await claim(still)).deliveries
    refusal = await refused(record(still, delivery("d2", state=DELIVERED)))
    assert set(refusal.violations) == {"deliveries[0].state"}


async def test_a_delivery_is_recorded_once_and_stays_as_it_is(still):
    given = delivery("d1", dedup_key="k", episode_id="ep-1")
    assert await record(still, given, delivery("d2")) == 2
    assert await record(still, delivery("d1", dedup_key="other"), delivery("d3")) == 1
    found = {each.delivery_id: each for each in await listed(still)}
    assert set(found) == {"d1", "d2", "d3"}
    assert (found["d1"].state, found["d1"].dedup_key) == (PENDING, "k")
    assert (found["d1"].episode_id, found["d1"].attempts) == ("ep-1", 0)
    kept = found["d1"].event
    kept.ClearField("occurred_at")
    assert kept == given.event


async def test_deliveries_are_recorded_before_their_events_are_acknowledged(still):
    await register(still, "ws-1")
    held = await still.AcquireConsumer(
        state_pb2.AcquireConsumerRequest(consumer="notifier", owner_id="n1")
    )
    async with watching(still, consumer="notifier") as watch:
        await watch.to_the_end()
    fields = {"consumer": "notifier", "cursor": watch.cursor}
    refusal = await refused(
        record(still, delivery("d1"), consumer_token=held.consumer_token + 1, **fields)
    )
    assert refusal.reason == "CONSUMER_LOST"
    await record(still, delivery("d1"), consumer_token=held.consumer_token, **fields)
    async with watching(still, consumer="notifier") as watch:
        assert await watch.to_the_end() == []


async def test_what_is_due_is_claimed_oldest_first_and_by_one(still, clock):
    for name in ("d1", "d2", "d3"):
        await record(still, delivery(name))
        clock.tick(1)
    await record(still, delivery("later", next_attempt_at=at(clock.now() + timedelta(hours=1))))
    await record(still, delivery("elsewhere", channel="other"))
    first = await claim(still, "n1", limit=2, lease=seconds(60))
    assert ids(first.deliveries) == ["d1", "d2"]
    assert [(each.state, each.claimed_by, each.attempts) for each in first.deliveries] == [
        (CLAIMED, "n1", 1)
    ] * 2
    second = await claim(still, "n2", limit=10)
    assert ids(second.deliveries) == ["d3"]
    assert second.next_due_at == first.deliveries[0].claim_expires_at
    assert ids((await claim(still, "n2")).deliveries) == []


async def test_a_claim_that_ran_out_is_due_again_and_the_old_one_is_fenced_off(still, clock):
    await record(still, delivery("d1"))
    old = (await claim(still, "n1", lease=seconds(10))).deliveries[0]
    clock.tick(11)
    new = (await claim(still, "n2")).deliveries[0]
    assert (new.claim_token, new.attempts) == (old.claim_token + 1, 2)
    refusal = await refused(mark(still, "d1", old.claim_token, DELIVERED))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "CLAIM_LOST")
    after = await mark(still, "d1", new.claim_token, DELIVERED)
    assert after.state == DELIVERED


async def test_an_attempt_is_recorded_with_what_came_of_it(still, clock):
    await record(still, delivery("d1"))
    for attempt, state in enumerate((PENDING, PENDING, DEAD), start=1):
        (claimed,) = (await claim(still)).deliveries
        after = await mark(
            still,
            "d1",
            claimed.claim_token,
            state,
            answer=f"503 number {attempt}",
            latency=seconds(0.25),
            external_ref="msg-1" if attempt == 1 else "",
            next_attempt_at=at(clock.now() + timedelta(seconds=30)),
        )
        assert (after.state, after.attempts, after.answer) == (
            state,
            attempt,
            f"503 number {attempt}",
        )
        assert (after.external_ref, after.latency) == ("msg-1", seconds(0.25))
        assert not (await claim(still)).deliveries
        clock.tick(31)
    assert not (await claim(still)).HasField("next_due_at")
    again = await mark(still, "d1", 0, PENDING)
    assert (again.state, again.attempts) == (PENDING, 0)
    assert ids((await claim(still)).deliveries) == ["d1"]


async def test_without_a_claim_only_what_is_finished_is_set_pending_again(still):
    await record(still, delivery("d1"))
    for state in (PENDING, DELIVERED, DEAD, FOLDED):
        assert (await refused(mark(still, "d1", 0, state))).reason == "CLAIM_LOST"
    (claimed,) = (await claim(still)).deliveries
    assert (await refused(mark(still, "d1", 0, PENDING))).reason == "CLAIM_LOST"
    await mark(still, "d1", claimed.claim_token, DELIVERED)
    assert (await refused(mark(still, "d1", claimed.claim_token, DEAD))).reason == "CLAIM_LOST"
    assert (await refused(mark(still, "d1", 0, DEAD))).reason == "CLAIM_LOST"
    refusal = await refused(mark(still, "d9", 1, DELIVERED))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "DELIVERY_NOT_FOUND")


async def test_of_many_claimers_each_delivery_goes_to_one(stub):
    await record(stub, *(delivery(f"d{number}") for number in range(25)))
    answers = await asyncio.gather(*(claim(stub, f"n{n}", limit=10) for n in range(8)))
    taken = [name for answer in answers for name in ids(answer.deliveries)]
    taken += ids((await claim(stub, limit=25)).deliveries)
    assert sorted(taken) == sorted(f"d{number}" for number in range(25))


async def test_deliveries_are_listed_newest_first_by_channel_state_and_workset(still, clock):
    about = event_pb2.Event(
        event_id="e",
        subject=event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_WORKSET, id="ws-1"),
        workset_id="ws-1",
        type=event_pb2.EVENT_TYPE_COMPLETED,
    )
    for name, channel in (("d1", "lab"), ("d2", "ops"), ("d3", "lab")):
        fields = {"event": about} if name == "d3" else {}
        await record(still, delivery(name, channel, **fields))
        clock.tick(1)
    (claimed,) = (await claim(still, limit=1)).deliveries
    await mark(still, "d1", claimed.claim_token, DEAD)
    for filters, expected in (
        ({}, ["d3", "d2", "d1"]),
        ({"channel": "lab"}, ["d3", "d1"]),
        ({"states": [DEAD]}, ["d1"]),
        ({"states": [DEAD, PENDING]}, ["d3", "d2", "d1"]),
        ({"workset_id": "ws-1"}, ["d3"]),
        ({"channel": "nothing"}, []),
    ):
        for page_size in (100, 1):
            assert ids(await listed(still, page_size, **filters)) == expected


EVENT = "deliveries[0].event"


WRONG_DELIVERIES = [
    (delivery(""), "deliveries[0].delivery_id"),
    (delivery("a b"), "deliveries[0].delivery_id"),
    (delivery("d1", ""), "deliveries[0].channel"),
    (delivery("d1", dedup_key="k" * 129), "deliveries[0].dedup_key"),
    (delivery("d1", episode_id="a b"), "deliveries[0].episode_id"),
    (delivery("d1", next_attempt_at=Timestamp(seconds=2**60)), "deliveries[0].next_attempt_at"),
    (delivery("d1", next_attempt_at=Timestamp(seconds=-(10**10))), "deliveries[0].next_attempt_at"),
    (delivery("d1", event=event_pb2.Event(subject=SYSTEM, type=50)), f"{EVENT}.event_id"),
    (delivery("d1", event=event_pb2.Event(event_id="e", subject=SYSTEM)), f"{EVENT}.type"),
    (
        delivery("d1", event=event_pb2.Event(event_id="e", subject=SYSTEM, type=99)),
        f"{EVENT}.type",
    ),
    (
        delivery("d1", event=event_pb2.Event(event_id="e", type=50)),
        f"{EVENT}.subject.kind",
    ),
    (
        delivery(
            "d1",
            event=event_pb2.Event(event_id="e", subject=SYSTEM, type=50, reason="r" * 5000),
        ),
        EVENT,
    ),
    (
        delivery(
            "d1",
            event=event_pb2.Event(
                event_id="e", subject=SYSTEM, type=50, details=struct(a=float("nan"))
            ),
        ),
        f"{EVENT}.details",
    ),
]


async def test_a_wrong_delivery_is_refused_and_none_is_recorded(still):
    for given, path in WRONG_DELIVERIES:
        refusal = await refused(record(still, given, delivery("good")))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert path in refusal.violations
        assert await listed(still) == []


async def test_wrong_calls_on_deliveries_are_refused(still):
    await record(still, delivery("d1"))
    wrong = [
        (record(still, *(delivery(f"d{number}") for number in range(26))), "deliveries"),
        (record(still, delivery("d2"), cursor="x"), "consumer"),
        (record(still, delivery("d2"), consumer="a b", cursor="x"), "consumer"),
        (claim(still, channel=""), "channel"),
        (claim(still, owner_id=""), "owner_id"),
        (claim(still, limit=101), "limit"),
        (claim(still, lease=seconds(0.5)), "lease"),
        (claim(still, lease=seconds(3601)), "lease"),
        (claim(still, lease=Duration(seconds=2**62)), "lease"),
        (mark(still, "a b", 1, DEAD), "delivery_id"),
        (mark(still, "d1", 1, 0), "state"),
        (mark(still, "d1", 1, 9), "state"),
        (mark(still, "d1", 1, CLAIMED), "state"),
        (mark(still, "d1", 1, DEAD, answer="a" * 1025), "answer"),
        (mark(still, "d1", 1, DEAD, external_ref="a" * 1025), "external_ref"),
        (mark(still, "d1", 1, DEAD, episode_id="a b"), "episode_id"),
        (mark(still, "d1", 1, DEAD, latency=Duration(seconds=2**62)), "latency"),
        (mark(still, "d1", 1, DEAD, latency=seconds(-1)), "latency"),
        (
            mark(still, "d1", 1, PENDING, next_attempt_at=Timestamp(seconds=2**60)),
            "next_attempt_at",
        ),
        (
            mark(still, "d1", 1, PENDING, next_attempt_at=Timestamp(seconds=-(10**10))),
            "next_attempt_at",
        ),
        (listed(still, states=[0]), "states[0]"),
        (listed(still, workset_id="a b"), "workset_id"),
        (listed(still, channel="a b"), "channel"),
    ]
    for call, path in wrong:
        refusal = await refused(call)
        assert refusal.code == grpc.StatusCode.INVALID_ARGUMENT, path
        assert set(refusal.violations) == {path}


# --- episodes ---


def episode(**fields):
    return delivery_pb2.Episode(
        **{
            "episode_id": "ep-1",
            "subject": SYSTEM,
            "cause": "backlog",
            "state": OPEN,
            **fields,
        }
    )


async def put_episode(stub, given):
    return (await stub.PutEpisode(state_pb2.PutEpisodeRequest(episode=given))).episode


async def get_episode(stub, episode_id="ep-1"):
    answer = await stub.GetEpisode(state_pb2.GetEpisodeRequest(episode_id=episode_id))
    return answer.episode


async def test_an_episode_is_written_if_nobody_did_meanwhile(still, clock):
    given = episode(
        occurrences=3,
        first_event_id="e1",
        last_event_id="e3",
        external_refs={"slack": "https://example.org/thread/1"},
        opened_at=at(clock.now()),
    )
    first = await put_episode(still, given)
    given.version = 1
    assert first == given
    assert await get_episode(still) == first
    closed = await put_episode(still, episode(state=CLOSED, version=1, closed_at=at(clock.now())))
    assert (closed.version, closed.state) == (2, CLOSED)
    for version in (0, 1, 3, 2**32 - 1):
        refusal = await refused(put_episode(still, episode(version=version)))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.ABORTED, "VERSION_MISMATCH")
        assert refusal.metadata == {"expected": str(version), "actual": "2"}
    assert await get_episode(still) == closed


async def test_of_many_writers_of_an_episode_one_wins(stub):
    answers = await asyncio.gather(
        *(put_episode(stub, episode()) for _ in range(8)), return_exceptions=True
    )
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1


async def test_an_episode_that_nobody_wrote(still):
    refusal = await refused(get_episode(still, "ep-9"))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.NOT_FOUND, "EPISODE_NOT_FOUND")
    assert set((await refused(get_episode(still, "a b"))).violations) == {"episode_id"}


WRONG_EPISODES = [
    ({"episode_id": ""}, "episode.episode_id"),
    ({"subject": None}, "episode.subject.kind"),
    ({"subject": event_pb2.Subject(kind=4, id="s" * 129)}, "episode.subject.id"),
    ({"cause": "c" * 65}, "episode.cause"),
    ({"state": 0}, "episode.state"),
    ({"state": 3}, "episode.state"),
    ({"external_refs": {f"c{number}": "x" for number in range(65)}}, "episode.external_refs"),
    ({"external_refs": {"a b": "x"}}, "episode.external_refs"),
    ({"external_refs": {"c": "x" * 1025}}, "episode.external_refs.c"),
    ({"first_event_id": "e" * 129}, "episode.first_event_id"),
    ({"last_event_id": "e" * 129}, "episode.last_event_id"),
    ({"opened_at": Timestamp(seconds=2**60)}, "episode.opened_at"),
]


async def test_a_wrong_episode_is_refused(still):
    for fields, path in WRONG_EPISODES:
        refusal = await refused(put_episode(still, episode(**fields)))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.INVALID_ARGUMENT, "INVALID_FIELD")
        assert path in refusal.violations
