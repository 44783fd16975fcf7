"""The whole system as a person starts it, in processes of its own on free ports."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import boto3
from daylily.workset.v1 import workset_pb2

from daylily_client import ClientOptions, StateClient
from daylily_standalone.demo.worksets import BUCKET, PREFIX, DemoWorkset, put_workset
from daylily_standalone.fake_aws import aws_environment, endpoint
from tests.support.ports import free_port

WORKSETS = str(Path(sys.executable).with_name("worksets"))


def until(condition: Callable[[], bool], seconds: float = 45.0, what: str = "it") -> None:
    """Wait until a condition holds."""
    give_up = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < give_up, f"{what} did not come about"
        time.sleep(0.05)


def alive(pid: int) -> bool:
    """Whether a process runs; one that is dead and not yet reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@dataclass
class System:
    """`worksets up` in a directory; it can be ended, killed and started again."""

    directory: Path
    state_port: int = field(default_factory=free_port)
    scheduler_port: int = field(default_factory=free_port)
    notifier_port: int = field(default_factory=free_port)
    gateway_port: int = field(default_factory=free_port)
    aws_port: int = field(default_factory=free_port)
    _process: subprocess.Popen[str] | None = None

    @property
    def aws(self) -> str:
        return endpoint(self.aws_port)

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            **aws_environment(self.aws),
            "DAYLILY_STATE_ADDRESS": f"127.0.0.1:{self.state_port}",
            "DAYLILY_SCHEDULER_ADDRESS": f"127.0.0.1:{self.scheduler_port}",
            "DAYLILY_NOTIFIER_ADDRESS": f"127.0.0.1:{self.notifier_port}",
        }

    def command(self) -> list[str]:
        return [
            *(WORKSETS, "up", "--data-dir", str(self.directory / "data")),
            *("--state-port", str(self.state_port)),
            *("--scheduler-port", str(self.scheduler_port)),
            *("--notifier-port", str(self.notifier_port)),
            *("--gateway-port", str(self.gateway_port)),
            *("--aws-port", str(self.aws_port)),
        ]

    def start(self) -> str:
        """Start it, and return its welcome once it serves."""
        with (self.directory / "up.log").open("ab") as log:
            self._process = subprocess.Popen(
                self.command(), stdout=subprocess.PIPE, stderr=log, text=True
            )
        out = self._process.stdout
        assert out is not None
        lines = []
        for line in out:
            lines.append(line)
            if "make demo" in line:
                return "".join(lines)
        raise AssertionError((self.directory / "up.log").read_text())

    def end(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal and return the exit code."""
        assert self._process is not None
        self._process.send_signal(number)
        code = self._process.wait(30)
        assert self._process.stdout is not None
        self._process.stdout.close()
        return code

    def worksets(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """A command of the CLI, as typed."""
        return subprocess.run(
            [WORKSETS, *arguments],
            env=self.environment,
            cwd=self.directory,
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )

    def workset(self, workset_id: str) -> workset_pb2.Workset:
        options = ClientOptions(actor="test", timeout=20)
        with StateClient(f"127.0.0.1:{self.state_port}", options) as state:
            return state.get_workset(workset_id=workset_id).workset

    def state_of(self, workset_id: str) -> str:
        """Such as COMPLETE; empty while it is not registered."""
        options = ClientOptions(actor="test", timeout=20)
        with StateClient(f"127.0.0.1:{self.state_port}", options) as state:
            found = state.batch_get_worksets(workset_ids=[workset_id]).worksets
        return "".join(
            workset_pb2.WorksetState.Name(workset.state).removeprefix("WORKSET_STATE_")
            for workset in found
        )

    def s3(self):
        return closing(
            boto3.client(
                "s3",
                endpoint_url=self.aws,
                region_name="us-west-2",
                aws_access_key_id="daylily",
                aws_secret_access_key="daylily",
            )
        )

    def put(self, *worksets: DemoWorkset) -> None:
        with self.s3() as s3:
            for workset in worksets:
                put_workset(s3, BUCKET, workset, datetime.now(UTC))


@contextmanager
def running_system(directory: Path) -> Iterator[System]:
    system = System(directory)
    system.start()
    try:
        yield system
    finally:
        if system._process is not None and system._process.poll() is None:
            assert system.end() == 0


class MonitorProcess:
    """A real `worksets monitor` whose command is a line of bash."""

    def __init__(self, system: System, name: str, script: str, *options: str) -> None:
        self.workdir = system.directory / name
        self._log = system.directory / f"{name}.log"
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(WORKSETS, "monitor", "--bucket", BUCKET, "--prefix", PREFIX),
                    *("--cluster", name, "--vcpus", "192", "--memory-gb", "400"),
                    *("--storage-gb", "1000", "--owner", name, "--workdir", str(self.workdir)),
                    *("--lease", "30s", "--scan-interval", "1s", "--grace", "5s", *options),
                    *("--", "bash", "-c", script),
                ],
                env=system.environment,
                stdout=log,
                stderr=log,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    def until_logged(self, pattern: str, seconds: float = 45.0) -> None:
        until(lambda: re.search(pattern, self.log) is not None, seconds, f"{pattern} in {self.log}")

    def signal(self, number: signal.Signals) -> None:
        self._process.send_signal(number)

    def wait(self) -> int:
        return self._process.wait(60)

    def pids(self) -> Sequence[int]:
        """Processes that scripts wrote down in the file `pids` of their work directories."""
        return [
            int(word) for file in self.workdir.rglob("pids") for word in file.read_text().split()
        ]

    def ensure_ended(self) -> None:
        if self._process.poll() is None:
            self._process.kill()
            self._process.wait()
