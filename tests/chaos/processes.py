"""Processes that are killed, stopped and started again."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.tools import ROOT

SECONDS_TO_END = 20


@dataclass
class Process:
    """One process of the system.

    Attributes:
        name: such as "state-0".
        command: what comes after the interpreter, made anew for each start (its incarnation, from 1).
        lives: when each incarnation began and ended (None: it lives), monotonic seconds.
        deaths: exit codes of those that ended without being told to.
    """

    name: str
    command: Callable[[int], Sequence[str]]
    environment: Mapping[str, str]
    folder: Path
    lives: list[list[float | None]] = field(default_factory=list)
    deaths: list[int] = field(default_factory=list)
    _process: subprocess.Popen[bytes] | None = None
    _asked_to_end: bool = False

    def start(self) -> None:
        self.lives.append([time.monotonic(), None])
        self._asked_to_end = False
        with (self.folder / f"{self.name}.log").open("ab") as log:
            self._process = subprocess.Popen(
                [sys.executable, *self.command(len(self.lives))],
                env={**os.environ, "PYTHONPATH": str(ROOT), **self.environment},
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )

    @property
    def runs(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        assert self._process is not None
        return self._process.pid

    def send(self, number: signal.Signals) -> None:
        if self.runs:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """End it without a word."""
        self._note_death()
        self._asked_to_end = True
        self.send(signal.SIGKILL)
        self._reap()

    def end(self) -> None:
        """End it in order; one that does not end in time is killed."""
        self._note_death()
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)
        self._reap()

    def ask_to_end(self) -> None:
        self._note_death()
        self._asked_to_end = True
        self.send(signal.SIGCONT)
        self.send(signal.SIGTERM)

    def note_death(self) -> None:
        """Write down an end that nobody caused."""
        self._note_death()

    def _note_death(self) -> None:
        if self._process is not None and self._process.poll() is not None:
            if not self._asked_to_end:
                self.deaths.append(self._process.returncode)
            self._close_life()

    def _reap(self) -> None:
        if self._process is None:
            return
        try:
            self._process.wait(SECONDS_TO_END)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._close_life()

    def _close_life(self) -> None:
        self._process = None
        if self.lives and self.lives[-1][1] is None:
            self.lives[-1][1] = time.monotonic()
