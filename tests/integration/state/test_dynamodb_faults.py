"""The DynamoDB store behind a network that fails: what was written is known, or said to be unknown."""

import asyncio
import json
import threading
import time
from datetime import timedelta

import pytest
from pynamodb.exceptions import TransactWriteError

from daylily_state.domain.commit import (
    Clash,
    ClusterChange,
    ClusterGuard,
    ClusterWrite,
    Committed,
    Conflict,
)
from daylily_state.domain.errors import OutcomeUnknownError, StoreUnavailableError
from daylily_state.domain.filters import DeliveryFilter, WorksetFilter
from daylily_state.domain.model import LANES, Amount, Priority
from daylily_state.domain.records import Consumer, Snapshot
from daylily_state.ports import ProgressPatch, ReadSet, Touch
from daylily_state.store.dynamodb import DynamoDBStore
from tests.support.dynamodb_local import DynamoDBLocal
from tests.support.faulty_proxy import (
    Answer,
    Exchange,
    FaultyProxy,
    answer,
    drop_answer,
    drop_request,
    hold,
    run_faulty_proxy,
    server_error,
    throttle,
)
from tests.support.state_rows import (
    LEASE,
    NOW,
    ONE,
    apply_change,
    change,
    commit,
    load,
    lock,
    make_cluster,
    make_workset,
    register,
    with_event,
)
from tests.support.stores import dynamodb_settings, own_prefix

TRANSACTION = "TransactWriteItems"


@pytest.fixture
def proxy(dynamodb_local: DynamoDBLocal):
    with run_faulty_proxy(dynamodb_local.endpoint_url) as proxy:
        yield proxy


@pytest.fixture
async def stores(dynamodb_local: DynamoDBLocal, proxy: FaultyProxy):
    """A store behind the proxy, and another one, on the same tables, that sees no faults."""
    prefix = own_prefix()
    well = DynamoDBStore(dynamodb_settings(dynamodb_local, prefix))
    behind = DynamoDBStore(dynamodb_settings(dynamodb_local, prefix, url=proxy.url))
    await well.create_tables()
    yield behind, well
    await behind.close()
    await well.close()


@pytest.fixture
def store(stores):
    return stores[0]


@pytest.fixture
def well(stores):
    return stores[1]


async def events_of(store, workset):
    return await store.read_lane(workset.lane, 0, 100, strong=True)


# --- commits ---


async def test_an_answer_lost_after_the_commit_is_resolved_as_committed_once(proxy, store, well):
    workset = await register(store, make_workset())
    made = await change(store, workset, priority=Priority.LOW)
    proxy.once(drop_answer, operation=TRANSACTION)
    assert await commit(store, made) == Committed()
    assert (await load(well, "ws-1")).version == 2
    assert [event.version for event in await events_of(well, workset)] == [1, 2]


async def test_every_answer_lost_and_still_committed_once(proxy, store, well):
    """No transaction is ever answered: the event's slot tells."""
    workset = await register(store, make_workset())
    made = await change(store, workset, priority=Priority.LOW)
    with proxy.always(drop_answer, operation=TRANSACTION):
        assert await commit(store, made) == Committed()
    assert [event.version for event in await events_of(well, workset)] == [1, 2]


async def test_a_request_lost_before_the_commit_is_sent_again(proxy, store, well):
    workset = await register(store, make_workset())
    proxy.once(drop_request, operation=TRANSACTION, times=2)
    await apply_change(store, workset, priority=Priority.LOW)
    assert (await load(well, "ws-1")).priority is Priority.LOW


async def test_a_server_error_is_an_unknown_outcome_and_is_resolved(proxy, store, well):
    workset = await register(store, make_workset())
    proxy.once(server_error, operation=TRANSACTION, times=2)
    await apply_change(store, workset)
    assert [event.version for event in await events_of(well, workset)] == [1, 2]


async def test_an_answer_lost_after_a_conflict_is_a_conflict(proxy, store, well):
    workset = await register(store, make_workset())
    late = await change(store, workset, priority=Priority.LOW)
    await apply_change(well, workset, priority=Priority.URGENT)
    proxy.once(drop_answer, operation=TRANSACTION)
    outcome = await commit(store, late)
    assert isinstance(outcome, Conflict)
    assert Clash.SLOT in outcome.clashes
    assert (await load(well, "ws-1")).priority is Priority.URGENT


async def test_a_writer_held_between_its_decision_and_its_commit_gets_a_conflict(
    proxy, store, well
):
    """It decided on a slot, then its requests hung; meanwhile another took the slot."""
    workset = await register(store, make_workset())
    late = await change(store, workset, priority=Priority.LOW)
    gate = threading.Event()
    with proxy.always(hold(gate), operation=TRANSACTION):
        held = asyncio.create_task(store.commit(late, timedelta(seconds=10)))
        await asyncio.sleep(0.2)
        await apply_change(well, workset, priority=Priority.URGENT)
        outcome = await held
    gate.set()
    assert isinstance(outcome, Conflict)
    await asyncio.sleep(0.5)  # what was held arrives now, and must not land
    assert (await load(well, "ws-1")).priority is Priority.URGENT
    assert [event.version for event in await events_of(well, workset)] == [1, 2]


async def test_a_first_attempt_that_arrives_after_its_resend_lands_once(proxy, store, well):
    workset = await register(store, make_workset())
    gate = threading.Event()
    proxy.once(hold(gate), operation=TRANSACTION)
    after = await apply_change(store, workset, priority=Priority.LOW)
    await apply_change(store, after, priority=Priority.URGENT)
    gate.set()
    await asyncio.sleep(0.5)
    assert (await load(well, "ws-1")).priority is Priority.URGENT
    assert [event.version for event in await events_of(well, workset)] == [1, 2, 3]


async def test_out_of_time_the_outcome_is_said_to_be_unknown(proxy, store, well):
    workset = await register(store, make_workset())
    made = await change(store, workset)
    gate = threading.Event()
    with proxy.always(hold(gate), operation=TRANSACTION):
        began = time.monotonic()
        with pytest.raises(OutcomeUnknownError, match=made.event.event_id) as raised:
            await store.commit(made, timedelta(seconds=2.5))
        assert time.monotonic() - began < 3.5
    assert raised.value.retry_after is not None
    gate.set()
    # The same commit, tried again later, finds out.
    assert await commit(store, made) == Committed()
    assert [event.version for event in await events_of(well, workset)] == [1, 2]


async def test_a_throttled_commit_has_written_nothing_and_says_when_to_try_again(
    proxy, store, well
):
    workset = await register(store, make_workset())
    made = await change(store, workset)
    with proxy.always(throttle, operation=TRANSACTION):
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError) as raised:
            await commit(store, made)
        assert time.monotonic() - began < 3
    assert raised.value.retry_after is not None
    assert (await load(well, "ws-1")).version == 1
    proxy.once(throttle, operation=TRANSACTION, times=2)
    assert await commit(store, made) == Committed()


async def test_a_commit_to_a_store_that_is_away_has_written_nothing(proxy, store, well):
    workset = await register(store, make_workset())
    made = await change(store, workset)
    with proxy.away():
        began = time.monotonic()
        with pytest.raises(StoreUnavailableError):
            await commit(store, made)
        assert time.monotonic() - began < 2
    assert await commit(store, made) == Committed()
    assert (await load(well, "ws-1")).version == 2


async def test_a_commit_of_a_caller_that_gave_up_goes_on(proxy, store, well):
    workset = await register(store, make_workset())
    made = await change(store, workset)
    gate = threading.Event()
    proxy.once(hold(gate), operation=TRANSACTION)
    waiting = asyncio.create_task(commit(store, made))
    await asyncio.sleep(0.2)
    waiting.cancel()
    gate.set()
    await commit(store, made)  # the same again waits until the first one is settled
    assert (await load(well, "ws-1")).version == 2
    assert [event.version for event in await events_of(well, workset)] == [1, 2]


async def full_cluster(well):
    """A cluster whose one slot is taken, and a commit of another lock on it."""
    cluster = make_cluster(capacity=Amount(96, 786_432, 0, 1))
    await commit(well, await with_event(well, cluster=ClusterWrite(None, cluster)))
    await commit(well, await with_event(well, cluster_changes=(ClusterChange("c1", ONE, None),)))
    guard = ClusterGuard(1, Amount())
    workset = await register(well, make_workset())
    parts = {"cluster_changes": (ClusterChange("c1", ONE, guard),)}
    return await change(well, workset, parts=parts)


async def test_a_full_cluster_is_no_proof_that_a_lost_request_will_not_land(proxy, store, well):
    """Room may come back while the first request is still on its way."""
    made = await full_cluster(well)
    proxy.once(drop_request, operation=TRANSACTION)
    with pytest.raises(OutcomeUnknownError):
        await store.commit(made, timedelta(seconds=1))
    assert (await load(well, "ws-1")).version == 1


async def test_a_lost_request_on_a_full_cluster_lands_when_room_comes_back(proxy, store, well):
    made = await full_cluster(well)
    proxy.once(drop_request, operation=TRANSACTION)
    waiting = asyncio.create_task(commit(store, made))
    await asyncio.sleep(0.3)
    await commit(well, await with_event(well, cluster_changes=(ClusterChange("c1", -ONE, None),)))
    assert await waiting == Committed()
    assert (await load(well, "ws-1")).version == 2


async def test_a_bug_in_a_request_is_not_taken_for_an_outage(proxy, store):
    workset = await register(store, make_workset())
    made = await change(store, workset)
    proxy.once(answer(400, "ValidationException"), operation=TRANSACTION)
    with pytest.raises(TransactWriteError):
        await commit(store, made)


# --- plain writes ---


@pytest.mark.parametrize(
    "fault",
    [
        drop_answer,
        drop_request,
        throttle,
        server_error,
        answer(400, "TransactionConflictException"),
    ],
)
async def test_a_renewal_gets_through_what_passes(proxy, store, well, fault):
    await lock(store, await register(store, make_workset()))
    proxy.once(fault, operation="UpdateItem", times=3)
    report = ProgressPatch("run_pipeline", 40, "", NOW)
    renewed = await store.touch(Touch("ws-1", 1, LEASE, NOW + 2 * LEASE, report))
    assert renewed is not None
    assert await load(well, "ws-1") == renewed


async def test_a_write_that_excludes_itself_is_known_as_ones_own(proxy, store, well):
    """The condition (no such version yet) fails on the resend, because the first one went through."""
    consumer = Consumer("c", "me", 1, NOW, (0,) * LANES, 1)
    proxy.once(drop_answer, operation="PutItem")
    assert await store.put_consumer(consumer)
    proxy.once(drop_request, operation="PutItem")
    assert not await store.put_consumer(consumer)
    assert await well.get_consumer("c") == consumer


async def test_a_promotion_whose_answer_was_lost_is_known(proxy, store):
    await register(store, make_workset(available_at=NOW))
    proxy.once(drop_answer, operation="UpdateItem")
    assert await store.promote("ws-1", NOW)
    assert not await store.promote("ws-1", NOW)


async def test_a_snapshot_that_was_not_swapped_leaves_the_one_before(proxy, store):
    before = Snapshot("s", "1", b"1" * 500_000, NOW)
    await store.put_snapshot(before)

    def fail_the_swap(exchange: Exchange) -> None:
        if "pointer" in json.loads(exchange.body)["Item"]["part"]["S"]:
            throttle(exchange)
        else:
            exchange.forward()

    with (
        proxy.always(fail_the_swap, operation="PutItem"),
        pytest.raises(StoreUnavailableError),
    ):
        await store.put_snapshot(Snapshot("s", "2", b"2" * 500_000, NOW))
    assert await store.get_snapshot("s") == before
    # What was left behind goes with a snapshot of some hours later.
    later = Snapshot("s", "3", b"3", NOW + timedelta(hours=3))
    await store.put_snapshot(later)
    assert await store.get_snapshot("s") == later


# --- a store that is away ---

READS = {
    "read": lambda store: store.read(ReadSet(worksets=("ws-1",), lanes=(1,))),
    "list": lambda store: store.list_worksets(WorksetFilter(), None, 10),
    "queue": lambda store: store.queue(frozenset(), NOW, None, 10),
    "held": lambda store: store.list_held(None, 10),
    "waiting": lambda store: store.list_waiting(NOW, None, 10),
    "heads": lambda store: store.heads(),
    "probe": lambda store: store.probe((0,) * LANES),
    "lane": lambda store: store.read_lane(1, 0, 10),
    "trail": lambda store: store.workset_events("ws-1", 0, 10),
    "request": lambda store: store.find_request("ws-1", "r"),
    "clusters": lambda store: store.list_clusters(),
    "consumer": lambda store: store.get_consumer("c"),
    "snapshot": lambda store: store.get_snapshot("s"),
    "delivery": lambda store: store.get_delivery("d"),
    "deliveries": lambda store: store.list_deliveries(DeliveryFilter(), None, 10),
    "log tail": lambda store: store.get_log_tail("ws-1"),
    "touch": lambda store: store.touch(Touch("ws-1", 1, LEASE, NOW)),
    "heartbeat": lambda store: store.heartbeat("me"),
}


async def test_a_store_that_is_away_is_unavailable_and_nothing_looks_empty(proxy, store):
    await store.heads()
    with proxy.away():
        began = time.monotonic()
        answers = await asyncio.gather(
            *(call(store) for call in READS.values()), return_exceptions=True
        )
        assert time.monotonic() - began < 5
    assert {name: type(found) for name, found in zip(READS, answers, strict=True)} == dict.fromkeys(
        READS, StoreUnavailableError
    )
    assert await store.heads() == (0,) * LANES


async def test_a_store_that_hangs_is_unavailable_within_seconds(proxy, store):
    gate = threading.Event()
    with proxy.always(hold(gate)):
        began = time.monotonic()
        answers = await asyncio.gather(
            *(READS[name](store) for name in ("read", "list", "heartbeat", "touch")),
            return_exceptions=True,
        )
        assert time.monotonic() - began < 8
    gate.set()
    assert [type(found) for found in answers] == [StoreUnavailableError] * 4


async def test_tables_that_are_missing_are_no_empty_answers(dynamodb_local):
    store = DynamoDBStore(dynamodb_settings(dynamodb_local, own_prefix()))
    for call in READS.values():
        with pytest.raises(StoreUnavailableError):
            await call(store)
    await store.close()


async def test_a_throttled_read_goes_on_when_there_is_room_again(proxy, store):
    await register(store, make_workset())
    proxy.once(throttle, times=3)
    assert (await load(store, "ws-1")).version == 1


async def test_keys_that_come_back_unread_are_read_again(proxy, store):
    for number in range(6):
        await register(store, make_workset(f"ws-{number}"))

    def leave_half(exchange: Exchange) -> None:
        request = json.loads(exchange.body)
        left = {}
        for table, wanted in request["RequestItems"].items():
            keys = wanted["Keys"]
            left[table] = {**wanted, "Keys": keys[len(keys) // 2 :]}
            wanted["Keys"] = keys[: len(keys) // 2]
        exchange.body = json.dumps(
            {
                **request,
                "RequestItems": {t: w for t, w in request["RequestItems"].items() if w["Keys"]},
            }
        ).encode()
        found = exchange.forward()
        body = {**json.loads(found.body), "UnprocessedKeys": left}
        exchange.answer = Answer(found.status, {}, json.dumps(body).encode())

    ids = [f"ws-{number}" for number in range(6)]
    proxy.once(leave_half, operation="BatchGetItem", times=2)
    rows = await store.read(ReadSet(worksets=ids))
    assert sorted(rows.worksets) == ids


async def test_the_stores_clock_comes_with_the_heartbeat(store):
    said = await store.heartbeat("me")
    assert said is not None
    assert abs(said.timestamp() - time.time()) < 3
