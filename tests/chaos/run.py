"""One run: bring the system up, disturb it, let it come to rest, and collect the evidence."""

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from urllib.parse import unquote_plus

from daylily_client import DaylilyError
from daylily_state.domain.cursor import BEGINNING
from daylily_state.domain.model import LANES
from daylily_state.domain.records import DeliveryState
from tests.chaos.evidence import Counted, Evidence, Life, Reaped, Tables, read_tables
from tests.chaos.faults import Injector
from tests.chaos.history import calls, lines
from tests.chaos.hits import hit
from tests.chaos.monitor import LEASE
from tests.chaos.options import Plan
from tests.chaos.recorder import counts_of
from tests.chaos.sink import field_of, run_sink
from tests.chaos.stores import Backend, run_backend
from tests.chaos.system import System, running

_EVENT_ID = re.compile(r"^(?:Event|Digest):\s+(\w+)", re.MULTILINE)
_ENDED = re.compile(rb'"what": "end"')
# For which nothing may get less after the last fault: a lease runs out, a replica gets fit.
_SECONDS_TO_SETTLE = 3 * LEASE + 30
_WARM_UP = 1.5


async def run(plan: Plan, folder: Path) -> Evidence:
    """Carry a plan out in an empty folder, which keeps histories and logs."""
    with run_sink() as sink, run_backend(plan.store, plan.shape.states, folder) as backend:
        async with running(plan, folder, backend, sink) as system:
            injector = Injector(system)
            await asyncio.sleep(_WARM_UP)
            await _disturb(system, injector)
            ended_at = time.monotonic()
            settled = await _settle(system, backend)
            settled_at = time.monotonic()
            counted = await _ask_counts(system)
            for process in system.processes:
                process.note_death()
            tables = await _read(backend)
        deaths = [
            f"{process.name} ended by itself with {code}"
            for process in system.processes
            for code in process.deaths
        ]
        recorded = list(lines(folder / "recorded.jsonl"))
        return Evidence(
            plan=plan,
            folder=folder,
            tables=tables,
            calls=calls(folder),
            kinds=frozenset(injector.kinds),
            faults=injector.done,
            fit=system.fit,
            reaped=[*_reaped(folder, plan.shape.states)],
            lives=[
                Life(process.name, begun or 0.0, ended)
                for process in system.processes
                for begun, ended in process.lives
            ],
            recorded=[
                (workset_id, version)
                for line in recorded
                if line["what"] == "events"
                for workset_id, version, _ in line["seen"]
            ],
            counted=[
                Counted(line["counts"], line["total"], line["cursor"])
                for line in recorded
                if line["what"] == "counts"
            ]
            + counted,
            arrived=frozenset(map(_event_id, sink.arrived)),
            notifiers=system.notifiers_calls.seen,
            deaths=deaths,
            ended_at=ended_at,
            settled_at=settled_at,
            wall_ahead=time.time() - time.monotonic(),
            settled=settled,
        )


async def _disturb(system: System, injector: Injector) -> None:
    """Faults until there were enough of them and of operations, or the time is over."""
    plan = system.plan
    end = time.monotonic() + plan.minutes * 60
    making = asyncio.create_task(injector.run(plan.seconds_apart))
    try:
        while time.monotonic() < end:
            await asyncio.sleep(0.5)
            for process in system.processes:
                process.note_death()
            if making.done():
                making.result()
            enough = len(injector.done) >= plan.faults and _answered(system) >= plan.operations
            if not enough or plan.to_the_end:
                continue
            missed = await asyncio.to_thread(_missed, system, injector)
            if not missed:
                break
            injector.prefer(missed)
            await asyncio.sleep(2.0)
    finally:
        making.cancel()
        await asyncio.gather(making, return_exceptions=True)
        await injector.finish()


def _missed(system: System, injector: Injector) -> set[str]:
    """Kinds of faults that have not hit operations in flight yet."""
    made = [fault for fault in injector.done if fault.ended]
    found = calls(system.folder)
    notifiers = list(system.notifiers_calls.seen)
    return set(injector.kinds) - {f.kind for f in made if hit(f, found, notifiers)}


def _answered(system: System) -> int:
    return sum(
        len(_ENDED.findall(path.read_bytes())) for path in system.folder.glob("history-*.jsonl")
    )


async def _settle(system: System, backend: Backend) -> bool:
    """Monitors finish what they do and end; then every lock ends, and every event is delivered."""
    for monitor in system.monitors:
        monitor.ask_to_end()
    for monitor in system.monitors:
        await asyncio.to_thread(monitor.end)
    return await comes_to_rest(lambda: _left_to_do(system, backend))


async def comes_to_rest(left_to_do: Callable[[], Awaitable[int]]) -> bool:
    """Whether nothing is left in the end. As long as it gets less, it is not stuck, only slow."""
    least = await left_to_do()
    give_up = time.monotonic() + _SECONDS_TO_SETTLE
    while least and time.monotonic() < give_up:
        await asyncio.sleep(1.0)
        left = await left_to_do()
        if left < least:
            least, give_up = left, time.monotonic() + _SECONDS_TO_SETTLE
    return not least


async def _left_to_do(system: System, backend: Backend) -> int:
    """Locks that are held, deliveries that are due, and events that a consumer has not seen."""
    tables = await _read(backend)
    pending = {DeliveryState.PENDING, DeliveryState.CLAIMED}
    seen = {
        (workset_id, version)
        for line in lines(system.folder / "recorded.jsonl")
        if line["what"] == "events"
        for workset_id, version, _ in line["seen"]
    }
    return (
        sum(row.lock is not None for row in tables.worksets.values())
        + sum(delivery.state in pending for delivery in tables.deliveries)
        + sum((event.subject_id, event.version) not in seen for event in tables.events)
        + await _notifier_is_behind(backend)
    )


async def _notifier_is_behind(backend: Backend) -> int:
    """How many events the notifier has not acknowledged yet."""
    store = backend.open()
    try:
        consumer = await store.get_consumer("notifier")
        heads = await store.heads()
    finally:
        await store.close()
    position = consumer.position if consumer is not None else BEGINNING
    return sum(max(heads[lane] - position[lane], 0) for lane in range(LANES))


async def _ask_counts(system: System) -> list[Counted]:
    """What every replica says in the end."""
    found = []
    for replica in range(system.plan.shape.states):
        async with system.direct_state(replica) as state:
            try:
                answer = await state.get_queue_depth()
            except DaylilyError:
                continue
        found.append(Counted(counts_of(answer), answer.total, answer.cursor))
    return found


async def _read(backend: Backend) -> Tables:
    store = backend.open()
    try:
        return await read_tables(store)
    finally:
        await store.close()


def _reaped(folder: Path, replicas: int) -> Iterator[Reaped]:
    for replica in range(replicas):
        for line in lines(folder / f"state-{replica}.log"):
            if line.get("event") == "lock_timed_out":
                yield Reaped(replica, line["workset_id"], line["token"])


def _event_id(body: str) -> str:
    text = field_of(body, "Message") or unquote_plus(body)
    found = _EVENT_ID.search(text)
    return found[1] if found else ""
