"""A monitor without pipelines: it registers, claims, holds, reports, and now and then misbehaves.

A process of its own, `python -m tests.chaos.monitor NAME …`. Each call has an id of its own, which it
sends as the owner of a lock or as the reason of a change, so that the audit trail tells which call
made which event, whatever became of request ids on the way.

Misbehaviour is deliberate: a monitor walks away from locks, writes with tokens of holds that ended
long ago, and writes right after it was stopped for a while, without asking whether it still holds.
"""

import argparse
import asyncio
import os
import random
import signal
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daylily.workset.v1 import workset_pb2

from daylily_client import (
    AsyncSchedulerClient,
    AsyncStateClient,
    AsyncTime,
    ClientOptions,
    DaylilyError,
    LockKeeper,
    LockLost,
    LockState,
    RetryPolicy,
    WorksetCancelled,
    duration,
)
from tests.chaos.history import Recorder
from tests.chaos.told import grant_of, lock_of, mask, workset_of

LEASE = 10.0
_AT_ONCE = 3
"""Pieces of work that one monitor has under way."""
CUSTOMER = "lab-limited"
"""The customer that has a limit."""

READY = workset_pb2.WORKSET_STATE_READY
IN_PROGRESS = workset_pb2.WORKSET_STATE_IN_PROGRESS
COMPLETE = workset_pb2.WORKSET_STATE_COMPLETE
ERROR = workset_pb2.WORKSET_STATE_ERROR
IGNORED = workset_pb2.WORKSET_STATE_IGNORED

CATEGORIES = (
    workset_pb2.ERROR_CATEGORY_TRANSIENT,
    workset_pb2.ERROR_CATEGORY_INFRASTRUCTURE,
    workset_pb2.ERROR_CATEGORY_DATA,
)
PRIORITIES = (
    workset_pb2.PRIORITY_URGENT,
    workset_pb2.PRIORITY_NORMAL,
    workset_pb2.PRIORITY_LOW,
)
OPTIONS = ClientOptions(
    timeout=12.0, retry=RetryPolicy(first_pause=0.05, longest_pause=1.0, attempt_timeout=4.0)
)


_IN_FLIGHT: ContextVar[str] = ContextVar("_IN_FLIGHT")
"""The id of the call that this task makes."""


@dataclass(frozen=True)
class Held:
    """A lock as it was granted."""

    workset_id: str
    token: int
    sent_at: float


class ChaosMonitor:
    """One process's work; `run` goes on until `stop`."""

    def __init__(self, given: argparse.Namespace, recorder: Recorder) -> None:
        self._given = given
        self._recorder = recorder
        self._dice = random.Random(f"{given.seed} {given.name} {given.incarnation}")
        self._count = 0
        self._stopping = asyncio.Event()
        self._ended: deque[Held] = deque(maxlen=20)
        self._known: deque[str] = deque(maxlen=40)
        self._late: set[asyncio.Task[None]] = set()
        off = timedelta(seconds=given.clock_off)
        self._time = AsyncTime(now=lambda: datetime.now(UTC) + off)
        self._cluster = f"c{given.number % given.clusters}"

    def stop(self) -> None:
        self._stopping.set()

    async def run(self) -> None:
        calls = replace(self._time, sleep=self._pause)
        async with (
            AsyncStateClient(self._given.state, OPTIONS, time=calls) as self._state,
            AsyncSchedulerClient(self._given.scheduler, OPTIONS, time=calls) as self._scheduler,
        ):
            await asyncio.gather(*(self._work_on() for _ in range(_AT_ONCE)))
            await asyncio.gather(*self._late)

    async def _work_on(self) -> None:
        while not self._stopping.is_set():
            await self._choose()()
            await asyncio.sleep(self._dice.uniform(0, 2 * self._given.rest))

    def _choose(self) -> Callable[[], Awaitable[None]]:
        ways: Mapping[Callable[[], Awaitable[None]], float] = {
            self._register: 22,
            self._claim: 30,
            self._race: 30,
            self._write_with_an_old_token: 10,
            self._lock_what_is_not_ready: 8,
            self._operate: 6,
        }
        return self._dice.choices([*ways], [*ways.values()])[0]

    # --- calls ---

    async def _pause(self, seconds: float) -> None:
        """A client's pause before it sends a call again: what it sent last failed on its way."""
        self._recorder.write(what="again", op=_IN_FLIGHT.get())
        await asyncio.sleep(seconds)

    async def _call(
        self,
        kind: str,
        args: Mapping[str, Any],
        send: Callable[[str], Awaitable[Any]],
        told: Callable[[Any], Mapping[str, Any]] = lambda _: {},
    ) -> Any:
        """One recorded call; `send` gets its id. Raises what the client raises."""
        self._count += 1
        op_id = f"{self._given.name}.{self._given.incarnation}.{self._count}"
        self._recorder.write(what="begin", op=op_id, kind=kind, args=dict(args))
        _IN_FLIGHT.set(op_id)
        try:
            answer = await send(op_id)
        except DaylilyError as error:
            self._recorder.write(what="end", op=op_id, error=type(error).__name__)
            raise
        self._recorder.write(what="end", op=op_id, answer=dict(told(answer)))
        return answer

    async def _try(self, *args: Any) -> Any:
        """A call whose failure ends nothing; None if it failed."""
        try:
            return await self._call(*args)
        except DaylilyError:
            await asyncio.sleep(self._dice.uniform(0, 0.05))
            return None

    async def _register(self) -> None:
        depends_on = [self._dice.choice(self._known)] if self._lucky(0.06) and self._known else []
        limited = self._lucky(0.3)
        priority = self._dice.choice(PRIORITIES)

        async def send(op_id: str) -> Any:
            return await self._state.register_workset(
                workset_id=f"ws.{op_id}",
                bucket="lab",
                prefix=f"runs/{op_id}/",
                priority=priority,
                customer_id=CUSTOMER if limited else "lab-free",
                requirements=workset_pb2.Requirements(vcpus=8, memory_gb=16),
                depends_on=depends_on,
                max_attempts=3,
            )

        answer = await self._try("register", {}, send, workset_of)
        if answer is not None:
            self._known.append(answer.workset.workset_id)

    async def _claim(self) -> None:
        wait = self._dice.choice((0.0, 0.3, 1.0))
        sent_at = self._state.time.monotonic()

        async def send(op_id: str) -> Any:
            return await self._scheduler.claim_next_workset(
                cluster_name=self._cluster,
                owner_id=op_id,
                lease=duration(LEASE),
                max_wait=duration(wait),
            )

        answer = await self._try("claim", {}, send, grant_of)
        if answer is not None and answer.HasField("workset"):
            await self._work(Held(answer.workset.workset_id, answer.lock_token, sent_at))

    async def _race(self) -> None:
        """Several monitors see the same head of the queue and go for it."""

        async def look(_: str) -> Any:
            return await self._state.list_ready_worksets(page_size=5)

        looked = time.monotonic()
        listed = await self._try("list", {}, look)
        if listed is None or not listed.worksets:
            return
        ids = [workset.workset_id for workset in listed.worksets]
        self._known.extend(ids)
        target = ids[0] if self._lucky(0.85) else self._dice.choice(ids)
        # Who is in no hurry thinks it over meanwhile: races do not depend on how fast a machine is.
        await asyncio.sleep(self._dice.uniform(0, 2 * self._given.rest))
        await self._acquire(target, looked=looked)

    async def _lock_what_is_not_ready(self) -> None:
        """What this monitor finished, half of the time; else whatever it knows of."""
        if self._ended and self._lucky(0.5):
            await self._acquire(self._dice.choice(self._ended).workset_id)
        elif self._known:
            await self._acquire(self._dice.choice(self._known))

    async def _acquire(
        self, workset_id: str, *, force: bool = False, looked: float | None = None
    ) -> None:
        sent_at = self._state.time.monotonic()
        cluster_name = self._cluster if self._lucky(0.5) else ""

        async def send(op_id: str) -> Any:
            return await self._state.acquire_lock(
                workset_id=workset_id,
                owner_id=op_id,
                lease=duration(LEASE),
                cluster_name=cluster_name,
                force=force,
            )

        args = {"workset_id": workset_id, "force": force}
        if looked is not None:
            args["looked"] = looked
        answer = await self._try("force" if force else "acquire", args, send, grant_of)
        if answer is not None:
            await self._work(Held(workset_id, answer.lock_token, sent_at))

    async def _operate(self) -> None:
        """What operators do: cancel, restore, take over by force, change the priority."""
        if not self._known:
            return
        workset_id = self._dice.choice(self._known)
        chance = self._dice.random()
        if chance < 0.1:
            await self._acquire(workset_id, force=True)
        elif chance < 0.4:
            await self._set("cancel", workset_id, IGNORED)
        elif chance < 0.8:
            await self._set("restore", workset_id, READY)
        else:
            await self._reprioritise(workset_id)

    async def _reprioritise(self, workset_id: str) -> None:
        priority = self._dice.choice(PRIORITIES)

        async def send(op_id: str) -> Any:
            return await self._state.update_workset(
                workset_id=workset_id,
                priority=priority,
                update_mask=mask("priority"),
                reason=op_id,
            )

        await self._try("update", {"workset_id": workset_id}, send, workset_of)

    async def _set(self, kind: str, workset_id: str, state: Any) -> None:
        async def send(op_id: str) -> Any:
            return await self._state.update_state(workset_id=workset_id, state=state, reason=op_id)

        await self._try(kind, {"workset_id": workset_id}, send, workset_of)

    # --- holding ---

    async def _work(self, held: Held) -> None:
        """Hold the lock for a while, then end it in one of the ways there are."""
        keeper = LockKeeper(
            _Renewals(self, self._state),
            workset_id=held.workset_id,
            lock_token=held.token,
            lease=timedelta(seconds=LEASE),
            sent_at=held.sent_at,
            time=self._time,
        )
        try:
            async with keeper:
                await self._go_through(held, keeper)
        except (LockLost, WorksetCancelled) as error:
            if isinstance(error, WorksetCancelled):
                await self._release(held)
        except DaylilyError:
            pass
        self._ended.append(held)
        self._known.append(held.workset_id)
        if self._lucky(0.4):
            late = asyncio.create_task(self._late_write(held))
            self._late.add(late)
            late.add_done_callback(self._late.discard)

    async def _late_write(self, held: Held) -> None:
        """Something of this hold that was long on its way: the next holder may be at work by now."""
        await asyncio.sleep(self._dice.uniform(0.05, 1.0))
        await self._write_after_the_end(held)

    async def _go_through(self, held: Held, keeper: LockKeeper) -> None:
        chance = self._dice.random()
        if chance < 0.15:
            await self._release(held)
            return
        await self._write(held, IN_PROGRESS, "start")
        await self._hold(held, keeper)
        if keeper.lost_by is not None:
            raise keeper.lost_by
        if self._lucky(0.05) and not self._stopping.is_set():
            return  # walk away; the lock runs out
        careful = self._lucky(0.6)
        if careful:
            await keeper.confirmed()
        if chance < 0.6:
            await self._write(held, COMPLETE, "complete")
        elif chance < 0.75:
            await self._write(held, ERROR, "fail")
        elif chance < 0.88:
            await self._write(held, READY, "give back")
        else:
            await self._release(held)

    async def _hold(self, held: Held, keeper: LockKeeper) -> None:
        seconds = self._dice.uniform(0.0, 0.6)
        if self._lucky(self._given.long_holds):
            seconds = self._dice.uniform(4, 14)
        end = time.monotonic() + seconds
        while time.monotonic() < end and keeper.state is not LockState.LOST:
            if self._stopping.is_set():
                return
            await asyncio.sleep(min(0.5, max(end - time.monotonic(), 0)))
            if self._lucky(0.15):
                await self._report(held)

    async def _write(self, held: Held, state: Any, kind: str) -> None:
        """A holder's write, repeated under one request_id until state says what became of it."""
        category = self._dice.choice(CATEGORIES)

        async def send(op_id: str) -> Any:
            return await self._state.update_state(
                workset_id=held.workset_id,
                state=state,
                lock_token=held.token,
                reason=op_id,
                error_category=category
                if state == ERROR
                else workset_pb2.ERROR_CATEGORY_UNSPECIFIED,
            )

        await self._call(kind, _args(held), send, workset_of)

    async def _release(self, held: Held) -> None:
        async def send(op_id: str) -> Any:
            return await self._state.release_lock(
                workset_id=held.workset_id, lock_token=held.token, reason=op_id
            )

        await self._try("release", _args(held), send, workset_of)

    async def _report(self, held: Held) -> None:
        percent = self._dice.randrange(100)

        async def send(_: str) -> Any:
            return await self._state.report_progress(
                workset_id=held.workset_id, lock_token=held.token, step="run", percent=percent
            )

        await self._try("progress", _args(held), send)

    async def renew(self, state: AsyncStateClient, **request: Any) -> Any:
        """A renewal of a keeper, recorded."""
        args = {"workset_id": request["workset_id"], "token": request["lock_token"]}

        async def send(_: str) -> Any:
            return await state.renew_lock(**request)

        return await self._call("renew", args, send, lock_of)

    async def _write_with_an_old_token(self) -> None:
        if self._ended:
            await self._write_after_the_end(self._dice.choice(self._ended))

    async def _write_after_the_end(self, held: Held) -> None:
        chance = self._dice.random()
        try:
            if chance < 0.4:
                await self._release(held)
            elif chance < 0.6:
                await self._write(held, COMPLETE, "complete")
            elif chance < 0.8:
                await self._write(held, IN_PROGRESS, "start")
            else:
                await self.renew(
                    self._state,
                    workset_id=held.workset_id,
                    lock_token=held.token,
                    lease=duration(LEASE),
                )
        except DaylilyError:
            return

    def _lucky(self, chance: float) -> bool:
        return self._dice.random() < chance


class _Renewals:
    """The state client of a keeper, its renewals recorded."""

    def __init__(self, monitor: ChaosMonitor, state: AsyncStateClient) -> None:
        self._monitor = monitor
        self._state = state

    def with_timeout(self, seconds: float) -> "_Renewals":
        return _Renewals(self._monitor, self._state.with_timeout(seconds))

    async def renew_lock(self, **request: Any) -> Any:
        return await self._monitor.renew(self._state, **request)

    async def release_lock(self, **request: Any) -> Any:
        return await self._state.release_lock(**request)


def _args(held: Held) -> dict[str, Any]:
    return {"workset_id": held.workset_id, "token": held.token}


async def _main(given: argparse.Namespace) -> None:
    recorder = Recorder(given.history)
    recorder.write(what="start", name=given.name, incarnation=given.incarnation, pid=os.getpid())
    monitor = ChaosMonitor(given, recorder)
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, monitor.stop)
    await monitor.run()
    recorder.write(what="stop", name=given.name, incarnation=given.incarnation)


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.chaos.monitor")
    parser.add_argument("name")
    parser.add_argument("--number", type=int, required=True)
    parser.add_argument("--incarnation", type=int, required=True)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--clusters", type=int, required=True)
    parser.add_argument("--long-holds", type=float, required=True)
    parser.add_argument("--rest", type=float, required=True)
    parser.add_argument("--clock-off", type=float, default=0.0)
    parser.add_argument("--state", required=True)
    parser.add_argument("--scheduler", required=True)
    parser.add_argument("--history", type=Path, required=True)
    asyncio.run(_main(parser.parse_args()))


if __name__ == "__main__":
    main()
