"""Locks of holders that are gone end within lease + 5 s, and no others."""

from datetime import timedelta

import pytest

from daylily_state.domain.commands import Renew
from daylily_state.domain.errors import LockHeldError
from daylily_state.domain.events import EventType
from daylily_state.domain.model import ErrorCategory, WorksetState
from daylily_state.ports import Page
from daylily_state.store.sqlite import SqliteStore
from tests.integration.state_app.replicas import on_sqlite

LEASE = timedelta(seconds=10)
READY = WorksetState.READY
LOCKED = WorksetState.LOCKED


async def held(replica, workset_id="ws-1", lease=LEASE):
    await replica.register(workset_id)
    return await replica.acquire(workset_id, lease=lease)


async def test_a_dead_holders_workset_is_ready_within_lease_and_5_s(lab, one) -> None:
    await lab.passes(12)
    await held(one)
    await lab.passes(10)
    assert (await one.get("ws-1")).state is LOCKED
    await lab.passes(5)
    workset = await one.get("ws-1")
    assert (workset.state, workset.lock, workset.infra_failures) == (READY, None, 1)
    last = (await one.trail("ws-1"))[-1]
    assert last.type is EventType.LOCK_TIMEOUT
    assert last.actor == "state"


@on_sqlite
async def test_a_holder_that_renews_keeps_its_lock(lab, one) -> None:
    await lab.passes(12)
    token = (await held(one)).last_token
    for _ in range(10):
        await lab.passes(4)
        await one.worksets.renew(Renew(workset_id="ws-1", lock_token=token))
    workset = await one.get("ws-1")
    assert (workset.state, workset.version) == (LOCKED, 2)


@on_sqlite
async def test_a_replica_that_has_just_started_waits_a_whole_lease(lab) -> None:
    before = await lab.replica("before")
    await held(before)
    before.store.down = True
    await lab.passes(60)
    young = await lab.replica("young")
    await lab.passes(9)
    assert (await young.get("ws-1")).state is LOCKED
    await lab.passes(5)
    assert (await young.get("ws-1")).state is READY


@on_sqlite
async def test_an_outage_of_the_store_ends_no_lock(lab, one) -> None:
    await lab.passes(12)
    token = (await held(one)).last_token
    one.store.down = True
    await lab.passes(30)
    one.store.down = False
    await lab.passes(5)
    await one.worksets.renew(Renew(workset_id="ws-1", lock_token=token))
    await lab.passes(8)
    assert (await one.get("ws-1")).state is LOCKED


@on_sqlite
async def test_a_replica_that_stood_still_ends_no_lock_when_it_wakes(lab, one) -> None:
    await lab.passes(12)
    token = (await held(one)).last_token
    lab.clock.tick(3600)
    await lab.settle()
    await lab.passes(5)
    assert (await one.get("ws-1")).state is LOCKED
    await one.worksets.renew(Renew(workset_id="ws-1", lock_token=token))


@on_sqlite
async def test_a_replica_whose_clock_is_wrong_ends_no_lock(lab, one) -> None:
    one.store.clock_ahead = timedelta(seconds=-3)
    await held(one)
    await lab.passes(30)
    assert (await one.get("ws-1")).state is LOCKED
    one.store.clock_ahead = timedelta(seconds=1)
    await lab.passes(13)
    assert (await one.get("ws-1")).state is READY


@on_sqlite
async def test_a_replica_whose_clock_is_ahead_ends_no_lock_before_its_time(lab, one) -> None:
    one.store.clock_ahead = timedelta(seconds=-1.5)
    await lab.passes(12)
    await held(one)
    await lab.passes(12.25)  # the store says 10.75
    assert (await one.get("ws-1")).state is LOCKED
    await lab.passes(1.5)
    assert (await one.get("ws-1")).state is READY


async def test_other_replicas_go_on_when_one_is_cut_off(lab) -> None:
    cut_off, other = await lab.replica("cut off"), await lab.replica("other")
    await lab.passes(12)
    await held(cut_off)
    cut_off.store.down = True
    await lab.passes(15)
    assert (await other.get("ws-1")).state is READY


async def test_a_replica_knows_the_locks_of_before_its_start(lab) -> None:
    first = await lab.replica("first")
    await held(first, lease=timedelta(seconds=30))
    second = await lab.replica("second")
    first.store.down = True
    await lab.passes(36)
    assert (await second.get("ws-1")).state is READY


async def test_a_cancelled_lock_that_is_never_acknowledged_runs_out(lab, one) -> None:
    await lab.passes(12)
    await held(one)
    await one.move("ws-1", WorksetState.IGNORED)
    with pytest.raises(LockHeldError):
        await one.move("ws-1", READY)
    await lab.passes(15)
    workset = await one.get("ws-1")
    assert (workset.state, workset.lock) == (WorksetState.IGNORED, None)
    assert (await one.move("ws-1", READY)).state is READY


@on_sqlite
async def test_a_workset_that_kills_every_holder_ends_in_error(lab, one) -> None:
    await lab.passes(12)
    await held(one)
    for _ in range(2):
        await lab.passes(15)
        await one.acquire("ws-1", lease=LEASE)
    await lab.passes(15)
    workset = await one.get("ws-1")
    assert workset.state is WorksetState.ERROR
    assert workset.failure.category is ErrorCategory.INFRASTRUCTURE


async def test_many_locks_that_run_out_together_all_end(lab, one) -> None:
    await lab.passes(12)
    for number in range(30):
        await held(one, f"ws-{number}")
    await lab.passes(15)
    for number in range(30):
        assert (await one.get(f"ws-{number}")).state is READY


async def test_two_replicas_time_a_lock_out_once(lab) -> None:
    one, two = await lab.replica("one"), await lab.replica("two")
    await lab.passes(12)
    await held(one)
    await lab.passes(15)
    trail = await two.trail("ws-1")
    assert [event.type for event in trail].count(EventType.LOCK_TIMEOUT) == 1
    assert [event.version for event in trail] == [1, 2, 3]
    assert sum(await one.feed.now()) == 3


@on_sqlite
async def test_a_lock_that_the_first_look_missed_is_found_by_a_later_one(lab, monkeypatch) -> None:
    before = await lab.replica("before")
    await held(before)
    before.store.down = True
    whole = SqliteStore.list_held

    async def lags(store, after, limit):
        return Page((), None)

    monkeypatch.setattr(SqliteStore, "list_held", lags)
    young = await lab.replica("young")
    monkeypatch.setattr(SqliteStore, "list_held", whole)
    await lab.passes(16)
    assert (await young.get("ws-1")).state is READY
