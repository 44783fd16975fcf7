"""What the tests of the monitor share: a state service that can go away, a bucket, and runs."""

import asyncio
import json
import time
import uuid
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from daylily.workset.v1 import workset_pb2

from daylily_client import AsyncStateClient, duration
from daylily_client.monitor.folder import parse_folder
from daylily_client.monitor.logs import EventLog
from daylily_client.monitor.registration import Registrar
from daylily_client.monitor.run import Grant, RunContext
from daylily_client.monitor.settings import ClusterShape, MonitorSettings
from daylily_client.monitor.workdir import Workdir
from daylily_runtime.server import Server
from daylily_standalone.demo.worksets import demo_worksets, folder_files, put_workset
from daylily_state.build import state_server
from daylily_state.settings import StateSettings

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
HG001 = demo_worksets("d")[0]
LEASE = timedelta(seconds=60)
UNTIL_STOPPED = "echo $$ > pids; sleep 60 & echo $! >> pids; wait"
"""A command that writes down its two processes and does not end by itself."""


class StateProcess:
    """A state service that can go away and come back, on one port and one file."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._port = 0
        self._server: Server | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self._port}"

    async def start(self) -> None:
        settings = StateSettings.load(
            port=self._port, sqlite_path=self._file, drain_seconds=0.2, close_seconds=2.0
        )
        self._server = state_server(settings)
        await self._server.start()
        await self._server.wait_serving()
        self._port = self._server.port

    async def stop(self) -> None:
        if self._server is not None:
            await self._server.stop()
            self._server = None


class Lab:
    """What the tests of runs do: register the folder of HG001, take its lock, look at it."""

    def __init__(self, state: AsyncStateClient, s3, bucket: str, directory: Path, log) -> None:
        self.state = state
        self.s3 = s3
        self.bucket = bucket
        self.log = log
        self.workset_id = HG001.workset_id
        self._directory = directory

    def context(self, script: str, **settings) -> RunContext:
        cluster = ClusterShape("test", vcpus=192, memory_gb=384, slots=2)
        given = MonitorSettings(
            bucket=self.bucket,
            prefix="",
            cluster=cluster,
            owner_id="test-monitor",
            command=("bash", "-c", script),
            workdir=self._directory,
            lease=LEASE,
            progress_interval=timedelta(seconds=0.2),
            grace=timedelta(seconds=5),
        )
        workdir = Workdir(self._directory)
        (self._directory / ".journal").mkdir(parents=True, exist_ok=True)
        return RunContext(
            settings=replace(given, **settings),
            state=self.state,
            s3=self.s3,
            workdir=workdir,
            log=self.log,
        )

    async def register(self) -> None:
        put_workset(self.s3, self.bucket, HG001, NOW)
        folder = parse_folder(self.bucket, HG001.folder, folder_files(self.bucket, HG001, NOW))
        await Registrar(self.state, self.log).register(folder)

    async def grant(self, context: RunContext) -> Grant:
        """Take the lock as the scheduler would, with the claim in the journal."""
        request_id = uuid.uuid4().hex
        entry = context.workdir.note_claim(request_id)
        sent_at = time.monotonic()
        answer = await self.state.acquire_lock(
            workset_id=self.workset_id,
            owner_id=context.settings.owner_id,
            lease=duration(context.settings.lease),
            request_id=request_id,
        )
        entry = context.workdir.note_grant(entry, self.workset_id, answer.lock_token)
        return Grant(entry, self.workset_id, answer.lock_token, sent_at)

    async def workset(self) -> workset_pb2.Workset:
        answer = await self.state.get_workset(workset_id=self.workset_id)
        return answer.workset

    async def log_tail(self) -> str:
        answer = await self.state.get_workset(workset_id=self.workset_id, include_log_tail=True)
        return answer.log_tail

    def sentinels(self) -> set[str]:
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=HG001.folder + "daylily.")
        return {entry["Key"].removeprefix(HG001.folder) for entry in listed.get("Contents", [])}

    def results(self) -> set[str]:
        prefix = "daylily_monitoring/results/"
        listed = self.s3.list_objects_v2(Bucket=self.bucket, Prefix=prefix)
        return {entry["Key"].removeprefix(prefix) for entry in listed.get("Contents", [])}

    def work(self, attempt: int = 1, token: int = 1) -> Path:
        return self._directory / self.workset_id / f"attempt-{attempt}-token-{token}" / "work"


class Log(EventLog):
    """Keeps the events, for tests that ask what was told."""

    def __init__(self, events: list[tuple[str, dict]], bound: dict | None = None) -> None:
        self.events = events
        self._with = bound or {}

    def bind(self, **fields):
        return Log(self.events, {**self._with, **fields})

    def info(self, event, **fields):
        self.events.append((event, {**self._with, **fields}))

    warning = error = info

    def told(self, event: str) -> list[dict]:
        return [fields for name, fields in self.events if name == event]


async def until(condition, seconds: float = 15.0) -> None:
    """Wait until a condition, plain or awaitable, holds."""
    give_up = time.monotonic() + seconds
    while True:
        held = condition()
        if asyncio.iscoroutine(held):
            held = await held
        if held:
            return
        assert time.monotonic() < give_up, "it did not come about"
        await asyncio.sleep(0.05)


def result_file(**result) -> str:
    """A line of bash that writes the result file."""
    return f"echo '{json.dumps(result)}' > $DAYLILY_RESULT_FILE"


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def pids_in(path: Path) -> list[int]:
    """Process ids that a script wrote down, one a line."""
    return [int(word) for word in path.read_text().split()] if path.exists() else []
