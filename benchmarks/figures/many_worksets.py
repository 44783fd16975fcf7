"""GetQueueDepth at 20,000 and 200,000 worksets, and how soon a state that was killed serves again at the larger.

Both sizes are asked in turns. What is counted is held against a scan of all rows, after worksets were
locked, started, completed and cancelled. Read units are those that DynamoDB Local says reads took, with
calls and without. A restart is a SIGKILL and a new process on the same store.
"""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2

from benchmarks.claiming import OPTIONS
from benchmarks.footprint import cpu_seconds
from benchmarks.measure import percentile, progress
from benchmarks.patience import depth_however_long
from benchmarks.processes import Services, services, until_serving
from benchmarks.report import Figure, at_most
from benchmarks.stores import Filled, add_store_option, stores
from daylily_client import AsyncStateClient
from daylily_state.app.counting import SNAPSHOT
from daylily_state.domain.records import Snapshot

SMALL = ("--worksets", "40", "80", "--calls", "5", "--restarts", "1", "--store", "sqlite")
MOVED = 8
"""Worksets of each kind that are moved before counts are compared."""
QUIET_SECONDS = 10.0
"""In which read units are counted, with calls and without."""
CHECKPOINT_SECONDS = 60.0
"""Within which a state that has read the feed has left a checkpoint."""


def add_options(parser: argparse.ArgumentParser) -> None:
    add_store_option(parser)
    parser.add_argument("--worksets", type=int, nargs=2, default=[20_000, 200_000])
    parser.add_argument("--calls", type=int, default=500, help="of GetQueueDepth at each")
    parser.add_argument("--restarts", type=int, default=5)


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, stores(given.store, Path(folder)) as made:
        small, large = (made.filled(f"d{number}", number) for number in given.worksets)
        with services(Path(folder)) as running:
            yield from asyncio.run(_restarts(running, large, given.restarts))
        with services(Path(folder)) as running:
            yield from asyncio.run(_depth(running, (small, large), given.calls))


# --- restarts ---


async def _restarts(running: Services, filled: Filled, times: int) -> Sequence[Figure]:
    """The first start finds no checkpoint and reads the feed from its beginning."""
    progress(f"state starts on {filled.worksets:,} worksets, without a checkpoint")
    cold = await _start(running, filled)
    checkpoint = await _checkpoint(filled)
    starts = [cold]
    for number in range(1, times + 1):
        process = running.processes[starts[-1].address]
        process.kill()
        process.wait()
        progress(f"restart {number} of {times}")
        starts.append(await _start(running, filled))
    warm = starts[1:]
    name = f"{filled.worksets:,} worksets, state restarted"
    longest = {
        "until SERVING": max(start.serving for start in warm),
        "until AcquireLock answers": max(start.locked for start in warm),
        "until GetQueueDepth answers": max(start.counted for start in warm),
    }
    return (
        *(
            Figure(f"{name}, {what}", seconds, "s", to_reach=at_most(5))
            for what, seconds in longest.items()
        ),
        Figure(f"{name}, processor time till then", max(start.cpu for start in warm), "s"),
        Figure(f"{name} without a checkpoint, until GetQueueDepth answers", cold.counted, "s"),
        Figure(f"{name} without a checkpoint, processor time till then", cold.cpu, "s"),
        Figure("size of the checkpoint", len(checkpoint.data) / 1024, "KiB"),
    )


async def _checkpoint(filled: Filled) -> Snapshot:
    async with asyncio.timeout(CHECKPOINT_SECONDS):
        while True:
            found = await filled.snapshot(SNAPSHOT)
            if found is not None:
                return found
            await asyncio.sleep(0.2)


@dataclass(frozen=True)
class Start:
    """How long after the start of a process things worked, and the processor time till then."""

    address: str
    serving: float
    locked: float
    counted: float
    cpu: float


async def _start(running: Services, filled: Filled) -> Start:
    begun = time.perf_counter()
    address = running.start("state", filled.settings)
    await until_serving(address)
    serving = time.perf_counter() - begun
    async with AsyncStateClient(address, OPTIONS) as state:

        async def lock() -> float:
            answer = await state.acquire_lock(workset_id="ws-0", owner_id="bench", force=True)
            after = time.perf_counter() - begun
            await state.release_lock(workset_id="ws-0", lock_token=answer.lock_token)
            return after

        async def depth() -> float:
            answer = await depth_however_long(state)
            after = time.perf_counter() - begun
            if answer.total != filled.worksets:
                raise RuntimeError(f"{answer.total} worksets counted of {filled.worksets}")
            return after

        locked, counted = await asyncio.gather(lock(), depth())
    cpu = cpu_seconds(running.processes[address].pid)
    return Start(address, serving, locked, counted, cpu)


# --- depth ---


@dataclass
class Asked:
    """A state that is asked how much there is, and how long each answer took, in seconds."""

    filled: Filled
    state: AsyncStateClient
    took: list[float] = field(default_factory=list)

    async def ask(self) -> state_pb2.GetQueueDepthResponse:
        begun = time.perf_counter()
        answer = await self.state.get_queue_depth()
        self.took.append(time.perf_counter() - begun)
        return answer


async def _depth(running: Services, filled: Sequence[Filled], calls: int) -> Sequence[Figure]:
    figures: list[Figure] = []
    both: list[Asked] = []
    for store in filled:
        state = AsyncStateClient(running.start("state", store.settings), OPTIONS)
        await depth_however_long(state)
        both.append(Asked(store, state))
    progress(f"{calls} calls at each size, in turns")
    for _ in range(calls):
        for asked in both:
            await asked.ask()
    took = [percentile([1000 * seconds for seconds in asked.took], 50) for asked in both]
    for asked, p50 in zip(both, took, strict=True):
        name = f"{asked.filled.worksets:,} worksets, GetQueueDepth"
        flat = (p50 / took[0], at_most(1.3)) if asked is not both[0] else (None, None)
        figures.append(Figure(f"{name}, p50", p50, "ms", *flat))
        wrong = await _wrong(asked)
        figures.append(Figure(f"{name}, numbers that are wrong", wrong, to_reach=at_most(0)))
    for asked in both:
        await asked.state.close()
    for store in filled:
        units = await _read_units(running, store, calls)
        if units is not None:
            name = f"{store.worksets:,} worksets, read units for each GetQueueDepth"
            figures.append(Figure(name, units, to_reach=at_most(0.1)))
    return figures


async def _wrong(asked: Asked) -> int:
    """How many numbers of the answer differ from what all rows say, after worksets were moved."""
    progress(f"all {asked.filled.worksets:,} rows are counted")
    await _move_some(asked.state)
    await asyncio.sleep(1)  # for the last event to be counted
    answer = await asked.ask()
    counts, ready, waiting = await asked.filled.standing(answer.counted_at.ToDatetime())
    said = {(int(each.state), int(each.priority)): each.count for each in answer.counts}
    wrong = sum(said.get(key) != counts.get(key) for key in {*said, *counts})
    return wrong + (answer.ready != ready) + (answer.waiting != waiting)


async def _move_some(state: AsyncStateClient) -> None:
    """Into every state that there is."""
    for number in range(MOVED):
        ids = [f"ws-{number + MOVED * kind}" for kind in range(5)]
        locked = [await state.acquire_lock(workset_id=key, owner_id="b") for key in ids[:-1]]
        ends: Mapping[int, workset_pb2.WorksetState.ValueType] = {
            1: workset_pb2.WORKSET_STATE_IN_PROGRESS,
            2: workset_pb2.WORKSET_STATE_COMPLETE,
            3: workset_pb2.WORKSET_STATE_ERROR,
        }
        for kind, end in ends.items():
            token = locked[kind].lock_token
            await state.update_state(
                workset_id=ids[kind],
                state=workset_pb2.WORKSET_STATE_IN_PROGRESS,
                lock_token=token,
            )
            if end != workset_pb2.WORKSET_STATE_IN_PROGRESS:
                await state.update_state(
                    workset_id=ids[kind],
                    state=end,
                    lock_token=token,
                    error_category=workset_pb2.ERROR_CATEGORY_TRANSIENT
                    if kind == 3
                    else workset_pb2.ERROR_CATEGORY_UNSPECIFIED,
                )
        await state.update_state(workset_id=ids[4], state=workset_pb2.WORKSET_STATE_IGNORED)


async def _read_units(running: Services, filled: Filled, calls: int) -> float | None:
    """How many more are read in a while with calls than in one without, for each call."""
    with filled.counting_reads() as counted:
        if counted is None:
            return None
        settings = {**filled.settings, "DAYLILY_DYNAMODB_ENDPOINT": counted.url}
        async with AsyncStateClient(running.start("state", settings), OPTIONS) as state:
            await depth_however_long(state)
            used = []
            for asked in (0, calls):
                before = counted.total
                until = time.monotonic() + QUIET_SECONDS
                for _ in range(asked):
                    await state.get_queue_depth()
                await asyncio.sleep(max(until - time.monotonic(), 0))
                used.append((counted.total - before) / (time.monotonic() - until + QUIET_SECONDS))
            progress(f"{used[0]:.0f} read units a second without calls, {used[1]:.0f} with")
    return max(used[1] - used[0], 0.0) * QUIET_SECONDS / calls
