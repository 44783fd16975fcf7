"""How the queue is read from state."""

import asyncio
import gc

import pytest
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2

from daylily_client.errors import Unavailable
from daylily_runtime.clock import SystemClock
from daylily_scheduler.feed import follower
from daylily_scheduler.feed.follower import Follower
from daylily_scheduler.feed.reader import Reader
from daylily_scheduler.feed.refresher import Refresher
from tests.support.fast_clock import FastClock
from tests.support.scheduling import NOW, book

READY = {
    "state": workset_pb2.WORKSET_STATE_READY,
    "priority": workset_pb2.PRIORITY_NORMAL,
    "dependencies_met": True,
}


class State:
    """A queue of so many pages with three worksets each; `fails` says which answers do, once."""

    def __init__(self, pages, fails=()):
        self.pages = pages
        self.fails = set(fails)
        self.asked = []

    async def list_ready_worksets(self, *, page_token, **_):
        number = int(page_token or 0)
        self.asked.append(number)
        if number in self.fails:
            self.fails.remove(number)
            raise Unavailable("no answer")
        following = str(number + 1) if number + 1 < self.pages else ""
        rows = [
            workset_pb2.Workset(workset_id=f"w{number}-{each}", version=1, **READY)
            for each in range(3)
        ]
        return state_pb2.ListReadyWorksetsResponse(worksets=rows, next_page_token=following)


async def test_the_next_page_is_asked_for_while_one_is_taken_in():
    state, seen = State(3), []
    reader = Reader(state, SystemClock())
    await reader.queue(lambda row: seen.append((row.workset_id, max(state.asked))))
    assert [each for each, _ in seen] == [
        f"w{page}-{each}" for page in range(3) for each in range(3)
    ]
    assert [asked for _, asked in seen] == [1, 1, 1, 2, 2, 2, 2, 2, 2]


async def test_a_queue_is_read_from_its_beginning_when_an_answer_fails():
    state, seen = State(3, fails={1}), []
    await Reader(state, FastClock(1000)).queue(lambda row: seen.append(row.workset_id))
    assert state.asked == [0, 1, 0, 1, 2]
    assert seen[:3] == seen[3:6] == ["w0-0", "w0-1", "w0-2"]
    assert len(seen) == 12


async def test_a_reader_that_is_stopped_asks_for_nothing_more():
    state, taken = State(1000), asyncio.Event()
    reading = asyncio.ensure_future(Reader(state, SystemClock()).queue(lambda row: taken.set()))
    await taken.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    asked = len(state.asked)
    await asyncio.sleep(0.01)
    assert len(state.asked) == asked < 1000


async def test_what_is_read_in_numbers_is_kept_from_the_garbage_collector(monkeypatch):
    frozen = []
    monkeypatch.setattr(gc, "freeze", lambda: frozen.append(len(known.queue)))
    monkeypatch.setattr(follower, "OUT_OF_SIGHT", 4)
    known, clock = book(), SystemClock()
    reader = Reader(State(3), clock)
    one = Follower(
        None,
        reader,
        Refresher(reader, known, clock, lambda: None),
        known,
        clock=clock,
        settle=lambda: None,
    )
    await reader.queue(lambda row: one._take(row, NOW))
    assert frozen == [4, 8]
