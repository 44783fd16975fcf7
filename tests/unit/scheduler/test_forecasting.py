"""Estimates that are made for nobody, and forecasts that are shared, with time under the test's control."""

import asyncio

import pytest

from daylily_runtime.testing import ManualClock
from daylily_scheduler.domain.runtimes import RunTimes
from daylily_scheduler.domain.scores import Scores
from daylily_scheduler.forecasting import FRESH, GONE, PROMISE_SECONDS, Forecaster
from tests.support.scheduling import NOW, book, cluster, workset


@pytest.fixture
def clock():
    return ManualClock(NOW)


def forecaster(known, clock):
    return Forecaster(known, RunTimes(8.0), Scores(), clock)


async def rounds(made, clock, number=1):
    """Lets the worksets that came be estimated."""
    task = asyncio.create_task(made.promise())
    await clock.settle()
    for _ in range(number):
        await clock.advance(PROMISE_SECONDS)
        for _ in range(50):
            await asyncio.sleep(0)
    task.cancel()


async def test_worksets_that_come_are_estimated_where_nobody_asks(clock):
    known = book(cluster("c1", slots=1), workset("w1"), workset("w2"))
    made = forecaster(known, clock)
    await rounds(made, clock)
    assert set(made.scores.open_ids) == {"w1", "w2"}


async def test_one_that_left_without_a_word_is_forgotten(clock):
    known = book(cluster("c1", slots=1), workset("w1"))
    made = forecaster(known, clock)
    await rounds(made, clock)
    known.drop("w1")
    await rounds(made, clock, int(GONE.total_seconds() // PROMISE_SECONDS) + 2)
    assert not set(made.scores.open_ids)


async def test_whoever_asks_within_some_seconds_gets_the_same_forecast(clock):
    known = book(cluster("c1"), workset("w1"))
    made = forecaster(known, clock)
    first, second = await asyncio.gather(made.whole(), made.whole())
    assert first is second
    await clock.advance(FRESH.total_seconds())
    assert await made.whole() is not first


async def test_a_workset_that_came_since_is_played_anew(clock):
    known = book(cluster("c1", slots=1), workset("w1"))
    made = forecaster(known, clock)
    await made.whole()
    late = workset("w2", age_s=1)
    known.put(late, NOW)
    assert 0.5 < (await made.estimate(late)).p50 < 3


async def test_a_clock_that_was_set_back_does_not_keep_a_forecast_for_ever(clock):
    known = book(cluster("c1"), workset("w1"))
    made = forecaster(known, clock)
    first = await made.whole()
    clock.jump_wall(-3600)
    assert await made.whole() is not first


async def test_others_go_on_while_a_long_queue_is_played(clock):
    known = book(cluster("c1", slots=2), *(workset(f"w{n}") for n in range(500)))
    made = forecaster(known, clock)
    turns = 0

    async def others():
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    # A slice for each step, whatever the machine's speed.
    clock.monotonic = iter(range(10**9)).__next__
    task = asyncio.create_task(others())
    await made.whole()
    task.cancel()
    assert turns > 500
