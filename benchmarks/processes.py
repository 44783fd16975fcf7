"""The state and scheduler services as processes of their own, on SQLite in a directory."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.ports import free_port, wait_until_listening

SECONDS_TO_STOP = 20


@dataclass(frozen=True)
class Addresses:
    state: str
    scheduler: str


@contextmanager
def running(service: str, port: int, folder: Path, **settings: str) -> Iterator[str]:
    """One service with these settings besides its port; its log lands in `folder`."""
    environment = {
        **os.environ,
        "DAYLILY_PORT": str(port),
        "DAYLILY_LOG_LEVEL": "warning",
        **{f"DAYLILY_{name.upper()}": value for name, value in settings.items()},
    }
    with (folder / f"{service}.log").open("wb") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name(f"daylily-{service}"), "serve"],
            env=environment,
            stdout=log,
            stderr=log,
        )
        try:
            wait_until_listening(port, still_running=lambda: process.poll() is None)
            yield f"127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(SECONDS_TO_STOP)


@contextmanager
def running_system(folder: Path) -> Iterator[Addresses]:
    database = str(folder / "bench.db")
    with (
        running("state", free_port(), folder, sqlite_path=database) as state,
        running("scheduler", free_port(), folder, state_address=state) as scheduler,
    ):
        yield Addresses(state, scheduler)
