"""What is learned waits for the queue, which a scheduler that starts has to read first."""

import asyncio

from daylily_runtime.testing import ManualClock
from daylily_scheduler.domain.runtimes import RunTimes
from daylily_scheduler.domain.scores import Scores
from daylily_scheduler.feed.learning import Learner
from daylily_scheduler.feed.reader import Reader
from tests.support.scheduling import NOW


class Silent:
    """A state that never answers, and keeps what it was asked for."""

    def __init__(self):
        self.asked = []

    def __getattr__(self, name):
        async def call(**_):
            self.asked.append(name)
            await asyncio.Event().wait()

        return call


async def test_nothing_is_asked_of_state_before_the_queue_was_read():
    clock, state, caught_up = ManualClock(NOW), Silent(), asyncio.Event()
    learner = Learner(
        state, Reader(state, clock), RunTimes(8.0), Scores(), clock=clock, after=caught_up
    )
    task = asyncio.create_task(learner.run())
    await clock.settle()
    assert state.asked == []
    caught_up.set()
    await clock.settle()
    assert state.asked == ["get_snapshot"]
    task.cancel()
