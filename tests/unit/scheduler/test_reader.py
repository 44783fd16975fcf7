"""How the queue is read from state."""

import asyncio
import gc

import pytest
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2

from daylily_client.errors import Unavailable
from daylily_runtime.clock import SystemClock
from daylily_scheduler.feed import long_lived
from daylily_scheduler.feed.follower import Follower
from daylily_scheduler.feed.reader import Reader
from daylily_scheduler.feed.refresher import Refresher
from tests.support.fast_clock import FastClock
from tests.support.scheduling import book

READY = {
    "state": workset_pb2.WORKSET_STATE_READY,
    "priority": workset_pb2.PRIORITY_NORMAL,
    "dependencies_met": True,
}


class State:
    """A queue of so many pages with three worksets each, and nothing else.

    Attributes:
        fails: the pages whose answer fails, once.
        held: pages from here on come when the event is set.
        given_up: the pages that nobody waited for any longer.
    """

    def __init__(self, pages, fails=(), held=None):
        self.pages = pages
        self.fails = set(fails)
        self.held = held
        self.asked = []
        self.given_up = []

    async def list_ready_worksets(self, *, page_token, **_):
        number = int(page_token or 0)
        self.asked.append(number)
        if number in self.fails:
            self.fails.remove(number)
            raise Unavailable("no answer")
        if self.held is not None and number >= self.held:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                self.given_up.append(number)
                raise
        following = str(number + 1) if number + 1 < self.pages else ""
        rows = [
            workset_pb2.Workset(workset_id=f"w{number}-{each}", version=1, **READY)
            for each in range(3)
        ]
        return state_pb2.ListReadyWorksetsResponse(worksets=rows, next_page_token=following)

    async def list_worksets(self, **_):
        return state_pb2.ListWorksetsResponse()

    async def list_clusters(self):
        return state_pb2.ListClustersResponse()

    async def list_customers(self):
        return state_pb2.ListCustomersResponse()

    async def get_queue_depth(self):
        return state_pb2.GetQueueDepthResponse()


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


async def test_a_reader_that_is_stopped_waits_for_no_page():
    state, taken = State(3, held=1), asyncio.Event()
    reading = asyncio.ensure_future(Reader(state, SystemClock()).queue(lambda row: taken.set()))
    await taken.wait()
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    await asyncio.sleep(0)
    assert state.given_up == [1]


async def test_a_page_that_cannot_be_taken_in_leaves_none_behind_that_is_asked_for():
    state = State(3, held=1)

    def take(row):
        raise ValueError(row.workset_id)

    with pytest.raises(ValueError, match="w0-0"):
        await Reader(state, SystemClock()).queue(take)
    await asyncio.sleep(0)
    assert state.given_up == [1]


async def test_what_is_read_in_numbers_is_put_out_of_the_garbage_collectors_sight(monkeypatch):
    done = []
    monkeypatch.setattr(gc, "collect", lambda: done.append("collect"))
    monkeypatch.setattr(gc, "freeze", lambda: done.append(len(known.queue)))
    monkeypatch.setattr(long_lived, "EVERY", 4)
    known, clock = book(), SystemClock()
    reader = Reader(State(3), clock)
    refresher = Refresher(reader, known, clock, lambda: None)
    one = Follower(None, reader, refresher, known, clock=clock, settle=lambda: None)
    await one._fill()
    assert done == ["collect", 4, "collect", 8]
