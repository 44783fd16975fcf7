"""A state service as a process of its own, on a SQLite file, that a test can kill and start again."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from daylily_client import ClientOptions, DaylilyError, StateClient, Unauthenticated
from tests.support.ports import free_port


@dataclass
class StateProcess:
    """`daylily-state serve` on a port of its own.

    Attributes:
        folder: where its database and its log are.
        environment: further settings.
        port: of the loopback; the same after a restart.
    """

    folder: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    port: int = field(default_factory=free_port)
    _process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, and return once it answers."""
        environment = {
            **os.environ,
            **self.environment,
            "DAYLILY_PORT": str(self.port),
            "DAYLILY_SQLITE_PATH": str(self.folder / "state.db"),
        }
        with (self.folder / "state.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-c", "from daylily_state.main import main; main()", "serve"],
                env=environment,
                stdout=log,
                stderr=log,
            )
        try:
            with StateClient(self.address, ClientOptions(timeout=20)) as state:
                state.get_queue_depth()
        except Unauthenticated:
            return  # it asks who calls, so it serves
        except DaylilyError as error:
            said = (self.folder / "state.log").read_text("utf-8")[-2000:]
            raise AssertionError(f"state does not answer: {error}\n{said}") from error

    def stop(self) -> None:
        """End it in order."""
        self._end(signal.SIGTERM)

    def kill(self) -> None:
        """End it without a word."""
        self._end(signal.SIGKILL)

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            self._process.send_signal(how)
            self._process.wait(20)
            self._process = None


@contextmanager
def state_process(
    folder: Path, environment: Mapping[str, str] | None = None
) -> Iterator[StateProcess]:
    """A started `StateProcess`, stopped at the end."""
    server = StateProcess(folder, environment or {})
    try:
        server.start()
        yield server
    finally:
        server.stop()
