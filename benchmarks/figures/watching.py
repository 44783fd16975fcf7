"""From a commit to WatchEvents, on the replica that committed and on another, on DynamoDB Local.

A commit is certain when DynamoDB's answer passes a proxy before the replica that writes; the event has
come when a watcher has it. Worksets are registered at a steady rate, however long each takes.
"""

import argparse
import asyncio
import json
import random
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.claiming import OPTIONS
from benchmarks.measure import percentile, progress
from benchmarks.processes import on_dynamodb, services
from benchmarks.report import Bound, Figure, at_most
from daylily_client import AsyncStateClient
from tests.support.dynamodb_local import run_dynamodb_local

SMALL = ("--seconds", "1", "--watchers", "2")
SAME, OTHER = "same replica", "other replica"
TO_REACH: dict[str, Bound] = {SAME: at_most(20), OTHER: at_most(600)}
WARMING_SECONDS = 3.0
LAST_SECONDS = 3.0
"""Within which every event has to have come, the last one too."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", type=float, default=20.0, help="commits per second")
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--watchers", type=int, default=1, help="on each replica")


Came = list[tuple[str, float]]
"""Ids of events, and when a watcher had each."""


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        run_dynamodb_local() as local,
        services(Path(folder)) as running,
    ):
        proxy = running.run("benchmarks.commit_times", local.endpoint_url)
        assert proxy.stdout is not None
        assert proxy.stdin is not None
        settings = on_dynamodb(local)
        other = running.start("state", settings)
        behind = {"DAYLILY_DYNAMODB_ENDPOINT": proxy.stdout.readline().strip()}
        same = running.start("state", {**settings, **behind})
        since, came = asyncio.run(_watched({SAME: same, OTHER: other}, given))
        proxy.stdin.close()
        committed: dict[str, float] = json.loads(proxy.stdout.readline())
    for replica, bound in TO_REACH.items():
        took = [
            1000 * (at - committed[event_id])
            for event_id, at in came[replica]
            if committed[event_id] >= since
        ]
        yield Figure(f"{replica}, p50", percentile(took, 50), "ms")
        yield Figure(f"{replica}, p99", percentile(took, 99), "ms", to_reach=bound)
        yield Figure(f"{replica}, longest of {len(took):,}", max(took), "ms")


async def _watched(
    replicas: dict[str, str], given: argparse.Namespace
) -> tuple[float, dict[str, Came]]:
    """Registers worksets while watchers watch; since when they count, and what came.

    Raises:
        RuntimeError: an event did not come to every watcher, or twice.
    """
    clients = {name: AsyncStateClient(address, OPTIONS) for name, address in replicas.items()}
    came: dict[str, Came] = {name: [] for name in replicas}
    watching: list[asyncio.Task[None]] = []
    begun: list[asyncio.Event] = []
    for name, client in clients.items():
        for _ in range(given.watchers):
            begun.append(asyncio.Event())
            watching.append(asyncio.create_task(_watch(client, came[name], begun[-1])))
    await asyncio.gather(*(each.wait() for each in begun))
    progress(f"{given.rate:g} commits a second for {given.seconds:g} s")
    await _register(clients[SAME], given.rate, WARMING_SECONDS, "warm")
    since = time.perf_counter()
    await _register(clients[SAME], given.rate, given.seconds, "ws")
    await asyncio.sleep(LAST_SECONDS)
    for task in watching:
        task.cancel()
    await asyncio.gather(*watching, return_exceptions=True)
    for client in clients.values():
        await client.close()
    wanted = round(given.rate * WARMING_SECONDS) + round(given.rate * given.seconds)
    if any(len(each) != wanted * given.watchers for each in came.values()):
        raise RuntimeError("an event did not come to every watcher once")
    return since, came


async def _watch(client: AsyncStateClient, came: Came, begun: asyncio.Event) -> None:
    async for answer in client.watch_events():
        now = time.perf_counter()
        came += [(event.event_id, now) for event in answer.events]
        begun.set()  # the first answer says that the end of the feed is reached


async def _register(client: AsyncStateClient, rate: float, seconds: float, name: str) -> None:
    """At this rate on average, as independent callers would."""
    begun, at = time.perf_counter(), 0.0
    async with asyncio.TaskGroup() as tasks:
        for number in range(round(rate * seconds)):
            at += random.expovariate(rate)
            await asyncio.sleep(begun + at - time.perf_counter())
            tasks.create_task(
                client.register_workset(
                    workset_id=f"{name}-{number}", bucket="lab", prefix=f"runs/{number}/"
                )
            )
