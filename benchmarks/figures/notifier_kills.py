"""A notifier that is killed at random points: what is lost, and what a person sees twice.

The state service runs here, and each life of the notifier is a process that is killed by SIGKILL. Time runs
faster than the wall, so that leases of the dead are over soon. The channels keep what they are sent, and the
keys they saw, as a service does that drops repeats. Every event is followed by its identity: from the feed to
the message that told of it, or to the digest that it is in.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from daylily.workset.v1 import delivery_pb2, event_pb2, workset_pb2

from benchmarks.report import Figure, at_most
from daylily_client import AsyncStateClient, ClientOptions, DaylilyError, async_pages
from daylily_runtime import configure_logging
from tests.integration.notifier.people import cluster, complete, fail, register, retry
from tests.integration.notifier.state_service import state_server
from tests.support.accounts import Account, account, by_pagerduty, by_webhook
from tests.support.fast_clock import FastClock
from tests.support.mortal_notifier import Life, born, ended, kill
from tests.support.notified import KEY, PagerDuty, config
from tests.support.places import Place, Reply, place
from tests.support.ports import free_port

SMALL = ("--kills", "5")
_WAITS = frozenset({delivery_pb2.DELIVERY_STATE_PENDING, delivery_pb2.DELIVERY_STATE_CLAIMED})
_LONGEST_LIFE = 0.9
_TOLD = ("external", "cluster_silent", "error", "completion")
_TROUBLES = ("CLUSTER_SILENT", "FAILED")
_ENDS = ("CLUSTER_RECOVERED", "COMPLETED")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--kills", type=int, default=1000)
    parser.add_argument("--speed", type=float, default=40.0, help="seconds that pass in one")
    parser.add_argument("--seed", type=int, default=1)


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    configure_logging("critical", "json")
    with tempfile.TemporaryDirectory() as folder:
        run = asyncio.run(_run(Path(folder), given))
    yield Figure("kills", run.kills)
    yield Figure("events to tell of", len(run.events))
    for name, number in sorted(Counter(run.events.values()).items()):
        yield Figure(f"of them {name}", number)
    for name, found in run.accounts.items():
        yield Figure(f"events lost, {name}", len(found.lost), "", to_reach=at_most(0))
        yield Figure(f"shown twice, {name}", len(found.twice), "", to_reach=at_most(0))
    yield Figure("incidents left open", run.left_open, "", to_reach=at_most(0))
    yield Figure("messages sent again with their key", run.repeats)
    yield Figure("seconds", run.seconds, "s")


@dataclass
class Run:
    kills: int = 0
    events: dict[str, str] = field(default_factory=dict)
    """The type of each event that somebody is to be told of, by its id."""
    open_clusters: list[str] = field(default_factory=list)
    worksets: list[str] = field(default_factory=list)
    repeats: int = 0
    left_open: int = 0
    seconds: float = 0.0
    accounts: dict[str, Account] = field(default_factory=dict)

    def of(self, *types: str) -> list[str]:
        return [event_id for event_id, name in self.events.items() if name in types]


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
            world = World(state, config(chat.url, pager.url, _TOLD), server.address, clock, draw)
            for number in range(given.kills):
                await _one_life(run, number, world)
                if number % 50 == 49:
                    print(f"{number + 1} kills", file=sys.stderr, flush=True)
            last = born(world.life("last"))
            try:
                await _end_all(state, run)
                await _read_worksets(state, run)
                deliveries = await _all_told(state, run)
            finally:
                await kill(last)
            _judge(run, chat, pagerduty, deliveries)
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
    """A message from outside, a cluster that falls silent, and a workset that fails; some that did so
    before are back, failed again, or complete.
    """
    outside = event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_SYSTEM, id="outside")
    await _publish(state, run, outside, "EXTERNAL", f"message {number}")
    await _publish(state, run, cluster(f"c{number}"), "CLUSTER_SILENT", "no report")
    run.open_clusters.append(f"c{number}")
    workset = f"ws-{number}"
    await register(state, workset)
    await fail(state, workset)
    run.worksets.append(workset)
    if number >= 3:
        back = cluster(run.open_clusters.pop(0))
        await _publish(state, run, back, "CLUSTER_RECOVERED", "back")
        before = run.worksets[number - 3]
        await retry(state, before)
        await (fail if number % 2 else complete)(state, before)


async def _end_all(state: AsyncStateClient, run: Run) -> None:
    """Clusters are back, and what failed is complete after all."""
    for name in run.open_clusters:
        await _publish(state, run, cluster(name), "CLUSTER_RECOVERED", "back")
    for workset in run.worksets:
        answer = await state.get_workset(workset_id=workset)
        if answer.workset.state == workset_pb2.WORKSET_STATE_ERROR:
            await retry(state, workset)
            await complete(state, workset)


async def _publish(
    state: AsyncStateClient, run: Run, subject: event_pb2.Subject, kind: str, reason: str
) -> None:
    answer = await state.publish_event(
        subject=subject, type=event_pb2.EventType.Value(f"EVENT_TYPE_{kind}"), reason=reason
    )
    run.events[answer.event.event_id] = kind


async def _read_worksets(state: AsyncStateClient, run: Run) -> None:
    for workset in run.worksets:
        async for page in async_pages(state.list_events, workset_id=workset):
            for event in page.events:
                name = event_pb2.EventType.Name(event.type).removeprefix("EVENT_TYPE_")
                if name in {"FAILED", "COMPLETED"}:
                    run.events[event.event_id] = name


async def _all_told(state: AsyncStateClient, run: Run) -> list[delivery_pb2.Delivery]:
    """All deliveries, as soon as everything is recorded and nothing waits."""
    wanted = set(run.events)
    while True:
        deliveries = await _deliveries(state)
        seen = {each.event.event_id for each in deliveries}
        if wanted <= seen and not any(each.state in _WAITS for each in deliveries):
            return deliveries
        await asyncio.sleep(2)


async def _deliveries(state: AsyncStateClient) -> list[delivery_pb2.Delivery]:
    while True:
        try:
            return [
                delivery
                async for page in async_pages(state.list_deliveries, page_size=500)
                for delivery in page.deliveries
            ]
        except DaylilyError:
            await asyncio.sleep(0.5)


def _judge(
    run: Run, chat: Place, pagerduty: PagerDuty, deliveries: Sequence[delivery_pb2.Delivery]
) -> None:
    shown = by_webhook(chat.requests)
    run.repeats = len(chat.requests) - len(shown)
    run.accounts["webhook"] = account(
        run.of("EXTERNAL", *_TROUBLES, *_ENDS),
        shown,
        [each for each in deliveries if each.channel == "chat"],
    )
    run.accounts["PagerDuty"] = account(
        run.of("EXTERNAL", *_TROUBLES),
        by_pagerduty(pagerduty.incidents),
        [each for each in deliveries if each.channel == "pager"],
        tracks=True,
    )
    run.left_open = sum(pagerduty.is_open(key) for key in pagerduty.incidents)
    for name, found in run.accounts.items():
        for word, each in (("lost", found.lost), ("twice", found.twice)):
            for event_id in each:
                kind = run.events.get(event_id, "")
                print(f"{name}: {word}: {kind} {event_id}", file=sys.stderr, flush=True)
