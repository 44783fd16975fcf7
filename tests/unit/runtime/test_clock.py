import asyncio
from datetime import UTC, datetime, timedelta

from daylily_runtime import Clock, SystemClock
from daylily_runtime.testing import ManualClock

START = datetime(2026, 1, 1, tzinfo=UTC)


async def test_the_system_clock_tells_utc_and_never_runs_backwards():
    clock: Clock = SystemClock()
    assert clock.now().tzinfo is UTC
    first = clock.monotonic()
    await clock.sleep(-1)
    assert clock.monotonic() >= first


async def test_a_manual_clock_stands_still_until_it_is_told():
    clock: Clock = ManualClock(START)
    before = clock.monotonic()
    await asyncio.sleep(0.01)
    assert clock.now() == START
    assert clock.monotonic() == before


async def test_sleepers_wake_in_order_each_at_its_own_time():
    clock, seen = ManualClock(START), []

    async def sleep(name, seconds):
        await clock.sleep(seconds)
        seen.append((name, (clock.now() - START).total_seconds()))

    async with asyncio.TaskGroup() as tasks:
        for name, seconds in (("c", 30), ("a", 10), ("b", 10), ("never", 31)):
            tasks.create_task(sleep(name, seconds))
        await clock.advance(30)
        assert seen == [("a", 10), ("b", 10), ("c", 30)]
        assert clock.sleepers == 1
        await clock.advance(1)
    assert clock.now() == START + timedelta(seconds=31)


async def test_a_loop_that_sleeps_runs_as_often_as_time_allows():
    clock, rounds = ManualClock(), []

    async def loop():
        while True:
            await clock.sleep(5)
            rounds.append(clock.monotonic())

    task = asyncio.create_task(loop())
    await clock.advance(23)
    task.cancel()
    assert len(rounds) == 4


async def test_the_wall_clock_jumps_alone():
    clock = ManualClock(START)
    before = clock.monotonic()
    clock.jump_wall(-3600)
    assert clock.now() == START - timedelta(hours=1)
    assert clock.monotonic() == before


async def test_a_cancelled_sleeper_is_forgotten():
    clock = ManualClock()
    task = asyncio.create_task(clock.sleep(5))
    await clock.settle()
    task.cancel()
    await clock.settle()
    assert clock.sleepers == 0
    await clock.advance(10)
    assert task.cancelled()
