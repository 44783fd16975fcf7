"""The system of one run: its processes, its proxies, and how they find each other."""

import asyncio
import re
import time
import urllib.request
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from daylily.workset.v1 import cluster_pb2

from daylily_client import AsyncStateClient, ClientOptions
from tests.chaos.call_proxy import CallProxy, Traps
from tests.chaos.monitor import CUSTOMER
from tests.chaos.options import Plan
from tests.chaos.processes import Process
from tests.chaos.sink import Sink
from tests.chaos.state_proxy import StateProxy
from tests.chaos.stores import Backend
from tests.support.ports import free_port

SECONDS_TO_SERVE = 300.0  # DynamoDB Local gets warm beside others
_SERVICE = "from daylily_{0}.main import main; main()"
_FIT = re.compile(r"^\S*reaper_fit_seconds\S* (\S+)$", re.MULTILINE)


@dataclass(frozen=True)
class FitSample:
    """At this time a replica said that it has been fit since then (monotonic seconds)."""

    at: float
    since: float
    replica: int


@dataclass
class System:
    """What runs."""

    plan: Plan
    folder: Path
    backend: Backend
    sink: Sink
    proxies: list[StateProxy] = field(default_factory=list)
    notifiers_calls: Traps = field(default_factory=Traps)
    states: list[Process] = field(default_factory=list)
    schedulers: list[Process] = field(default_factory=list)
    notifiers: list[Process] = field(default_factory=list)
    monitors: list[Process] = field(default_factory=list)
    recorder: Process | None = None
    fit: list[FitSample] = field(default_factory=list)
    state_ports: list[int] = field(default_factory=list)
    _metrics_ports: list[int] = field(default_factory=list)
    _addresses: list[str] = field(default_factory=list)
    _call_proxies: list[CallProxy] = field(default_factory=list)

    @property
    def services(self) -> Sequence[Process]:
        return [*self.states, *self.schedulers, *self.notifiers]

    @property
    def processes(self) -> Sequence[Process]:
        recorder = [self.recorder] if self.recorder else []
        return [*self.services, *self.monitors, *recorder]

    @property
    def state_address(self) -> str:
        """Of all replicas, through their proxies."""
        return ",".join(self._addresses)

    def direct_state(self, replica: int) -> AsyncStateClient:
        """A client of one replica, past its proxy."""
        return AsyncStateClient(
            f"127.0.0.1:{self.state_ports[replica]}", ClientOptions(actor="chaos", timeout=30)
        )

    async def start(self) -> None:
        """Bring everything up, the services before what uses them."""
        for replica in range(self.plan.shape.states):
            await self._add_state(replica)
        await self._prepare()
        scheduler_ports = [free_port() for _ in range(self.plan.shape.schedulers)]
        for number, port in enumerate(scheduler_ports):
            self.schedulers.append(self._service("scheduler", number, port, self.state_address))
        (self.folder / "notifier.yaml").write_text(self.sink.config())
        for number in range(self.plan.shape.notifiers):
            address = await self._state_by_call(f"notifier-{number}")
            self.notifiers.append(self._service("notifier", number, free_port(), address))
        schedulers = ",".join(f"127.0.0.1:{port}" for port in scheduler_ports)
        for number in range(self.plan.shape.monitors):
            self.monitors.append(self._monitor(number, schedulers))
        self.recorder = self._recorder()
        for process in (*self.schedulers, *self.notifiers, self.recorder):
            process.start()
        for port in scheduler_ports:
            await _until_listening(port)
        for monitor in self.monitors:
            monitor.start()

    async def sample_fitness(self) -> None:
        """Ask every replica twice a second since when it has been fit, for ever."""
        await asyncio.gather(
            *(self._sample(replica, port) for replica, port in enumerate(self._metrics_ports))
        )

    async def close(self) -> None:
        for process in self.processes:
            process.ask_to_end()
        for process in self.processes:
            await asyncio.to_thread(process.end)
        for calls in self._call_proxies:
            await calls.close()
        for proxy in self.proxies:
            await proxy.close()

    # --- inside ---

    async def _add_state(self, replica: int) -> None:
        port, metrics_port = free_port(), free_port()
        self.state_ports.append(port)
        self._metrics_ports.append(metrics_port)
        environment = {
            **self.backend.environment(replica),
            "DAYLILY_PORT": str(port),
            "DAYLILY_METRICS_PORT": str(metrics_port),
            "DAYLILY_LOG_LEVEL": "info",
            # A failed workset comes again while the run lasts.
            "DAYLILY_RETRY_TRANSIENT_SECONDS": "2",
            "DAYLILY_RETRY_INFRASTRUCTURE_SECONDS": "1",
        }
        off = self.plan.clock_off(replica)
        process = Process(
            f"state-{replica}", lambda _: self._entry("state", off), environment, self.folder
        )
        process.start()
        self.states.append(process)
        await _until_listening(port, lambda: process.runs)
        proxy = StateProxy()
        self.proxies.append(proxy)
        self._addresses.append(await proxy.open_door(port))

    async def _state_by_call(self, caller: str) -> str:
        """Addresses of all replicas for one caller, each behind the replica's proxy and one that sees
        calls.
        """
        found = []
        for proxy, port in zip(self.proxies, self.state_ports, strict=True):
            calls = CallProxy(caller, port, self.notifiers_calls)
            await calls.start()
            self._call_proxies.append(calls)
            found.append(await proxy.open_door(calls.port))
        return ",".join(found)

    async def _prepare(self) -> None:
        """Clusters with less room than the monitors want together, and a customer with a limit."""
        async with self.direct_state(0) as state:
            for number in range(self.plan.shape.clusters):
                await state.put_cluster(
                    cluster_name=f"c{number}",
                    region="us-east-1",
                    capacity=cluster_pb2.Resources(vcpus=32, memory_gb=128, slots=3),
                    price_per_vcpu_hour_usd=0.03,
                )
            await state.put_customer(customer_id=CUSTOMER, max_concurrent=3, weight=1.0)

    def _entry(self, service: str, clock_off: float = 0.0) -> Sequence[str]:
        if clock_off:
            return ["-m", "tests.chaos.skewed", str(clock_off), service, "serve"]
        if self.plan.plant:
            return ["-m", "tests.chaos.planted", self.plan.plant, service, "serve"]
        return ["-c", _SERVICE.format(service), "serve"]

    def _service(self, kind: str, number: int, port: int, state: str) -> Process:
        environment = {
            "DAYLILY_PORT": str(port),
            "DAYLILY_STATE_ADDRESS": state,
            "DAYLILY_LOG_LEVEL": "warning",
            "DAYLILY_NOTIFIER_CONFIG": str(self.folder / "notifier.yaml"),
            "AWS_ACCESS_KEY_ID": "chaos",
            "AWS_SECRET_ACCESS_KEY": "chaos",
        }
        return Process(f"{kind}-{number}", lambda _: self._entry(kind), environment, self.folder)

    def _monitor(self, number: int, schedulers: str) -> Process:
        name, plan = f"m{number}", self.plan

        def command(incarnation: int) -> Sequence[str]:
            return [
                *("-m", "tests.chaos.monitor", name, "--number", str(number)),
                *("--incarnation", str(incarnation), "--seed", str(plan.seed)),
                *("--clusters", str(plan.shape.clusters)),
                *("--long-holds", str(plan.shape.long_holds), "--rest", str(plan.shape.rest)),
                *(("--clock-off", str(-plan.skew)) if plan.skew and not number else ()),
                *("--state", self.state_address, "--scheduler", schedulers),
                *("--history", str(self.folder / f"history-{name}.jsonl")),
            ]

        return Process(name, command, {}, self.folder)

    def _recorder(self) -> Process:
        file = str(self.folder / "recorded.jsonl")
        return Process(
            "recorder",
            lambda _: [
                *("-m", "tests.chaos.recorder", "--state", self.state_address, "--file", file)
            ],
            {},
            self.folder,
        )

    async def _sample(self, replica: int, port: int) -> None:
        while True:
            await asyncio.sleep(0.5)
            asked = time.monotonic()
            try:
                page = await asyncio.to_thread(_page, port)
            except OSError:
                continue
            found = _FIT.search(page)
            if found and float(found[1]) > 0:
                # It was said somewhere between asking and hearing: the latest beginning, the earliest end.
                since = time.monotonic() - float(found[1])
                self.fit.append(FitSample(asked, since, replica))


def _page(port: int) -> str:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=1) as answer:
        page: str = answer.read().decode()
        return page


async def _until_listening(port: int, runs: Callable[[], bool] = lambda: True) -> None:
    give_up = time.monotonic() + SECONDS_TO_SERVE
    while time.monotonic() < give_up and runs():
        try:
            _, writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            await asyncio.sleep(0.05)
        else:
            writer.close()
            return
    raise TimeoutError(f"nothing listens on port {port}")


async def until_served(system: System, replica: int) -> None:
    """Return once a replica takes connections again."""
    process = system.states[replica]
    await _until_listening(system.state_ports[replica], lambda: process.runs)


@asynccontextmanager
async def running(plan: Plan, folder: Path, backend: Backend, sink: Sink) -> AsyncIterator[System]:
    """A system that has been started, ended at the end."""
    system = System(plan, folder, backend, sink)
    sampling: asyncio.Task[None] | None = None
    try:
        await system.start()
        sampling = asyncio.create_task(system.sample_fitness())
        yield system
    finally:
        if sampling is not None:
            sampling.cancel()
        await system.close()
