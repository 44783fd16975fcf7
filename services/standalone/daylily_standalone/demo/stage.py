"""Where the demo is played, and the monitor that plays the leading part."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daylily_client.monitor import supervisor
from daylily_standalone.demo import pipeline
from daylily_standalone.demo.worksets import BUCKET, PREFIX
from daylily_standalone.fake_aws import aws_environment

_MONITOR_ENDS_SECONDS = 60


class DemoError(Exception):
    """The demo cannot be played; the message says what to do."""


@dataclass(frozen=True)
class Stage:
    """Where the demo is played.

    Attributes:
        state, scheduler: addresses of the services.
        aws: address of the fake AWS.
        directory: for the monitor's files.
        pause: seconds that each step of the pipeline takes.
        patience: seconds until the demo gives up.
    """

    state: str
    scheduler: str
    aws: str
    directory: Path
    pause: float
    patience: float


@contextmanager
def run_monitor(stage: Stage, directory: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A real monitor in a process of its own; SIGTERM ends it, as it would any other.

    It runs under a supervisor, as pipelines do: if the demo is killed, the monitor ends too.

    Raises:
        DemoError: the command `worksets` is not there.
    """
    command = _monitor_command(directory)
    directory.mkdir(parents=True)
    reader, writer = os.pipe()
    try:
        monitor = subprocess.Popen(  # noqa: S603 - our own command
            [
                *(sys.executable, "-I", supervisor.__file__),
                *("--life", str(reader)),
                *("--record", str(directory / "monitor.json")),
                *("--log", str(directory / "monitor.log")),
                *("--grace", str(_MONITOR_ENDS_SECONDS)),
                "--",
                *command,
            ],
            env={
                **os.environ,
                **aws_environment(stage.aws),
                "DAYLILY_STATE_ADDRESS": stage.state,
                "DAYLILY_SCHEDULER_ADDRESS": stage.scheduler,
                "DAYLILY_DEMO_PAUSE": str(stage.pause),
            },
            pass_fds=(reader,),
            # Ctrl-C is for the demo, which then ends the monitor in order.
            start_new_session=True,
        )
    except BaseException:
        os.close(writer)
        raise
    finally:
        os.close(reader)
    try:
        yield monitor
    finally:
        os.close(writer)
        monitor.wait()


def _monitor_command(directory: Path) -> list[str]:
    beside = Path(sys.executable).with_name("worksets")
    worksets = str(beside) if beside.exists() else shutil.which("worksets")
    if worksets is None:
        raise DemoError("The command `worksets` is not installed.")
    return [
        *(worksets, "monitor"),
        *("--bucket", BUCKET, "--prefix", PREFIX),
        *("--cluster", "demo", "--vcpus", "192", "--memory-gb", "384", "--storage-gb", "1200"),
        *("--slots", "2", "--price", "0.04", "--owner", f"monitor@{directory.name}"),
        *("--workdir", str(directory / "monitor")),
        *("--lease", "30s", "--scan-interval", "2s", "--grace", "5s"),
        "--",
        *(sys.executable, pipeline.__file__),
    ]
