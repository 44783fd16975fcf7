"""Two replicas of state, both saturated, against one, on DynamoDB Local.

Callers take locks as fast as they can, through one replica and through both in turns. A lane conflict
is a commit that found the next slot of its lane taken, by the other replica, and was decided again.
"""

import argparse
import asyncio
import re
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Awaitable, Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.measure import Took, in_turns, together
from benchmarks.processes import on_dynamodb, services
from benchmarks.report import Figure
from daylily_client import AsyncStateClient, ClientOptions, duration
from tests.support.dynamodb_local import run_dynamodb_local
from tests.support.ports import free_port

SMALL = ("--callers", "4", "--locks", "12", "--rounds", "1")
LEASE = duration(900)
SLOT_CONFLICTS = re.compile(r'^daylily_commit_conflicts_total\{clash="slot"\} (\S+)$', re.MULTILINE)


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--callers", type=int, default=32)
    parser.add_argument("--locks", type=int, default=480, help="of all callers, each round")
    parser.add_argument("--rounds", type=int, default=5, help="of both sides, in turns")


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        run_dynamodb_local() as local,
        services(Path(folder)) as running,
    ):
        metrics = [free_port(), free_port()]
        replicas = [
            running.start("state", on_dynamodb(local, metrics_port=str(port))) for port in metrics
        ]
        both = ",".join(replicas)

        def side(addresses: str) -> tuple[Took, float]:
            before = sum(map(_slot_conflicts, metrics))
            took = asyncio.run(_lock_all(addresses, given.callers, given.locks))
            return took, sum(map(_slot_conflicts, metrics)) - before

        found = in_turns(
            given.rounds, {"one": lambda: side(replicas[0]), "two": lambda: side(both)}
        )
    rates = {name: together(took for took, _ in rounds) for name, rounds in found.items()}
    locks = given.rounds * given.locks
    for name, replicas_said in (("one", "one replica"), ("two", "two replicas")):
        rate = rates[name].per_second
        ratio = rate / rates["one"].per_second if name == "two" else None
        yield Figure(f"{replicas_said}, locks per second", rate, "/s", ratio, more_is_better=True)
        yield Figure(f"{replicas_said}, AcquireLock, p50", rates[name].percentile(50), "ms")
        conflicts = sum(count for _, count in found[name])
        yield Figure(f"{replicas_said}, lane conflicts in 100 locks", 100 * conflicts / locks)


def _slot_conflicts(port: int) -> float:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        found = SLOT_CONFLICTS.search(page.read().decode())
    return float(found[1]) if found else 0.0


async def _lock_all(addresses: str, callers: int, count: int) -> Took:
    async with AsyncStateClient(addresses, ClientOptions(timeout=60)) as state:
        ids = [f"ws-{uuid.uuid4().hex}" for _ in range(count)]
        await _by_all(
            callers,
            ids,
            lambda workset_id: state.register_workset(
                workset_id=workset_id, bucket="lab", prefix=f"runs/{workset_id}/"
            ),
        )
        return await _by_all(
            callers,
            ids,
            lambda workset_id: state.acquire_lock(
                workset_id=workset_id, owner_id="caller", lease=LEASE
            ),
        )


async def _by_all(
    callers: int, ids: Sequence[str], call: Callable[[str], Awaitable[object]]
) -> Took:
    """One call for each id, by so many callers at once."""
    left = iter(ids)
    each: list[float] = []

    async def one_caller() -> None:
        for workset_id in left:
            begun = time.perf_counter()
            await call(workset_id)
            each.append(time.perf_counter() - begun)

    begun = time.perf_counter()
    await asyncio.gather(*(one_caller() for _ in range(callers)))
    return Took(each, time.perf_counter() - begun)
