"""The system as docker-compose runs it, on a real engine; `make test-compose` runs this.

It builds the images, so it takes minutes: it is no part of `make test`.
"""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tools import ROOT

PROJECT = "daylily-test"
UP_WITHIN = 120.0
DEMO_WITHIN = 180.0
SPREAD_WITHIN = 60.0


class Compose:
    """docker compose, whichever of its two commands is there."""

    def __init__(self) -> None:
        has_plugin = (
            shutil.which("docker") is not None
            and not (
                subprocess.run(["docker", "compose", "version"], capture_output=True, check=False)
            ).returncode
        )
        self._command = ["docker", "compose"] if has_plugin else ["docker-compose"]

    def __call__(self, *words: str, seconds: float = 600.0) -> str:
        """Run a command of it, and give what it printed."""
        return subprocess.run(
            [*self._command, "-p", PROJECT, *words],
            cwd=ROOT,
            check=True,
            text=True,
            stdout=subprocess.PIPE,
            timeout=seconds,
        ).stdout

    def addresses(self) -> str:
        """Where both replicas of state are published."""
        found = (self("port", "--index", str(index), "state", "50051").strip() for index in (1, 2))
        return ",".join(found)

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        return self("ps", "-q", service).split()


def health(container: str) -> str:
    form = "{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}"
    return subprocess.run(
        ["docker", "inspect", "--format", form, container],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout.strip()


def engine_answers() -> bool:
    if shutil.which("docker") is None:
        return False
    return not subprocess.run(["docker", "info"], capture_output=True, check=False).returncode


@pytest.fixture(scope="module")
def compose() -> Iterator[Compose]:
    """Everything up, state twice."""
    if not engine_answers():
        pytest.skip("no Docker engine answers: start one, or point DOCKER_HOST at one")
    compose = Compose()
    compose("build")
    try:
        compose("up", "--detach", "--scale", "state=2")
        wait_healthy(compose)
        yield compose
    finally:
        sys.stdout.write(compose("logs", "--tail", "40"))
        compose("down", "--volumes", "--timeout", "25")


def wait_healthy(compose: Compose) -> None:
    give_up = time.monotonic() + UP_WITHIN
    services = {"aws": 1, "state": 2, "scheduler": 1, "notifier": 1}
    while True:
        found = {name: [health(each) for each in compose.containers(name)] for name in services}
        if all(found[name].count("healthy") == count for name, count in services.items()):
            return
        assert time.monotonic() < give_up, found
        time.sleep(1)


def calls_logged(container: str) -> int:
    """How many calls a replica of state has answered, by its log."""
    logs = subprocess.run(
        ["docker", "logs", container], check=True, text=True, capture_output=True
    ).stderr
    return logs.count('"event": "call"')


def demo(state: str, directory: Path) -> "subprocess.Popen[str]":
    worksets = Path(sys.executable).with_name("worksets")
    return subprocess.Popen(
        [worksets, "--state", state, "demo", "--directory", directory],
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


@pytest.mark.timeout(300)
def test_every_service_runs_as_somebody_who_is_not_root_with_its_own_distributions_only(compose):
    alien = {"state": "daylily_client", "scheduler": "daylily_state", "notifier": "daylily_state"}
    for service, module in alien.items():
        container = compose.containers(service)[0]
        within = ["docker", "exec", container]
        assert (
            subprocess.run([*within, "id", "-u"], check=True, capture_output=True).stdout != b"0\n"
        )
        found = subprocess.run(
            [*within, "python", "-c", f"import {module}"], capture_output=True, check=False
        )
        assert b"ModuleNotFoundError" in found.stderr, module


@pytest.mark.timeout(300)
def test_clients_spread_over_both_replicas(compose):
    give_up = time.monotonic() + SPREAD_WITHIN
    while True:
        asked = [calls_logged(container) for container in compose.containers("state")]
        if len(asked) == 2 and all(asked):
            return
        assert time.monotonic() < give_up, asked
        time.sleep(1)


@pytest.mark.timeout(1200)
def test_the_demo_completes_though_a_replica_of_state_is_killed_in_its_middle(compose, tmp_path):
    running = demo(compose.addresses(), tmp_path)
    assert running.stdout is not None
    lines: list[str] = []
    for line in running.stdout:
        lines.append(line)
        if "IN_PROGRESS" in line:
            break
    victim = compose.containers("state")[0]
    subprocess.run(["docker", "kill", "--signal", "KILL", victim], check=True)
    rest, _ = running.communicate(timeout=DEMO_WITHIN)
    assert running.returncode == 0, "".join(lines) + rest
