"""The command line against a real state service."""

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from click.testing import CliRunner, Result

from daylily_client.cli.app import worksets
from tests.support.state_process import StateProcess, state_process


@pytest.fixture(scope="session")
def state_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StateProcess]:
    with state_process(tmp_path_factory.mktemp("state")) as server:
        yield server


@dataclass(frozen=True)
class Cli:
    """Runs `worksets` in this process."""

    environment: dict[str, str]

    def __call__(self, *args: str) -> Result:
        return CliRunner().invoke(
            worksets, args, env=self.environment, catch_exceptions=False, prog_name="worksets"
        )

    def done(self, *args: str) -> str:
        """What it printed, after it did what it was told."""
        result = self(*args)
        assert result.exit_code == 0, result.stderr
        return result.stdout

    def json(self, *args: str) -> Any:
        """What it tells a program."""
        return json.loads(self.done(*args, "--json"))

    def refused(self, *args: str) -> tuple[int, str]:
        """The exit code and the reason that it tells a program."""
        result = self(*args, "--json")
        assert result.stdout == ""
        error = json.loads(result.stderr)["error"]
        assert error["exit_code"] == result.exit_code
        return result.exit_code, error["reason"]


@pytest.fixture
def cli(state_server: StateProcess) -> Cli:
    return Cli(
        {
            "DAYLILY_STATE_ADDRESS": state_server.address,
            "DAYLILY_ACTOR": "tester@lab",
            "TZ": "UTC",
        }
    )


@pytest.fixture
def registered(cli: Cli) -> Callable[..., str]:
    """Registers a workset of a new name, and gives the name."""

    def register(*options: str) -> str:
        name = f"ws-{uuid.uuid4().hex[:12]}"
        cli.done("register", name, "--bucket", "lab", "--prefix", f"runs/{name}/", *options)
        return name

    return register


@pytest.fixture
def shell(cli: Cli) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts `worksets` as a process of its own, its output piped; the test's end ends it."""
    started: list[subprocess.Popen[str]] = []

    def start(
        *args: str, stdout: int = subprocess.PIPE, **environment: str
    ) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", "from daylily_client.cli import main; main()", *args],
            env={**os.environ, **cli.environment, **environment},
            stdout=stdout,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        printed, said = process.communicate()
        # Shown when the test failed: what the process did instead.
        sys.stdout.write(f"{process.args} ended with {process.returncode}\n{printed}{said}")
