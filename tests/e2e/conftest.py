"""One system for the tests that leave it running, and monitors that end with their test."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.e2e.system import MonitorProcess, System, running_system


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    with running_system(tmp_path_factory.mktemp("system")) as running:
        yield running


@pytest.fixture
def own_system(tmp_path: Path) -> Iterator[System]:
    """For tests that end or kill it."""
    with running_system(tmp_path) as running:
        yield running


@pytest.fixture
def monitor() -> Iterator[Callable[..., MonitorProcess]]:
    """Starts a monitor: `monitor(system, name, script, *options)`."""
    started: list[MonitorProcess] = []

    def start(system: System, name: str, script: str, *options: str) -> MonitorProcess:
        process = MonitorProcess(system, name, script, *options)
        started.append(process)
        return process

    yield start
    for process in started:
        process.ensure_ended()
