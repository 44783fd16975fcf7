"""A notifier that is killed at random points: what is lost, and what a person sees twice.

The state service runs here, and each life of the notifier is a process that is killed by SIGKILL. Time runs
faster than the wall, so that leases of the dead are over soon. The channels keep what they are sent, and the
keys they saw, as a service does that drops repeats.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from daylily.workset.v1 import delivery_pb2, event_pb2

from benchmarks.report import Figure, at_most
from daylily_client import AsyncStateClient, ClientOptions, DaylilyError, async_pages
from daylily_runtime import configure_logging
from tests.integration.notifier.state_service import state_server
from tests.support.fast_clock import FastClock
from tests.support.mortal_notifier import Life, born, ended, kill
from tests.support.notified import KEY, PagerDuty, config
from tests.support.places import Place, Reply, place
from tests.support.ports import free_port

SMALL = ("--kills", "5")
_WAITS = [delivery_pb2.DELIVERY_STATE_PENDING, delivery_pb2.DELIVERY_STATE_CLAIMED]
_LONGEST_LIFE = 0.9


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--speed", type=float, default=40.0, help="seconds that pass in one")
    parser.add_argument("--seed", type=int, default=1)


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    configure_logging("critical", "json")
    with tempfile.TemporaryDirectory() as folder:
        run = asyncio.run(_run(Path(folder), given))
    yield Figure("kills", run.kills)
    yield Figure("events", run.externals + run.troubles + run.ends)
    for name, seen in run.seen.items():
        yield Figure(f"events lost, {name}", seen.lost, "", to_reach=at_most(0))
        yield Figure(f"shown twice, {name}", seen.twice, "", to_reach=at_most(0))
    yield Figure("messages sent again with their key", run.repeats)
    yield Figure("seconds", run.seconds, "s")


@dataclass
class Seen:
    lost: int = 0
    twice: int = 0


@dataclass
class Run:
    kills: int = 0
    externals: int = 0
    troubles: int = 0
    ends: int = 0
    repeats: int = 0
    seconds: float = 0.0
    seen: dict[str, Seen] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """What all lives have in common."""

    state: AsyncStateClient
    config: str
    address: str
    clock: FastClock
    draw: random.Random

    def life(self, owner_id: str) -> Life:
        return Life(self.config, {"KEY": KEY}, self.address, owner_id, self.clock)


async def _run(folder: Path, given: argparse.Namespace) -> Run:
    run, clock, port = Run(), FastClock(given.speed), free_port()
    draw = random.Random(given.seed)
    pagerduty = PagerDuty()
    begun = time.monotonic()
    server = state_server(folder, port, clock)
    await server.start()
    try:
        await server.wait_serving()
        async with (
            place(lambda _: Reply(200)) as chat,
            place(pagerduty.answer) as pager,
            AsyncStateClient(server.address, ClientOptions(actor="bench", timeout=20)) as state,
        ):
            world = World(state, config(chat.url, pager.url), server.address, clock, draw)
            for number in range(given.kills):
                await _one_life(run, number, world)
                if number % 50 == 49:
                    print(f"{number + 1} kills", file=sys.stderr, flush=True)
            last = born(world.life("last"))
            try:
                await _all_told(state, run)
            finally:
                await kill(last)
            _judge(run, chat, pagerduty)
    finally:
        await server.stop()
    run.seconds = time.monotonic() - begun
    return run


async def _one_life(run: Run, number: int, world: World) -> None:
    lived = born(world.life(f"n{number}"))
    killed_at = time.monotonic() + world.draw.uniform(0.05, _LONGEST_LIFE)
    try:
        await _tell(world.state, run, number)
        await ended(lived, max(0.0, killed_at - time.monotonic()))
    finally:
        run.kills += lived.exitcode is None
        await kill(lived)


async def _tell(state: AsyncStateClient, run: Run, number: int) -> None:
    """A message from outside, a cluster that falls silent, and another that is back."""
    outside = event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_SYSTEM, id="outside")
    await state.publish_event(
        subject=outside, type=event_pb2.EVENT_TYPE_EXTERNAL, reason=f"message {number}"
    )
    run.externals += 1
    await state.publish_event(
        subject=_cluster(number), type=event_pb2.EVENT_TYPE_CLUSTER_SILENT, reason="no report"
    )
    run.troubles += 1
    if number >= 3:
        await state.publish_event(
            subject=_cluster(number - 3), type=event_pb2.EVENT_TYPE_CLUSTER_RECOVERED, reason="back"
        )
        run.ends += 1


def _cluster(number: int) -> event_pb2.Subject:
    return event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_CLUSTER, id=f"c{number}")


async def _all_told(state: AsyncStateClient, run: Run) -> None:
    """Return when everything is recorded and nothing waits."""
    wanted = 2 * (run.externals + run.troubles + run.ends)
    while await _count(state, []) < wanted or await _count(state, _WAITS):  # noqa: ASYNC110
        await asyncio.sleep(0.5)


async def _count(
    state: AsyncStateClient, states: "Iterable[delivery_pb2.DeliveryState.ValueType]"
) -> int:
    while True:
        try:
            return sum(
                [
                    len(page.deliveries)
                    async for page in async_pages(
                        state.list_deliveries, states=states, page_size=500
                    )
                ]
            )
        except DaylilyError:
            await asyncio.sleep(0.5)


def _judge(run: Run, chat: Place, pagerduty: PagerDuty) -> None:
    shown = {request.json["id"]: request.json for request in chat.requests}
    counted: Counter[str] = Counter()
    for message in shown.values():
        attributes = message["attributes"]
        counted[attributes["event_type"]] += int(attributes.get("count", "1"))
    expected = {
        "EXTERNAL": run.externals,
        "CLUSTER_SILENT": run.troubles,
        "CLUSTER_RECOVERED": run.ends,
    }
    run.seen["webhook"] = Seen(
        sum(max(0, number - counted[name]) for name, number in expected.items()),
        sum(max(0, counted[name] - number) for name, number in expected.items()),
    )
    run.repeats = len(chat.requests) - len(shown)
    told: Counter[str] = Counter()
    for events in pagerduty.incidents.values():
        trigger = next(each for each in events if each["event_action"] == "trigger")
        details = trigger["payload"]["custom_details"]
        told[trigger["payload"]["class"]] += int(details.get("Count", "1"))
    wanted = {"EXTERNAL": run.externals, "CLUSTER_SILENT": run.troubles}
    run.seen["PagerDuty"] = Seen(
        sum(max(0, number - told[name]) for name, number in wanted.items()),
        sum(max(0, told[name] - number) for name, number in wanted.items()),
    )
