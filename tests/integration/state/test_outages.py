"""A store that is away, hangs or loses answers; deadlines that pass."""

import asyncio
import time

import grpc
import pytest
from daylily.state.v1 import state_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc

from daylily_runtime import StartError, running
from daylily_state.build import state_server
from tests.integration.state.asking import (
    IN_PROGRESS,
    LOCKED,
    READY,
    acquire,
    events,
    get,
    register,
    registration,
    renew,
    seconds,
    set_state,
)
from tests.integration.state.every_rpc import METHODS, first_answer, good, prepare
from tests.integration.state.refusals import refusal, refused
from tests.integration.state.replicas import NOT_SERVING, SERVING, replica, settings_on_file
from tests.integration.state.watching import watching

# Answered from memory, exact at the cursor that comes along.
NEEDS_NO_STORE = {"GetQueueDepth"}


@pytest.fixture
async def lab(file, faults):
    async with replica(settings_on_file(file), make_store=faults) as made:
        await prepare(made.stub)
        yield made


async def until_health(state, status):
    """How long it took until health said so, in seconds."""
    begin = time.monotonic()
    async with asyncio.timeout(30):
        while await state.health() != status:  # noqa: ASYNC110 - as its clients see it
            await asyncio.sleep(0.01)
    return time.monotonic() - begin


async def within_a_second(state, fail, mend):
    """Whether health follows the store; a machine that is busy with other tests gets three tries."""
    for _ in range(3):
        fail()
        lost = await until_health(state, NOT_SERVING)
        mend()
        if max(lost, await until_health(state, SERVING)) < 1:
            return True
    return False


async def test_no_rpc_says_not_found_or_nothing_there_when_the_store_is_away(lab, faults):
    cursor = (await lab.stub.GetQueueDepth(state_pb2.GetQueueDepthRequest())).cursor
    ack = state_pb2.AckEventsRequest(consumer="reader", consumer_token=1, cursor=cursor)
    faults.store.away = True
    for name in sorted(METHODS.keys() - NEEDS_NO_STORE):
        request = ack if name == "AckEvents" else good(name)
        refusal = await refused(first_answer(lab, name, request))
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.UNAVAILABLE,
            "STORE_UNAVAILABLE",
        ), name
        assert refusal.retry_after is not None, name
    depth = await lab.stub.GetQueueDepth(state_pb2.GetQueueDepthRequest())
    assert (depth.total, depth.cursor) == (2, cursor)
    faults.store.away = False
    assert (await get(lab.stub, "ws-1")).state == READY


async def test_health_ends_within_a_second_of_an_outage_and_comes_back(lab, faults):
    def away(now):
        faults.store.away = now

    assert await lab.health() == SERVING
    assert await within_a_second(lab, lambda: away(True), lambda: away(False))


async def test_health_ends_within_a_second_of_a_store_that_hangs_and_comes_back(lab, faults):
    assert await within_a_second(lab, faults.store.hang, faults.store.go_on)


async def test_who_watches_health_is_told(lab, faults):
    call = health_pb2_grpc.HealthStub(lab.channel).Watch(health_pb2.HealthCheckRequest())
    answers = aiter(call)
    assert (await anext(answers)).status == SERVING
    faults.store.away = True
    async with asyncio.timeout(30):
        assert (await anext(answers)).status == NOT_SERVING
    call.cancel()


async def test_what_was_refused_for_an_outage_has_changed_nothing(lab, faults):
    faults.store.away = True
    await refused(acquire(lab.stub, "ws-1"))
    faults.store.away = False
    found = await get(lab.stub, "ws-1")
    assert (found.state, found.version) == (READY, 1)
    assert await acquire(lab.stub, "ws-1") == 1


async def test_watches_and_counts_outlive_an_outage_and_miss_nothing(file, faults, lab):
    async with (
        replica(settings_on_file(file)) as other,
        watching(lab.stub) as watch,
    ):
        await watch.next()
        faults.store.away = True
        await until_health(lab, NOT_SERVING)
        for number in range(20):
            await register(other.stub, f"w{number}")
        await asyncio.sleep(0.6)  # time enough for the feed to meet the outage
        faults.store.away = False
        found = await watch.until(20)
    assert sorted(event.workset_id for event in found) == sorted(f"w{n}" for n in range(20))
    async with watching(lab.stub, from_beginning=True) as watch:
        await watch.to_the_end()
    assert (await lab.stub.GetQueueDepth(state_pb2.GetQueueDepthRequest())).total == 22


async def test_an_answer_that_was_lost_after_the_commit_is_found_by_asking_again(lab, faults):
    asked = state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id="r-1")
    faults.store.lost_answers = 1
    refusal = await refused(lab.stub.AcquireLock(asked))
    assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN")
    assert refusal.metadata["event_id"]
    answer = await lab.stub.AcquireLock(asked)
    assert (answer.lock_token, answer.workset.state) == (1, LOCKED)
    trail = await events(lab.stub, "ws-1")
    assert [event.version for event in trail] == [1, 2]
    assert trail[-1].event_id == refusal.metadata["event_id"]


async def test_an_event_whose_commit_got_no_answer_reaches_watchers_all_the_same(lab, faults):
    async with watching(lab.stub) as watch:
        await watch.next()
        faults.store.lost_answers = 1
        await refused(register(lab.stub, "new"))
        (event,) = await watch.until(1)
    assert event.workset_id == "new"


async def test_a_deadline_that_passes_while_a_read_hangs(lab, faults):
    faults.store.hang()
    refusal = await refused(
        lab.stub.GetWorkset(state_pb2.GetWorksetRequest(workset_id="ws-1"), timeout=0.3)
    )
    assert refusal.code == grpc.StatusCode.DEADLINE_EXCEEDED
    faults.store.go_on()
    assert (await get(lab.stub, "ws-1")).state == READY


async def test_a_write_whose_deadline_passed_has_one_effect_when_it_is_sent_again(lab, faults):
    async def slowly(_):
        await asyncio.sleep(0.5)

    asked = registration("new", request_id="r-1")
    faults.store.before_commit = slowly
    refusal = await refused(lab.stub.RegisterWorkset(asked, timeout=0.2))
    assert refusal.code == grpc.StatusCode.DEADLINE_EXCEEDED
    faults.store.before_commit = None
    answers = [await lab.stub.RegisterWorkset(asked) for _ in range(2)]
    assert answers[0] == answers[1]
    assert len(await events(lab.stub, "new")) == 1


async def test_the_server_gives_no_call_longer_than_its_own_limit(file, faults):
    settings = settings_on_file(file, max_call_seconds=0.3)
    async with replica(settings, make_store=faults) as state:
        await register(state.stub, "ws-1")
        faults.store.hang()
        refusal = await refused(get(state.stub, "ws-1"))
        assert (refusal.code, refusal.reason) == (
            grpc.StatusCode.DEADLINE_EXCEEDED,
            "DEADLINE_EXCEEDED",
        )
        faults.store.go_on()


async def test_more_calls_at_once_than_can_be_served_are_told_to_come_again(lab):
    """As when a thousand monitors come back from an outage together."""
    answers = await asyncio.gather(
        *(get(lab.stub, "ws-1") for _ in range(1500)), return_exceptions=True
    )
    for answer in answers:
        if isinstance(answer, grpc.aio.AioRpcError):
            found = refusal(answer)
            assert (found.code, found.reason) == (
                grpc.StatusCode.UNAVAILABLE,
                "STORE_UNAVAILABLE",
            )
            assert found.retry_after is not None
    assert (await get(lab.stub, "ws-1")).state == READY


async def test_a_lane_whose_writer_hangs_delays_no_other_lane_and_its_own_goes_on_later(
    lab, faults
):
    """Commits of one process queue up per lane."""
    held = asyncio.Event()

    async def hold(commit):
        if commit.event.subject_id == "slow":
            await held.wait()

    faults.store.before_commit = hold
    slow = asyncio.ensure_future(register(lab.stub, "slow"))
    await asyncio.sleep(0.05)
    async with asyncio.timeout(30):
        others = [asyncio.ensure_future(register(lab.stub, f"w{n}")) for n in range(32)]
        await asyncio.wait(others, timeout=1)
        done = sum(task.done() for task in others)
        assert 0 < done < 32
        held.set()
        await asyncio.gather(slow, *others)


async def test_a_store_that_is_away_at_the_start_is_said_in_words(tmp_path):
    nowhere = settings_on_file(tmp_path / "no" / "such" / "folder" / "state.db")
    with pytest.raises(StartError, match="store cannot be opened"):
        async with running(state_server(nowhere)):
            pass


async def test_a_file_that_is_no_store_is_said_in_words(tmp_path):
    letter = tmp_path / "letter.txt"
    letter.write_text("Dear Madam, " * 1000)
    with pytest.raises(StartError, match=r"letter\.txt"):
        async with running(state_server(settings_on_file(letter))):
            pass


async def test_an_outage_of_ours_times_no_lock_out(file, clock, faults):
    """The holder could not renew for the very outage: it has a lease's time again afterwards."""
    async with replica(settings_on_file(file), clock, faults) as state:
        await register(state.stub, "ws-1")
        token = await acquire(state.stub, "ws-1", lease=seconds(30))
        await set_state(state.stub, "ws-1", IN_PROGRESS, token)
        for _ in range(40):  # fit for a lease
            await advance(clock, 1)
            await renew(state.stub, "ws-1", token)
        faults.store.away = True
        for _ in range(60):
            await advance(clock, 1)
        faults.store.away = False
        for _ in range(20):
            await advance(clock, 1)
        assert (await get(state.stub, "ws-1")).state == IN_PROGRESS
        assert (await renew(state.stub, "ws-1", token)).token == token


async def advance(clock, length):
    """Lets time pass, and the store's threads answer in between."""
    await clock.advance(length)
    await asyncio.sleep(0.01)
