"""The waiting room, with time under the test's control."""

import asyncio
from datetime import timedelta

import pytest

from daylily_runtime.lifecycle import Lifecycle
from daylily_runtime.testing import ManualClock
from daylily_scheduler.errors import StoppingError
from daylily_scheduler.waiting import WaitingRoom
from tests.support.scheduling import NOW, book, cluster, workset


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
def lifecycle():
    return Lifecycle()


async def wait(room, clock, name="c1", seconds=30.0):
    """A claim that waits."""
    waiting = asyncio.create_task(room.wait(name, seconds, had_turn=False))
    await clock.settle()
    return waiting


async def test_nothing_comes_and_the_time_is_over(clock, lifecycle):
    room = WaitingRoom(book(cluster("c1")), clock, lifecycle)
    waiting = await wait(room, clock)
    await clock.advance(29.9)
    assert not waiting.done()
    await clock.advance(0.2)
    assert await waiting is None
    assert len(room) == 0


async def test_a_backoff_that_is_over_wakes_the_claim_at_its_time(clock, lifecycle):
    known = book(cluster("c1"), workset("w", available_at=NOW + timedelta(seconds=12)))
    room = WaitingRoom(known, clock, lifecycle)
    keeping_time = asyncio.create_task(room.keep_time())
    waiting = await wait(room, clock)
    await clock.advance(11.9)
    assert not waiting.done()
    await clock.advance(0.1)
    assert (await waiting).workset.workset_id == "w"
    keeping_time.cancel()


async def test_an_earlier_time_that_comes_later_counts(clock, lifecycle):
    known = book(cluster("c1"), workset("late", available_at=NOW + timedelta(seconds=4)))
    room = WaitingRoom(known, clock, lifecycle)
    keeping_time = asyncio.create_task(room.keep_time())
    waiting = await wait(room, clock)
    known.put(workset("early", available_at=NOW + timedelta(seconds=2)), clock.now())
    room.settle()
    await clock.advance(2)
    assert (await waiting).workset.workset_id == "early"
    keeping_time.cancel()


async def test_what_was_found_for_a_claim_that_goes_away_is_given_to_the_next(clock, lifecycle):
    known = book(cluster("c1"))
    room = WaitingRoom(known, clock, lifecycle)
    first, second = await wait(room, clock), await wait(room, clock)
    known.put(workset("w"), clock.now())
    room.settle()
    first.cancel()
    assert (await second).workset.workset_id == "w"
    with pytest.raises(asyncio.CancelledError):
        await first


async def test_a_server_that_stops_ends_the_wait_and_keeps_nothing(clock, lifecycle):
    known = book(cluster("c1"))
    room = WaitingRoom(known, clock, lifecycle)
    waiting = await wait(room, clock)
    lifecycle.stopping.set()
    known.put(workset("w"), clock.now())
    room.settle()
    with pytest.raises(StoppingError):
        await waiting
    assert known.queue.is_pickable("w")
    assert known.fleet.reserved("c1").slots == 0
