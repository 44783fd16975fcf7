"""Load, decide, commit: what two at once, lost answers and repeats come to."""

import asyncio
from dataclasses import replace
from itertools import count

import pytest

from daylily_state.domain.commands import Acquire, Register, Release, SetState
from daylily_state.domain.errors import (
    ContentionError,
    LockHeldError,
    LockLostError,
    OutcomeUnknownError,
    RequestIdReusedError,
    StoreUnavailableError,
    WorksetExistsError,
)
from daylily_state.domain.model import SubjectKind, WorksetState, lane_of
from tests.integration.state_app.replicas import on_sqlite

ACQUIRE = Acquire(workset_id="ws-1", owner_id="m1", request_id="r-1")


async def test_many_who_ask_at_once_get_one_lock(lab) -> None:
    one, two = await lab.replica("one"), await lab.replica("two")
    await one.register("ws-1")

    async def ask(replica, number):
        command = Acquire(workset_id="ws-1", owner_id=f"m{number}")
        try:
            return (await replica.worksets.acquire(command)).workset.lock
        except LockHeldError:
            return None

    answers = asyncio.gather(*(ask(one if n % 2 else two, n) for n in range(16)))
    while not answers.done():
        await lab.passes(0.25)  # who lost a slot pauses by the lab's clock
    granted = [lock for lock in await answers if lock]
    assert [lock.token for lock in granted] == [1]
    assert len(await one.trail("ws-1")) == 2


async def test_somebody_who_is_first_in_between_makes_the_decision_anew(lab) -> None:
    one, two = await lab.replica("one"), await lab.replica("two")
    await one.register("ws-1")

    async def overtake(*_args) -> None:
        one.store.before.clear()
        await two.acquire("ws-1")

    one.store.before["commit"] = overtake
    taking = asyncio.create_task(one.acquire("ws-1"))
    await lab.passes(1)
    with pytest.raises(LockHeldError):
        await taking
    assert (await one.get("ws-1")).last_token == 1


async def test_one_whose_slot_alone_was_taken_decides_again_on_what_it_loaded(lab) -> None:
    """Loading again would make it slower than the other replica, and lose to it again."""
    one, two = await lab.replica("one"), await lab.replica("two")
    await one.register("ws-1")
    lane = lane_of(SubjectKind.WORKSET, "ws-1")
    neighbours = (
        key for key in map("ws-{}".format, count(2)) if lane_of(SubjectKind.WORKSET, key) == lane
    )
    overtaken = 2

    async def overtake(*_args) -> None:
        nonlocal overtaken
        if overtaken:
            overtaken -= 1
            await two.register(next(neighbours))

    one.store.before["commit"] = overtake
    one.store.calls.clear()
    assert (await one.acquire("ws-1")).last_token == 1  # without a pause: the clock stands still
    assert (one.store.calls["read"], one.store.calls["commit"]) == (1, 3)
    assert [event.version for event in await two.trail("ws-1")] == [1, 2]


@on_sqlite
async def test_one_who_is_overtaken_for_ever_gives_up_and_has_changed_nothing(lab, one) -> None:
    two = await lab.replica("two")
    await one.register("ws-1")

    async def overtake(*_args) -> None:
        await two.move("ws-1", WorksetState.IGNORED)
        await two.move("ws-1", WorksetState.READY)

    one.store.before["commit"] = overtake
    taking = asyncio.create_task(one.acquire("ws-1"))
    await lab.passes(10)
    with pytest.raises(ContentionError):
        await taking
    assert (await two.get("ws-1")).last_token == 0


async def test_a_request_whose_answer_was_lost_has_one_effect(lab, one) -> None:
    await one.register("ws-1")
    one.store.lose_answers = 1
    with pytest.raises(OutcomeUnknownError):
        await one.worksets.acquire(ACQUIRE)
    granted = (await one.worksets.acquire(ACQUIRE)).workset
    assert granted.lock.token == 1
    assert len(await one.trail("ws-1")) == 2


async def test_a_repeat_through_another_replica_finds_the_same_grant(lab) -> None:
    one, two = await lab.replica("one"), await lab.replica("two")
    await one.register("ws-1")
    first = (await one.worksets.acquire(ACQUIRE)).workset
    assert (await two.worksets.acquire(ACQUIRE)).workset == first
    assert (await two.worksets.grant("r-1")).workset == first


async def test_a_repeat_of_a_grant_that_is_gone_is_refused(lab, one) -> None:
    await one.register("ws-1")
    await one.worksets.acquire(ACQUIRE)
    await one.worksets.release(Release(workset_id="ws-1", lock_token=1))
    with pytest.raises(LockLostError):
        await one.worksets.acquire(ACQUIRE)
    assert (await one.get("ws-1")).state is WorksetState.READY


async def test_a_request_id_with_other_content_is_refused(lab, one) -> None:
    await one.register("ws-1")
    await one.worksets.acquire(ACQUIRE)
    with pytest.raises(RequestIdReusedError) as refusal:
        await one.worksets.acquire(Acquire(workset_id="ws-1", owner_id="m2", request_id="r-1"))
    assert refusal.value.metadata["workset_id"] == "ws-1"


async def test_a_repeated_claim_is_answered_with_its_first_grant_whatever_is_picked_now(
    lab,
) -> None:
    one, two = await lab.replica("one"), await lab.replica("two")
    for key in ("ws-1", "ws-2"):
        await one.register(key)
    claim = replace(ACQUIRE, picked=True)
    first = (await one.worksets.acquire(claim)).workset
    again = (await two.worksets.acquire(replace(claim, workset_id="ws-2"))).workset
    assert again == first
    assert (await two.get("ws-2")).state is WorksetState.READY


async def test_one_claim_through_two_schedulers_at_once_gets_one_lock(lab) -> None:
    one, two = await lab.replica("one"), await lab.replica("two")
    for key in ("ws-1", "ws-2"):
        await one.register(key)
    claims = asyncio.gather(
        one.worksets.acquire(replace(ACQUIRE, picked=True)),
        two.worksets.acquire(replace(ACQUIRE, picked=True, workset_id="ws-2")),
    )
    while not claims.done():
        await lab.passes(0.25)
    granted = {view.workset.workset_id for view in await claims}
    held = [key for key in ("ws-1", "ws-2") if (await one.get(key)).lock]
    assert held == list(granted)


async def test_a_registration_sent_again_is_answered_and_another_one_is_refused(lab, one) -> None:
    command = Register(workset_id="ws-1", bucket="lab", prefix="p/", request_id="r-1")
    first = await one.worksets.register(command)
    assert (await one.worksets.register(command)).workset == first.workset
    with pytest.raises(WorksetExistsError):
        await one.register("ws-1")
    assert len(await one.trail("ws-1")) == 1


async def test_a_request_that_the_row_has_forgotten_is_found_in_the_trail(lab, one) -> None:
    command = Register(workset_id="ws-1", bucket="lab", prefix="p/", request_id="r-1")
    await one.worksets.register(command)
    for number in range(10):
        state = WorksetState.READY if number % 2 else WorksetState.IGNORED
        await one.move("ws-1", state, request_id=f"again-{number}")
    again = (await one.worksets.register(command)).workset
    assert (again.state, again.version) == (WorksetState.READY, 1)
    assert len(await one.trail("ws-1")) == 11


async def test_a_store_that_is_away_changes_nothing_and_says_so(lab, one) -> None:
    await one.register("ws-1")
    one.store.down = True
    with pytest.raises(StoreUnavailableError):
        await one.acquire("ws-1")
    with pytest.raises(StoreUnavailableError):
        await one.get("ws-1")
    one.store.down = False
    assert (await one.get("ws-1")).version == 1


async def test_a_caller_that_goes_away_leaves_nothing_half_done(lab, one) -> None:
    await one.register("ws-1")
    reached = asyncio.Event()

    async def reach(*_args) -> None:
        reached.set()

    one.store.before["commit"] = reach
    taking = asyncio.create_task(one.acquire("ws-1"))
    await reached.wait()
    taking.cancel()
    await lab.passes(1)
    workset = await one.get("ws-1")
    trail = await one.trail("ws-1")
    assert len(trail) == workset.version
    assert (workset.lock is None) == (workset.version == 1)
    command = SetState(workset_id="ws-1", state=WorksetState.IGNORED)
    assert await one.worksets.set_state(command)
