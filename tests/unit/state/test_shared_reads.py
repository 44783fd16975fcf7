"""What several watchers read at about the same time is read once."""

import asyncio

import pytest

from daylily_state.app.shared_reads import SharedReads
from daylily_state.domain.errors import StoreUnavailableError
from daylily_state.domain.events import EventType
from tests.support.state_rows import make_event


class Lanes:
    """A reader of lanes that end behind slot 100, held up until it is let go."""

    def __init__(self) -> None:
        self.reads: list[tuple[int, int, int]] = []
        self.go_on = asyncio.Event()
        self.fails = False

    async def read(self, lane, seq, limit):
        self.reads.append((lane, seq, limit))
        await self.go_on.wait()
        if self.fails:
            self.fails = False
            raise StoreUnavailableError
        slots = range(seq + 1, min(seq + limit, 100) + 1)
        return [make_event("ws-1", slot, EventType.UPDATED) for slot in slots]


async def both(shared, lanes, wanted=(3, 10, 20)):
    tasks = [asyncio.create_task(shared.read(wanted, lanes.read)) for _ in range(2)]
    await asyncio.sleep(0)
    return tasks


async def test_two_that_ask_at_once_read_once() -> None:
    shared, lanes = SharedReads(), Lanes()
    tasks = await both(shared, lanes)
    lanes.go_on.set()
    first, second = await asyncio.gather(*tasks)
    assert [event.seq for event in first] == list(range(11, 31))
    assert first == second == await shared.read((3, 10, 20), lanes.read)
    assert lanes.reads == [(3, 10, 20)]


@pytest.mark.parametrize("how", ["cancelled", "failed"])
async def test_when_the_first_does_not_get_it_the_second_reads_for_itself(how) -> None:
    shared, lanes = SharedReads(), Lanes()
    first, second = await both(shared, lanes)
    if how == "cancelled":
        first.cancel()
    else:
        lanes.fails = True
        lanes.go_on.set()
    with pytest.raises((asyncio.CancelledError, StoreUnavailableError)):
        await first
    lanes.go_on.set()
    assert len(await second) == 20
    assert lanes.reads == [(3, 10, 20)] * 2


async def test_the_end_of_a_lane_is_read_again_as_it_grows() -> None:
    shared, lanes = SharedReads(), Lanes()
    lanes.go_on.set()
    assert len(await shared.read((3, 95, 20), lanes.read)) == 5
    await shared.read((3, 95, 20), lanes.read)
    assert len(lanes.reads) == 2


async def test_no_more_than_some_thousand_events_are_kept() -> None:
    shared, lanes = SharedReads(), Lanes()
    lanes.go_on.set()
    for lane in range(1000):
        await shared.read((lane, 10, 20), lanes.read)
    assert sum(len(read.events) for read in shared._reads.values()) == 4000
    await shared.read((999, 10, 20), lanes.read)
    assert len(lanes.reads) == 1000
    await shared.read((0, 10, 20), lanes.read)
    assert len(lanes.reads) == 1001
