"""The services and the gateway in one process over one SQLite file, with a fake AWS beside them."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from daylily_gateway.server import GatewayServer
from daylily_gateway.settings import GatewaySettings
from daylily_notifier.build import build as notifier_server
from daylily_notifier.config.load import one_topic
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import configure_logging, run
from daylily_runtime.run import Runnable
from daylily_scheduler.build import build as scheduler_server
from daylily_scheduler.settings import SchedulerSettings
from daylily_standalone.demo.worksets import BUCKET
from daylily_standalone.fake_aws import TOPIC_ARN, fake_aws
from daylily_state.build import state_server
from daylily_state.settings import StateSettings

LOCALHOST = "127.0.0.1"
DATABASE = "daylily.db"

_RETRY_SECONDS = 3.0
"""First wait after a failure. A lab waits for half a minute; somebody who looks on does not."""


@dataclass(frozen=True)
class Ports:
    """Where everything listens, all on the loopback."""

    state: int = 50051
    scheduler: int = 50052
    notifier: int = 50053
    gateway: int = 8000
    aws: int = 5001


class DirectoryInUseError(Exception):
    """Another `up` works in the directory."""


def up(directory: Path, ports: Ports, ready: Callable[[str], None]) -> int:
    """Run everything until SIGTERM or Ctrl-C, and give the exit code: 1 when a part failed.

    Worksets, clusters, events and what is to be notified live in `directory` and are there again
    at the next start. What is in the fake AWS is not; its bucket and topic are made anew.

    Args:
        directory: for the data; made if it is not there.
        ports: where to listen.
        ready: called with the address of the fake AWS when all of it serves.

    Raises:
        DirectoryInUseError: another `up` works in the directory.
        PortInUseError: the fake AWS's port is taken. A service's own is said in the log.
        SettingsError: a variable DAYLILY_… in the environment is wrong.
    """
    directory.mkdir(parents=True, exist_ok=True)
    with _held(directory):
        servers = compose(directory, ports)
        configure_logging("warning", "console")
        with fake_aws(ports.aws, BUCKET) as aws:
            return run(*servers, ready=lambda: ready(aws))


def compose(directory: Path, ports: Ports) -> tuple[Runnable, ...]:
    """State, scheduler, notifier and gateway, not started; each is a client of those before it."""
    state_address = f"{LOCALHOST}:{ports.state}"
    state = StateSettings.load(
        host=LOCALHOST,
        port=ports.state,
        store="sqlite",
        sqlite_path=directory / DATABASE,
        retry_transient_seconds=_RETRY_SECONDS,
        retry_infrastructure_seconds=_RETRY_SECONDS,
    )
    scheduler = SchedulerSettings.load(
        host=LOCALHOST,
        port=ports.scheduler,
        state_address=state_address,
        metrics_port=_following(state.metrics_port, 1),
    )
    notifier = NotifierSettings.load(
        host=LOCALHOST,
        port=ports.notifier,
        state_address=state_address,
        metrics_port=_following(state.metrics_port, 2),
    )
    gateway = GatewaySettings.load(
        host=LOCALHOST,
        port=ports.gateway,
        state_address=state_address,
        scheduler_address=f"{LOCALHOST}:{ports.scheduler}",
        notifier_address=f"{LOCALHOST}:{ports.notifier}",
        metrics_port=_following(state.metrics_port, 3),
    )
    return (
        state_server(state),
        scheduler_server(scheduler),
        # Somebody looks on, and wants to see each message as it comes.
        notifier_server(notifier, one_topic(TOPIC_ARN, digests=False)),
        GatewayServer(gateway),
    )


def _following(port: int | None, number: int) -> int | None:
    """The port that many after this one: all of them read the same variable."""
    return port + number if port else port


@contextmanager
def _held(directory: Path) -> Iterator[None]:
    """Keep a second one out: a SQLite file is for one state process."""
    with (directory / "up.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise DirectoryInUseError(
                f"Another `worksets up` works in {directory}. "
                "Stop that one, or choose another directory with --data-dir."
            ) from None
        yield
