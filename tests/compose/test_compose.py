"""The system as docker-compose runs it, on a real engine; `make test-compose` runs this.

It builds the images, so it takes minutes: it is no part of `make test`.
"""

import os
import shutil
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.tools import ROOT

# The first test builds the images, for as long as the network takes. Nothing here says how fast a
# machine is: the limits are for what hangs.
pytestmark = pytest.mark.timeout(3600)

PROJECT = "daylily-test"
BUILT_WITHIN = 2400.0
UP_WITHIN = 600.0
DEMO_WITHIN = 600.0
SPREAD_WITHIN = 300.0


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

    def __call__(self, *words: str, seconds: float = UP_WITHIN) -> str:
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
        """Where every replica of state is published."""
        count = len(self.containers("state"))
        return ",".join(self.address("state", 50051, index) for index in range(1, count + 1))

    def address(self, service: str, port: int, index: int = 1) -> str:
        """Where a port of a service is published."""
        return self("port", "--index", str(index), service, str(port)).strip()

    def containers(self, service: str) -> list[str]:
        """The ids of a service's containers."""
        return self("ps", "-q", service).split()


def inspected(container: str, form: str) -> str:
    return subprocess.run(
        ["docker", "inspect", "--format", form, container],
        check=True,
        text=True,
        stdout=subprocess.PIPE,
    ).stdout.strip()


def health(container: str) -> str:
    return inspected(
        container, "{{if .State.Health}}{{.State.Health.Status}}{{else}}{{.State.Status}}{{end}}"
    )


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
    compose("build", seconds=BUILT_WITHIN)
    try:
        compose("up", "--detach", "--scale", "state=2")
        wait_healthy(compose)
        yield compose
    finally:
        sys.stdout.write(compose("logs", "--tail", "40"))
        compose("down", "--volumes", "--timeout", "25")


def wait_healthy(compose: Compose, *, states: int = 2) -> None:
    give_up = time.monotonic() + UP_WITHIN
    services = {
        "dynamodb": 1,
        "aws": 1,
        "state": states,
        "scheduler": 1,
        "notifier": 1,
        "gateway": 1,
    }
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


# What each image has of this tree: its service, and what that depends on.
DISTRIBUTIONS = {
    "state": {"protos", "runtime", "state"},
    "scheduler": {"protos", "client", "runtime", "scheduler"},
    "notifier": {"protos", "client", "runtime", "notifier"},
    "gateway": {"protos", "client", "runtime", "gateway"},
}
INSTALLED = "from importlib.metadata import distributions as d; print(*(x.name for x in d()))"


def inside(container: str, *command: str) -> str:
    done = subprocess.run(
        ["docker", "exec", container, *command], check=True, text=True, capture_output=True
    )
    return done.stdout.strip()


@pytest.mark.parametrize("service", DISTRIBUTIONS)
def test_every_service_runs_as_somebody_who_is_not_root_with_its_own_distributions_only(
    compose, service
):
    container = compose.containers(service)[0]
    assert inside(container, "id", "-u") != "0"
    installed = inside(container, "python", "-c", INSTALLED).split()
    ours = {name.removeprefix("daylily-") for name in installed if name.startswith("daylily-")}
    assert ours == DISTRIBUTIONS[service]
    assert "pip" not in installed


@pytest.mark.parametrize(
    ("service", "question"),
    [
        ("dynamodb", "http://127.0.0.1:8000/"),
        ("state", "daylily_runtime/healthcheck.py"),
        ("scheduler", "daylily_runtime/healthcheck.py"),
        ("notifier", "daylily_runtime/healthcheck.py"),
        ("gateway", "http://127.0.0.1:8000/readyz"),
    ],
)
def test_the_engine_asks_every_service_for_its_health(compose, service, question):
    assert question in inspected(
        compose.containers(service)[0], "{{json .Config.Healthcheck.Test}}"
    )


def test_nothing_was_started_twice(compose):
    every = [container for name in DISTRIBUTIONS for container in compose.containers(name)]
    assert {inspected(each, "{{.RestartCount}}") for each in every} == {"0"}


def test_the_gateway_answers_for_the_services_behind_it(compose):
    where = f"http://{compose.address('gateway', 8000)}"
    for path in ("/readyz", "/worksets", "/clusters", "/scheduler/stats", "/notifier/stats"):
        with urllib.request.urlopen(f"{where}{path}", timeout=60) as answer:
            assert answer.status == 200, path


def test_clients_spread_over_both_replicas(compose):
    give_up = time.monotonic() + SPREAD_WITHIN
    while True:
        asked = [calls_logged(container) for container in compose.containers("state")]
        if len(asked) == 2 and all(asked):
            return
        assert time.monotonic() < give_up, asked
        time.sleep(1)


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


def test_what_was_registered_is_there_when_everything_was_taken_down_and_set_up_again(compose):
    def worksets(*words: str) -> str:
        command = [Path(sys.executable).with_name("worksets"), "--state", compose.addresses()]
        return subprocess.run(
            [*command, *words], check=True, text=True, stdout=subprocess.PIPE, timeout=60
        ).stdout

    compose("up", "--detach", "--scale", "state=2")  # one was killed
    wait_healthy(compose)
    worksets("register", "kept", "--bucket", "lab", "--prefix", "runs/kept/")
    compose("down", "--timeout", "25")  # without --volumes
    compose("up", "--detach")
    wait_healthy(compose, states=1)

    assert "READY" in worksets("get", "kept")
