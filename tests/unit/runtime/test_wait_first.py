import asyncio

import pytest

from daylily_runtime import Lifecycle, wait_first
from daylily_runtime.testing import ManualClock


async def test_it_tells_which_wait_was_over_first():
    clock, event, lifecycle = ManualClock(), asyncio.Event(), Lifecycle()
    waiting = asyncio.create_task(wait_first(event, clock.sleep(30), lifecycle.stopping))
    await clock.advance(29)
    assert not waiting.done()
    await clock.advance(1)
    assert await waiting == 1


async def test_an_event_that_is_set_already_counts_at_once():
    event, never = asyncio.Event(), asyncio.Event()
    event.set()
    assert await wait_first(never, asyncio.sleep(3600), event) == 2


async def test_stopping_ends_a_long_poll():
    lifecycle, event = Lifecycle(), asyncio.Event()
    waiting = asyncio.create_task(wait_first(event, lifecycle.stopping))
    await asyncio.sleep(0)
    lifecycle.stopping.set()
    assert await waiting == 1
    assert lifecycle.is_stopping


async def test_what_did_not_come_is_cancelled():
    ended = []

    async def slow():
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("slow")

    assert await wait_first(slow(), asyncio.sleep(0)) == 1
    assert ended == ["slow"]


async def test_a_cancelled_caller_cancels_all_waits():
    ended = []

    async def slow():
        try:
            await asyncio.sleep(3600)
        finally:
            ended.append("slow")

    waiting = asyncio.create_task(wait_first(slow(), asyncio.Event()))
    await asyncio.sleep(0.01)
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert ended == ["slow"]


async def test_an_exception_of_the_first_is_raised():
    async def fail():
        raise ConnectionError("gone")

    with pytest.raises(ConnectionError):
        await wait_first(asyncio.Event(), fail())
