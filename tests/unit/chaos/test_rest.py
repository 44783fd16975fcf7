"""After the faults: slow is not stuck."""

from collections.abc import Iterable

import pytest

from tests.chaos import run


@pytest.fixture(autouse=True)
def clock(monkeypatch) -> None:
    """A second passes with each look."""
    seconds = iter(range(10_000))
    monkeypatch.setattr(run.time, "monotonic", lambda: float(next(seconds)))

    async def at_once(_: float) -> None:
        return

    monkeypatch.setattr(run.asyncio, "sleep", at_once)


async def rests(left: Iterable[int]) -> bool:
    looks = iter(left)

    async def look() -> int:
        return next(looks)

    return await run.comes_to_rest(look)


async def test_a_system_with_nothing_left_to_do_is_at_rest():
    assert await rests([0])


async def test_one_that_works_off_its_backlog_slowly_comes_to_rest():
    assert await rests(left // 20 for left in range(20 * 300, -1, -1))


async def test_one_in_which_something_stays_does_not():
    assert not await rests([5, 4, 3] + [3] * 1000)


async def test_one_in_which_there_is_ever_more_to_do_does_not():
    assert not await rests(range(5, 1000))
