"""What no command makes is said once by two schedulers, and so is its end."""

from dataclasses import replace
from datetime import timedelta

import pytest
from daylily.workset.v1 import cluster_pb2, event_pb2

from daylily_client import AsyncStateClient, ClientOptions
from daylily_runtime.server import running
from daylily_scheduler.alarms import Alarms
from daylily_scheduler.domain.alarms import Thresholds, deadline
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.model import Customer, Estimate, WorksetState
from daylily_scheduler.domain.runtimes import RunTimes
from daylily_state.build import state_server
from daylily_state.settings import StateSettings
from tests.support.scheduling import NOW, cluster, workset

THRESHOLDS = Thresholds(queue_age=timedelta(hours=24), queue_length=3)


class Clock:
    def __init__(self):
        self.time = NOW

    def now(self):
        return self.time

    def monotonic(self):
        return self.time.timestamp()

    async def sleep(self, seconds):
        self.time += timedelta(seconds=seconds)


class Two:
    """Two schedulers that see the same, over one state."""

    def __init__(self, state):
        self.state = state
        self.clock = Clock()
        self.book = Book()
        self.times = RunTimes(8.0)
        self.schedulers = [self.scheduler() for _ in range(2)]

    def scheduler(self):
        return Alarms(
            self.state,
            self.book,
            self.times,
            self.clock,
            thresholds=THRESHOLDS,
            heard_at=self.clock.now,
        )

    async def look(self):
        for scheduler in self.schedulers:
            await scheduler.look()

    async def said(self):
        """The types of all that was published."""
        found = []
        async for answer in self.state.watch_events(from_beginning=True):
            found += [
                event_pb2.EventType.Name(event.type).removeprefix("EVENT_TYPE_")
                + (" over" if event.details and dict(event.details).get("over") else "")
                for event in answer.events
                if event.type not in OTHERS
            ]
            if not answer.events:
                return found
        return found


OTHERS = {event_pb2.EVENT_TYPE_CLUSTER_REGISTERED, event_pb2.EVENT_TYPE_REGISTERED}


@pytest.fixture
async def two(tmp_path):
    settings = StateSettings.load(port=0, sqlite_path=tmp_path / "state.db")
    server = state_server(settings)
    async with running(server):
        await server.wait_serving()
        async with AsyncStateClient(server.address, ClientOptions(actor="scheduler")) as state:
            yield Two(state)


async def test_a_cluster_that_falls_silent_and_comes_back_is_said_once_each(two):
    await two.state.put_cluster(
        cluster_name="c1", capacity=cluster_pb2.Resources(vcpus=8, memory_gb=8, slots=1)
    )
    known = replace(cluster("c1"), heard_at=NOW, report_interval=timedelta(seconds=60))
    two.book.put_cluster(known, NOW)
    await two.look()
    assert await two.said() == []
    two.clock.time += timedelta(seconds=181)
    for _ in range(3):
        await two.look()
    assert await two.said() == ["CLUSTER_SILENT"]
    two.book.hear("c1", two.clock.now(), two.clock.now())
    for _ in range(3):
        await two.look()
    assert await two.said() == ["CLUSTER_SILENT", "CLUSTER_RECOVERED"]


async def test_a_scheduler_that_starts_anew_knows_what_was_said(two):
    known = replace(cluster("c1"), heard_at=NOW - timedelta(hours=1))
    two.book.put_cluster(known, NOW)
    await two.look()
    two.book.hear("c1", NOW, NOW)
    two.schedulers = [two.scheduler()]
    await two.look()
    assert await two.said() == ["CLUSTER_SILENT", "CLUSTER_RECOVERED"]


async def test_a_deadline_that_can_hardly_be_met_is_said_once(two):
    for name, hours in (("late", 1), ("fine", 400)):
        await two.state.register_workset(workset_id=name, bucket="lab", prefix=f"{name}/")
        two.book.put(workset(name, deadline=NOW + timedelta(hours=hours)), NOW)
    await two.look()
    await two.look()
    assert await two.said() == ["DEADLINE_AT_RISK"]


async def test_a_backlog_is_said_once_and_when_it_is_over(two):
    for number in range(5):
        two.book.put(workset(f"ws-{number}", age_s=3600 * (30 - number)), NOW)
    await two.look()
    two.book.forget("ws-0", 2)
    await two.look()
    assert await two.said() == ["QUEUE_BACKLOG", "QUEUE_BACKLOG"]  # its age, and its length
    for number in range(1, 5):
        two.book.forget(f"ws-{number}", 2)
    await two.look()
    assert sorted(await two.said()) == ["QUEUE_BACKLOG"] * 2 + ["QUEUE_BACKLOG over"] * 2


async def test_a_budget_is_said_when_it_is_nearly_and_when_it_is_used_up(two):
    async def spent(usd):
        customer = Customer("acme", budget_usd=100.0, spent_usd=usd)
        two.book.set_customers([customer, Customer("free")])
        await two.look()
        return await two.said()

    assert await spent(79) == []
    assert await spent(80) == ["BUDGET_WARNING"]
    assert await spent(95) == ["BUDGET_WARNING"]
    assert await spent(100) == ["BUDGET_WARNING", "BUDGET_EXHAUSTED"]


async def test_a_scheduler_that_hears_nothing_calls_nobody_silent(two):
    known = replace(cluster("c1"), heard_at=NOW - timedelta(hours=1))
    two.book.put_cluster(known, NOW)
    deaf = Alarms(
        two.state, two.book, two.times, two.clock, thresholds=THRESHOLDS, heard_at=lambda: None
    )
    await deaf.look()
    assert await two.said() == []


async def test_a_run_that_goes_on_for_too_long_is_said_once(two):
    for name, hours in (("late", 4), ("fine", 400)):
        await two.state.register_workset(workset_id=name, bucket="lab", prefix=f"{name}/")
        waits = workset(name, deadline=NOW + timedelta(hours=hours), estimate=Estimate(hours=3))
        two.book.put(waits, NOW)
        two.book.run(name, "c1", 2, started=False, at=NOW)
        two.book.run(name, "c1", 3, started=True, at=NOW)
    await two.look()
    assert await two.said() == []
    for _ in range(2):
        two.clock.time += timedelta(hours=2)
        await two.look()
    assert await two.said() == ["DEADLINE_AT_RISK"]


def test_a_run_is_at_risk_when_what_is_left_of_it_is_longer_than_there_is_time():
    times = RunTimes(8.0)
    waits = workset("ws", deadline=NOW + timedelta(hours=4), estimate=Estimate(hours=3))
    runs = replace(
        waits,
        state=WorksetState.IN_PROGRESS,
        locked=True,
        locked_at=NOW,
        cluster_name="c1",
    )
    assert deadline(runs, times, NOW) is None
    # A run that began now would end too late, and this one began in time.
    assert deadline(runs, times, NOW + timedelta(hours=2)) is None
    late = deadline(runs, times, NOW + timedelta(hours=3, minutes=45))
    assert late.reason.startswith("Its run will hardly end by ")
    assert late.cluster_name == "c1"
    done = replace(runs, state=WorksetState.COMPLETE, locked=False)
    assert deadline(done, times, NOW + timedelta(hours=5)) is None


def test_estimates_decide_about_deadlines():
    short = workset("ws", deadline=NOW + timedelta(hours=4), estimate=Estimate(hours=1))
    assert deadline(short, RunTimes(8.0), NOW) is None
