"""A notifier that catches up on 100,000 events which it missed: events a second, and memory.

One event in 28 is for the channel; the others are read, decided about and acknowledged.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.footprint import resident_mib
from benchmarks.loading import CUSTOMERS, PRIORITIES
from benchmarks.measure import progress
from benchmarks.processes import Services, services
from benchmarks.report import Figure, at_least, at_most
from benchmarks.stores import Filled, add_store_option, stores
from benchmarks.telling import finished, notifier, webhook
from daylily_client import AsyncNotifierClient, AsyncStateClient, ClientOptions, DaylilyError

SMALL = ("--events", "280", "--store", "sqlite")
_WANTED = {"event": "registered", "customer": "customer-0", "priority": "urgent"}
_OPTIONS = ClientOptions(timeout=30)


def add_options(parser: argparse.ArgumentParser) -> None:
    add_store_option(parser)
    parser.add_argument("--events", type=int, default=100_000)


@dataclass
class Caught:
    seconds: float = 0.0
    told_seconds: float = 0.0
    messages: int = 0
    memory: list[tuple[int, float]] = field(default_factory=list)
    """MiB after so many events."""
    memory_told: float = 0.0

    def memory_after(self, events: float) -> float:
        return next(mib for handled, mib in self.memory if handled >= events)


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, stores(given.store, Path(folder)) as made:
        filled = made.filled("missed", given.events)
        with services(Path(folder)) as running:
            caught = asyncio.run(_catch_up(running, filled))
    wanted = sum(
        number % CUSTOMERS == 0 and PRIORITIES[number % len(PRIORITIES)].name == "URGENT"
        for number in range(given.events)
    )
    yield Figure("events", given.events)
    yield Figure("events a second", given.events / caught.seconds, "/s", more_is_better=True)
    yield Figure("messages that follow from them", caught.messages, to_reach=at_least(wanted))
    yield Figure("until the last message", caught.told_seconds, "s")
    # What is remembered for speed is full after a fifth; from then on it stays as it is.
    early = caught.memory_after(0.25 * given.events)
    for share in (0.1, 0.25, 0.5, 0.75):
        yield Figure(f"memory after {share:.0%}", caught.memory_after(share * given.events), "MiB")
    flat = at_most(early * 1.1)
    yield Figure("memory after all of them", caught.memory[-1][1], "MiB", to_reach=flat)
    yield Figure("memory after the last message", caught.memory_told, "MiB", to_reach=flat)


async def _catch_up(running: Services, filled: Filled) -> Caught:
    caught = Caught()
    address = running.start("state", filled.settings)
    async with webhook() as hook, AsyncStateClient(address, _OPTIONS) as state:
        channels = {"webhook": {"kind": "webhook", "url": hook.url}}
        begun = time.monotonic()
        at = notifier(running, address, channels, _WANTED)
        process = running.processes[at].pid
        async with AsyncNotifierClient(at, _OPTIONS) as asked:
            handled = 0
            while handled < filled.worksets:
                await asyncio.sleep(0.1)
                try:
                    handled = (await asked.get_notifier_stats()).events_handled
                except DaylilyError:
                    continue
                caught.memory.append((handled, resident_mib(process)))
                progress(f"{handled:,} events")
        caught.seconds = time.monotonic() - begun
        wanted = len(range(0, filled.worksets, CUSTOMERS * len(PRIORITIES)))
        caught.messages = len(await finished(state, "webhook", wanted))
        caught.told_seconds = time.monotonic() - begun
        caught.memory_told = resident_mib(process)
    return caught
