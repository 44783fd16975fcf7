"""A notifier that is killed between any two steps of a delivery loses nothing and shows nothing twice."""

import ast
import asyncio
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from daylily.workset.v1 import delivery_pb2, event_pb2

import daylily_notifier.feed
from daylily_client import AsyncStateClient, async_pages
from daylily_client.calls import state as calls
from daylily_client.rpc import Rpc
from tests.integration.notifier.deployment import QUICK, Deployment, deployment, tell, until
from tests.integration.notifier.people import cluster
from tests.support.accounts import account, by_pagerduty, by_webhook
from tests.support.fast_clock import FastClock
from tests.support.mortal_notifier import Life, born, ended, kill
from tests.support.notified import KEY, PagerDuty, config
from tests.support.places import Place, Reply, place

WAITS = {delivery_pb2.DELIVERY_STATE_PENDING, delivery_pb2.DELIVERY_STATE_CLAIMED}
SILENT = event_pb2.EVENT_TYPE_CLUSTER_SILENT
BACK = event_pb2.EVENT_TYPE_CLUSTER_RECOVERED

# The durable writes and reads of a delivery, and the message itself: each before and after is a
# point at which the test kills.
STAGES = {
    "taking": [
        "AcquireConsumer",
        "RenewConsumer",
        "GetSnapshot",
        "ClaimDeliveries",
        "GetDelivery",
    ],
    "recording": ["GetEpisode", "PutDeliveries", "PutEpisode", "AckEvents"],
    "sending": ["send", "UpdateDelivery"],
}
CALLS = [call for calls in STAGES.values() for call in calls]
STEPS = [f"{when} {call}" for call in CALLS for when in ("before", "after")]
OFTEN = ["PutDeliveries", "PutEpisode", "ClaimDeliveries", "send", "UpdateDelivery"]
LATER = (1, 3, 5)
"""So often a step that comes often is survived, in further lives."""
PACE = 0.05
"""Seconds between two events."""
SECONDS = 40
"""In which a life has to come to its end: what it takes is under one."""
OTHERS = {"PutSnapshot", "ReleaseConsumer", "WatchEvents", "ListDeliveries"}
"""Calls in the same package that are no step of a delivery: by people, at an orderly end, the stream that is
read, and the look back at what was sent where there is a rate."""


@dataclass
class Told:
    """What happened: messages from outside, clusters that fall silent, and their returns."""

    outside: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    back: list[str] = field(default_factory=list)

    async def another(self, state):
        """One more. The troubles overlap, so that digests have several of them."""
        if len(self.silent) - len(self.back) >= 4:
            about = cluster(f"c{len(self.back)}")
            self.back.append(await tell(state, "back", subject=about, type=BACK))
        elif len(self.outside) * 3 <= len(self.silent):
            self.outside.append(await tell(state, f"message {len(self.outside)}"))
        else:
            await self.trouble(state)

    async def trouble(self, state):
        about = cluster(f"c{len(self.silent)}")
        self.silent.append(await tell(state, "no report", subject=about, type=SILENT))

    async def ends(self, state):
        """What is open still."""
        for number in range(len(self.back), len(self.silent)):
            about = cluster(f"c{number}")
            self.back.append(await tell(state, "back", subject=about, type=BACK))

    @property
    def everything(self):
        return [*self.outside, *self.silent, *self.back]


@dataclass
class Lab:
    """A system of its own: state, and two channels that show what they were sent."""

    deployed: Deployment
    state: AsyncStateClient
    chat: Place
    pagerduty: PagerDuty
    config: str
    told: Told = field(default_factory=Told)

    def life(self, owner_id, **options):
        return Life(
            config=self.config,
            environment={"KEY": KEY},
            state_address=self.deployed.state_address,
            owner_id=owner_id,
            clock=self.deployed.clock,
            **options,
        )

    async def all_told(self):
        """Return when everything is recorded and nothing waits."""

        async def is_over():
            deliveries = await self.deliveries()
            return len(deliveries) == 2 * len(self.told.everything) and not any(
                each.state in WAITS for each in deliveries
            )

        await until(is_over, 60, every=0.2)

    async def deliveries(self):
        return [
            delivery
            async for page in async_pages(self.state.list_deliveries, page_size=500)
            for delivery in page.deliveries
        ]

    async def nothing_lost_and_nothing_twice(self):
        """As a receiver sees it that keeps the keys it saw."""
        by_channel = {"chat": [], "pager": []}
        for each in await self.deliveries():
            by_channel[each.channel].append(each)
        chat = account(self.told.everything, by_webhook(self.chat.requests), by_channel["chat"])
        pager = account(
            [*self.told.outside, *self.told.silent],
            by_pagerduty(self.pagerduty.incidents),
            by_channel["pager"],
            tracks=True,
        )
        assert not chat.lost
        assert not chat.twice
        assert not pager.lost
        assert not pager.twice
        for key, events in self.pagerduty.incidents.items():
            is_trouble = events[0]["payload"]["class"] == "CLUSTER_SILENT"
            assert (self.pagerduty.actions(key)[-1] == "resolve") is is_trouble


@asynccontextmanager
async def laboratory(folder):
    folder.mkdir(exist_ok=True)
    pagerduty = PagerDuty()
    async with (
        deployment(folder, FastClock(20)) as deployed,
        AsyncStateClient(deployed.state_address, QUICK) as state,
        place(lambda _: Reply(200)) as chat,
        place(pagerduty.answer) as pager,
    ):
        yield Lab(deployed, state, chat, pagerduty, config(chat.url, pager.url))


def fault_points(calls):
    return [
        (f"{when} {call}", survived)
        for call in calls
        for when in ("before", "after")
        for survived in (0, *(LATER if call in OFTEN else ()))
    ]


async def lives_that_end(lab, points):
    """Each takes over from one that died at the point before, and is killed by SIGKILL itself."""
    for number, (step, survived) in enumerate(points):
        life = born(lab.life(f"n{number}", dies_at=(step, survived)))
        try:
            async with asyncio.timeout(SECONDS):
                while not await ended(life, PACE):
                    await lab.told.another(lab.state)
        except TimeoutError:
            pytest.fail(f"no life came {step} more than {survived} times")
        finally:
            await kill(life)
    last = born(lab.life("last"))
    try:
        await lab.told.ends(lab.state)
        await lab.all_told()
    finally:
        await kill(last)
    await lab.nothing_lost_and_nothing_twice()


async def test_notifiers_that_are_killed_between_any_two_steps_lose_nothing(tmp_path):
    """A system for each stage, beside each other: most of a life waits for what the one before had."""

    async def one(name, calls):
        async with laboratory(tmp_path / name) as lab:
            await lives_that_end(lab, fault_points(calls))

    async with asyncio.TaskGroup() as systems:
        for name, calls in STAGES.items():
            systems.create_task(one(name, calls), name=name)


async def test_the_fault_points_are_all_there_are(tmp_path):
    trace = tmp_path / "trace"
    async with laboratory(tmp_path) as lab:
        lived = born(lab.life("n1", trace=trace))
        try:
            for _ in range(12):
                await lab.told.another(lab.state)
            await lab.told.ends(lab.state)
            await lab.all_told()

            async def renewed():
                return "after RenewConsumer" in trace.read_text()

            await until(renewed)
        finally:
            await kill(lived)
        await lab.nothing_lost_and_nothing_twice()
    assert set(trace.read_text().splitlines()) == set(STEPS)


def test_no_call_to_state_in_the_delivery_path_is_without_a_fault_point():
    """Also one that the story above never comes to."""
    names = {
        name.lower(): value.name for name, value in vars(calls).items() if isinstance(value, Rpc)
    }
    folder = Path(daylily_notifier.feed.__file__).parent
    called = {
        names[node.attr]
        for file in folder.glob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        if isinstance(node, ast.Attribute)
        and node.attr in names
        and hasattr(AsyncStateClient, node.attr)
    }
    assert called - OTHERS == set(CALLS) - {"send"}
