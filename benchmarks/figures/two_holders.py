"""Two holders of one lock, ever: many monitors, few worksets, short leases, stalls, on DynamoDB Local.

Processes of several monitors each fight for the same worksets through two replicas of state. Some
forget locks and write long after; every few seconds a whole process is stopped beyond its leases, and
goes on where it was. Afterwards what the holders believed is laid side by side, and the audit trail is
read past the services.
"""

import argparse
import asyncio
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from subprocess import Popen

from benchmarks.contender import LEASE_SECONDS
from benchmarks.holding import Line, held_twice, holds, wrong_in_trail
from benchmarks.measure import progress
from benchmarks.processes import PREFIX, on_dynamodb, services
from benchmarks.report import Figure, at_least, at_most
from daylily_client import StateClient
from daylily_state.domain.events import EventType
from daylily_state.store.dynamodb import DynamoDBStore
from tests.chaos.evidence import Tables, read_tables
from tests.chaos.history import lines
from tests.support.dynamodb_local import DynamoDBLocal, run_dynamodb_local
from tests.support.stores import dynamodb_settings

SMALL = (
    "--monitors",
    "4",
    "--processes",
    "2",
    "--seconds",
    "2",
    "--worksets",
    "2",
    "--forgets",
    "0",
)
SECONDS_BETWEEN_STALLS = 2.5
STALL_SECONDS = LEASE_SECONDS + 2.5
LATEST_WRITE_SECONDS = 1.5 * LEASE_SECONDS + 10
CONTENDED = 0.2


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--monitors", type=int, default=32)
    parser.add_argument("--processes", type=int, default=8, help="that the monitors share")
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--worksets", type=int, default=8)
    parser.add_argument("--forgets", type=float, default=0.02, help="share of locks not given back")


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory() as name,
        run_dynamodb_local() as local,
        services(Path(name)) as running,
    ):
        state = ",".join(running.start("state", on_dynamodb(local)) for _ in range(2))
        ids = [f"ws-{number}" for number in range(given.worksets)]
        with StateClient(state) as client:
            for workset_id in ids:
                client.register_workset(workset_id=workset_id, bucket="lab", prefix="p/")
        histories = [running.folder / f"history-{n}.jsonl" for n in range(given.processes)]
        contenders = [
            running.run(
                *("benchmarks.contender", f"p{number}", "--state", state),
                *("--monitors", str(given.monitors // given.processes)),
                *("--seconds", str(given.seconds), "--history", str(history)),
                *("--forgets", str(given.forgets), "--ids", *ids),
            )
            for number, history in enumerate(histories)
        ]
        _stall(contenders, histories, given.seconds)
        for contender in contenders:
            if contender.wait(given.seconds + LATEST_WRITE_SECONDS + STALL_SECONDS):
                raise RuntimeError(f"a contender ended with code {contender.returncode}")
        history = [line for path in histories for line in lines(path)]
        tables = asyncio.run(_tables(local))
    yield from _figures(history, tables)


def _stall(contenders: Sequence["Popen[str]"], histories: Sequence[Path], seconds: float) -> None:
    """Stop one process after the other beyond its leases, then let it go on."""
    while not all(path.exists() and path.stat().st_size for path in histories):
        time.sleep(0.05)
    end = time.monotonic() + seconds
    stopped: list[tuple[float, Popen[str]]] = []
    fresh = iter(contenders)
    while time.monotonic() < end or stopped:
        if time.monotonic() + STALL_SECONDS < end and (contender := next(fresh, None)):
            progress(f"process {contender.pid} stalls")
            contender.send_signal(signal.SIGSTOP)
            stopped.append((time.monotonic() + STALL_SECONDS, contender))
        time.sleep(min(SECONDS_BETWEEN_STALLS, max(0.05, end - time.monotonic())))
        while stopped and stopped[0][0] <= time.monotonic():
            stopped.pop(0)[1].send_signal(signal.SIGCONT)


async def _tables(local: DynamoDBLocal) -> Tables:
    store = DynamoDBStore(dynamodb_settings(local, PREFIX))
    try:
        return await read_tables(store)
    finally:
        await store.close()


def _figures(history: Sequence[Line], tables: Tables) -> Iterator[Figure]:
    said = Counter(line["what"] for line in history)
    expiries = {
        (line["workset"], line["token"]): line["expires_at"]
        for line in history
        if line["what"] == "granted"
    }
    double = held_twice(holds(history))
    wrong = [text for trail in tables.trails.values() for text in wrong_in_trail(trail, expiries)]
    for text in (*map(str, double), *wrong):
        progress(text)
    timeouts = sum(event.type is EventType.LOCK_TIMEOUT for event in tables.events)
    grants = sum(event.type is EventType.LOCK_ACQUIRED for event in tables.events)
    yield Figure("locks that two believed to hold", len(double), to_reach=at_most(0))
    yield Figure("faults in the audit trail", len(wrong), to_reach=at_most(0))
    yield Figure("locks granted, by the trail", grants, more_is_better=True)
    yield Figure("locks granted, by the holders", said["granted"], more_is_better=True)
    yield Figure(
        "share of requests that found the lock held",
        said["refused"] / (said["refused"] + said["granted"]),
        to_reach=at_least(CONTENDED),
        more_is_better=True,
    )
    yield Figure("locks that timed out", timeouts, more_is_better=True)
    yield Figure(
        "late writes refused", said["late refused"] + said["had lost"], more_is_better=True
    )
