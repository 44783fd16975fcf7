"""Many open event streams at the gateway: commit to each reader, memory, processor time.

Everything on SQLite. The readers run in this process, over raw connections.
"""

import argparse
import asyncio
import json
import tempfile
import time
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.footprint import cpu_seconds, resident_mib
from benchmarks.measure import percentile, progress
from benchmarks.processes import on_sqlite, services
from benchmarks.report import Figure, at_most
from daylily_client import AsyncStateClient

SMALL = ("--streams", "3", "--events", "4")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--streams", type=int, default=200)
    parser.add_argument("--events", type=int, default=100, help="ten a second")


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, services(Path(folder)) as running:
        state = running.start("state", on_sqlite(running.folder))
        gateway = running.start("gateway", {"DAYLILY_STATE_ADDRESS": state})
        pid = running.processes[gateway].pid
        before = resident_mib(pid)
        ticks = cpu_seconds(pid)
        begun = time.perf_counter()
        taken, whole = asyncio.run(_follow(state, gateway, given.streams, given.events))
        share = (cpu_seconds(pid) - ticks) / (time.perf_counter() - begun)
        after = resident_mib(pid)
    yield Figure("streams that got every event", whole, "", to_reach=None, more_is_better=True)
    yield Figure("streams dropped", given.streams - whole, "", to_reach=at_most(0))
    yield Figure("commit to reader, p50", percentile(taken, 50), "ms")
    yield Figure("commit to reader, p99", percentile(taken, 99), "ms", to_reach=at_most(500))
    yield Figure("memory of the gateway before", before, "MiB")
    yield Figure("memory for each stream", (after - before) / given.streams, "MiB")
    yield Figure("processor of the gateway", share * 100, "% of a core")


async def _follow(state: str, gateway: str, streams: int, events: int) -> tuple[list[float], int]:
    taken: list[float] = []
    opened = asyncio.Semaphore(0)
    readers = [asyncio.create_task(_reader(gateway, events, taken, opened)) for _ in range(streams)]
    for number in range(streams):
        await opened.acquire()
        if number % 50 == 49:
            progress(f"{number + 1} streams are open")
    async with AsyncStateClient(state) as client:
        for number in range(events):
            await client.register_workset(
                workset_id=f"ws-{number}", bucket="lab", prefix=f"runs/ws-{number}/"
            )
            await asyncio.sleep(0.1)
    done = await asyncio.gather(
        *(asyncio.wait_for(one, 30) for one in readers), return_exceptions=True
    )
    return taken, sum(one == events for one in done)


async def _reader(gateway: str, events: int, taken: list[float], opened: asyncio.Semaphore) -> int:
    parts = urlsplit(f"http://{gateway}/events")
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"GET /events HTTP/1.1\r\nhost: {parts.netloc}\r\n\r\n".encode())
    await reader.readuntil(b"retry: ")
    opened.release()
    seen = 0
    try:
        while seen < events:
            line = await reader.readline()
            if line.startswith(b"data: {") and b"occurred_at" in line:
                at = datetime.fromisoformat(json.loads(line[6:])["occurred_at"])
                taken.append((time.time() - at.timestamp()) * 1000)
                seen += 1
            if not line:
                break
    finally:
        writer.close()
    return seen
