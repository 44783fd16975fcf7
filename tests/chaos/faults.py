"""What goes wrong, when, and what it hit.

Faults come in rounds: every kind once in each, in an order that is drawn. A new round begins when
nothing that is left of those before can be made now. Several may be under way at once, but a replica of
state suffers one at a time, and in turns there are replicas that suffer none, as nobody is fit to time
locks out while everybody is disturbed.
"""

import asyncio
import random
import signal
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from typing import Final

from tests.chaos.call_proxy import Moment
from tests.chaos.monitor import LEASE
from tests.chaos.options import Plan
from tests.chaos.processes import Process
from tests.chaos.state_proxy import Mode
from tests.chaos.stores import Met
from tests.chaos.system import System, until_served
from tests.chaos.timeouts import KEPT_AT_MOST, Trap

_PROXY_MODES: Final = {
    "state refuses": (Mode.REFUSE, 1.5),
    "state answers 500": (Mode.ERROR, 1.5),
    "state hangs": (Mode.HANG, 3.0),
    "state delays": (Mode.DELAY, 2.0),
    "state drops answers": (Mode.DROP, 0.6),
}
KILL_RECORDING: Final = "kill notifier while it records"
_RECORDS: Final = "PutDeliveries"
WAKE_WHEN_TIMED_OUT: Final = "wake monitor when timed out"
ACTS: Final = frozenset({_RECORDS, "UpdateDelivery"})
"""Calls of the one notifier that acts."""
_OF_PROCESSES: Final = (
    "kill state",
    "kill scheduler",
    "kill notifier",
    KILL_RECORDING,
    "kill monitor",
    "kill recorder",
    "stop state",
    "stop scheduler",
    "stop notifier",
    "stop monitor",
)
_STOPS_MONITOR: Final = frozenset({"stop monitor", WAKE_WHEN_TIMED_OUT})
_OF_MONITORS: Final = _STOPS_MONITOR | {"kill monitor"}
# Those that keep a replica from writing for longer than fitness bears.
UNFITTING: Final = frozenset(
    {"kill state", "stop state", "store hangs", "store refuses", "store is busy"}
)
_OF_STATE: Final = ("state ", "store ", "kill state", "stop state")
_WAIT_FOR_TIMEOUT: Final = LEASE + 8.0  # of a lock that was renewed just before
_WAIT_FOR_DELIVERY: Final = 20.0  # whoever takes over waits for the seat to run out, 10 s
PHASE: Final = 20.0
"""Seconds for which the same replicas may be disturbed."""


@dataclass
class Fault:
    """One fault: what, to whom, from when to when (monotonic), and how many requests met it."""

    kind: str
    target: str
    begun: float
    begun_wall: float
    ended: float = 0.0
    met: int = 0
    replica: int = -1


class Injector:
    """Makes the faults of a plan, until told to stop."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.plan: Plan = system.plan
        self.done: list[Fault] = []
        self._dice = random.Random(f"{self.plan.seed} faults")
        self._busy: set[str] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._waiting: list[str] = []
        self._goes_round = True
        self._killed_recording = 0
        self._started = time.monotonic()

    @property
    def kinds(self) -> list[str]:
        """Every kind that this plan makes, as often as it weighs."""
        every = [*_OF_PROCESSES, *_PROXY_MODES, *self.system.backend.kinds]
        if self.plan.store == "dynamodb":
            every.append(WAKE_WHEN_TIMED_OUT)
        every += [kind for kind in self.plan.weights if kind not in every]
        return [kind for kind in every for _ in range(self.plan.weights.get(kind, 1))]

    def prefer(self, kinds: Iterable[str]) -> None:
        """Make these from now on, and no others: the more are at work, the less each can hit."""
        under_way = {fault.kind for fault in self.done if not fault.ended}
        self._waiting = sorted(set(kinds) - under_way)
        self._goes_round = False

    async def run(self, pause: float) -> None:
        """Faults for ever, about `pause` seconds apart."""
        while True:
            if not self._make_one() and self._goes_round and len(self._waiting) < len(self.kinds):
                # Those that wait for their turn hold up no others.
                self._waiting += self._dice.sample(self.kinds, len(self.kinds))
                self._make_one()
            await asyncio.sleep(pause * self._dice.uniform(0.3, 1.7))

    async def finish(self) -> None:
        """Let those under way come to their end; nothing is wrong any more afterwards."""
        await asyncio.gather(*self._tasks)

    # --- choosing ---

    def _make_one(self) -> bool:
        """Begin the first of those that wait which may be made now; whether there was one."""
        for kind in self._waiting:
            target = self._target(kind)
            if target is None:
                continue
            self._waiting.remove(kind)
            self._busy.add(target)
            task = asyncio.create_task(self._make(kind, target))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
            return True
        return False

    def _target(self, kind: str) -> str | None:
        if kind.startswith(_OF_STATE):
            names = [f"state-{replica}" for replica in self._may_be_disturbed(kind)]
        elif kind == "kill recorder":
            names = ["recorder"]
        elif kind.startswith(("kill notifier", "stop notifier")):
            # One at a time: it turns out late which of them is hit.
            names = [process.name for process in self.system.notifiers]
            names = [] if self._busy.intersection(names) else names
        elif kind in _OF_MONITORS:
            names = [process.name for process in self.system.monitors]
        else:
            names = [process.name for process in self.system.schedulers]
        free = [name for name in names if name not in self._busy]
        if kind in _STOPS_MONITOR:
            # Half of the monitors go on, or nobody is left to do anything.
            stopped = sum(process.name in self._busy for process in self.system.monitors)
            free = free if stopped < len(self.system.monitors) / 2 else []
        return self._dice.choice(free) if free else None

    def _may_be_disturbed(self, kind: str) -> list[int]:
        replicas = list(range(self.plan.shape.states))
        if self.plan.brief or kind not in UNFITTING | {"store delays", "store answers 500"}:
            return replicas
        turn = int((time.monotonic() - self._started) / PHASE)
        if len(replicas) == 1:
            return replicas if turn % 2 == 0 else []
        spared = turn % (len(replicas) + 1)
        return [replica for replica in replicas if replica != spared]

    # --- making ---

    async def _make(self, kind: str, target: str) -> None:
        process = next(p for p in self.system.processes if p.name == target)
        fault = Fault(kind, target, time.monotonic(), time.time())
        if target.startswith("state-"):
            fault.replica = int(target.removeprefix("state-"))
        self.done.append(fault)
        try:
            await self._ways(kind)(fault, process)
        finally:
            fault.ended = time.monotonic()
            self._busy.discard(target)

    def _ways(self, kind: str) -> Callable[[Fault, Process], Awaitable[None]]:
        if kind in _PROXY_MODES:
            return self._disturb_state
        if kind.startswith("store "):
            return self._disturb_store
        if kind == KILL_RECORDING:
            return self._kill_while_it_records
        if kind == WAKE_WHEN_TIMED_OUT:
            return self._wake_when_timed_out
        if kind.endswith(" notifier"):
            return self._hit_acting_notifier
        return self._kill if kind.startswith("kill ") else self._stop

    async def _kill(self, fault: Fault, process: Process) -> None:
        await asyncio.to_thread(process.kill)
        await asyncio.sleep(self._dice.uniform(0.1, 1.0))
        process.start()
        if fault.replica >= 0:
            await until_served(self.system, fault.replica)

    async def _hit_acting_notifier(self, fault: Fault, _: Process) -> None:
        """Wait a while for a notifier to record or deliver something, and kill or stop that one.

        One of several acts, and it has pauses; if none does, this was no fault.
        """
        seen = self.system.notifiers_calls.seen
        known = len(seen)
        give_up = time.monotonic() + _WAIT_FOR_DELIVERY
        while time.monotonic() < give_up:
            await asyncio.sleep(0.02)
            acting = next((call for call in seen[known:] if call.method in ACTS), None)
            if acting is None:
                continue
            process = next(p for p in self.system.notifiers if p.name == acting.caller)
            await asyncio.sleep(self._dice.uniform(0.0, 0.5))
            fault.target = process.name
            fault.begun, fault.begun_wall = time.monotonic(), time.time()
            way = self._kill if fault.kind.startswith("kill ") else self._stop
            await way(fault, process)
            return
        self.done.remove(fault)

    async def _kill_while_it_records(self, fault: Fault, process: Process) -> None:
        """Kill whichever notifier records deliveries: in turns just before state knows of them, and
        when state has them and it has not heard so.
        """
        moment = [*Moment][self._killed_recording % len(Moment)]
        with self.system.notifiers_calls.set(_RECORDS, moment) as trap:
            try:
                await asyncio.wait_for(trap.caught.wait(), _WAIT_FOR_DELIVERY)
            except TimeoutError:
                self.done.remove(fault)
                return
            process = next(p for p in self.system.notifiers if p.name == trap.caller)
            fault.target, fault.met = process.name, 1
            fault.begun, fault.begun_wall = time.monotonic(), time.time()
            await asyncio.to_thread(process.kill)
            self._killed_recording += 1
        await asyncio.sleep(self._dice.uniform(0.1, 1.0))
        process.start()

    async def _stop(self, fault: Fault, process: Process) -> None:
        process.send(signal.SIGSTOP)
        await asyncio.sleep(self._stop_seconds(fault.kind))
        process.send(signal.SIGCONT)

    async def _wake_when_timed_out(self, fault: Fault, process: Process) -> None:
        """Stop a monitor until state is about to end a lock of its, and let it renew just before.

        If it holds none, this was no fault.
        """
        trap = Trap(process.name)
        process.send(signal.SIGSTOP)
        try:
            with self.system.backend.watched(trap):
                caught = await asyncio.to_thread(trap.caught.wait, _WAIT_FOR_TIMEOUT)
                process.send(signal.SIGCONT)
                if caught:
                    fault.met = await asyncio.to_thread(trap.renewed.wait, KEPT_AT_MOST)
        finally:
            process.send(signal.SIGCONT)
        if not caught:
            self.done.remove(fault)

    def _stop_seconds(self, kind: str) -> float:
        if kind in {"stop monitor", "stop notifier"}:
            # Some wake right when state may take the lock (or the seat) away, others well after.
            return LEASE + self._dice.choice((1.2, 1.6, 2.0, 3.5))
        if self.plan.brief:
            return 2.5
        return self._dice.choice((2.5, LEASE + 1.5))

    async def _disturb_state(self, fault: Fault, process: Process) -> None:
        mode, seconds = _PROXY_MODES[fault.kind]
        proxy = self.system.proxies[fault.replica]
        before = proxy.met
        async with proxy.fault(mode):
            await asyncio.sleep(seconds * self._dice.uniform(0.5, 1))
        fault.met = proxy.met - before

    async def _disturb_store(self, fault: Fault, process: Process) -> None:
        seconds = {"store delays commits": 5.0, **self.system.backend.kinds}[fault.kind]
        if self.plan.brief:
            seconds = min(seconds, 3.0)
        met = Met()
        async with _in_thread(self.system.backend.fault(fault.kind, fault.replica, met)):
            await asyncio.sleep(seconds * self._dice.uniform(0.5, 1))
        fault.met = met.count


@asynccontextmanager
async def _in_thread(block: AbstractContextManager[None]) -> AsyncIterator[None]:
    """A blocking context manager, entered and left in one thread of its own."""
    loop = asyncio.get_running_loop()
    entered, leave = asyncio.Event(), asyncio.Event()

    def run() -> None:
        with block:
            loop.call_soon_threadsafe(entered.set)
            asyncio.run_coroutine_threadsafe(leave.wait(), loop).result()

    running = asyncio.ensure_future(asyncio.to_thread(run))
    waiting = asyncio.ensure_future(entered.wait())
    try:
        await asyncio.wait({running, waiting}, return_when=asyncio.FIRST_COMPLETED)
        yield
    finally:
        waiting.cancel()
        leave.set()
        await running
