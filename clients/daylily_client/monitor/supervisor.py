"""Runs one command for the monitor and outlives it just long enough to stop the command.

A pipeline must not compute for ever beside a new run because its monitor was killed. So between
the two stands this small process. It holds the reading end of a pipe whose writing end only the
monitor has. The pipe ends when the monitor closes it to stop the command, or when the monitor is
gone in whatever way, `kill -9` included; both mean the same: SIGTERM to the command's process
group, and after a grace SIGKILL. When the command ends by itself, what it left running in its
group is stopped in the same way, so that the work directory is at rest before anybody publishes.

If this process itself is killed, the kernel sends the command SIGTERM (Linux), and the monitor
kills the group. A process that left the group by itself, and a job handed to Slurm, is the
command's own affair: it has the grace to cancel those.

The file given as --record tells the monitor, and a monitor that starts later, what became of it.
Standard library only, and no import of its package: there is one of these for each run.
"""

import argparse
import ctypes
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36
_POLL_SECONDS = 0.05
_KILLED_SECONDS = 5.0
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def boot_id() -> str:
    """Changes whenever the machine starts; empty where the system has none."""
    try:
        return _BOOT_ID.read_text().strip()
    except OSError:
        return ""


def write_record(path: Path, record: dict[str, Any]) -> None:
    """Replace the record as a whole: a reader never sees half of one."""
    draft = path.with_name(path.name + ".new")
    draft.write_text(json.dumps(record))
    draft.replace(path)


def group_exists(group: int) -> bool:
    """Whether any process is left in a process group."""
    try:
        os.killpg(group, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def signal_group(group: int, number: int) -> None:
    """Send a signal to all of a process group; a group that is gone is fine."""
    try:
        os.killpg(group, number)
    except ProcessLookupError:
        return


class Supervisor:
    """The command, its group, and the pipe to the monitor."""

    def __init__(self, life: int, record: Path, log: Path, grace: float) -> None:
        self._life = life
        self._record = record
        self._log = log
        self._grace = grace
        self._group = 0
        self._status: int | None = None
        self._wake_up, self._wake_up_writer = os.pipe()
        os.set_blocking(self._wake_up_writer, False)
        signal.set_wakeup_fd(self._wake_up_writer, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        self._told_to_stop = False
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, self._on_signal)

    def run(self, command: list[str]) -> None:
        record: dict[str, Any] = {
            "host": socket.gethostname(),
            "boot_id": boot_id(),
            "supervisor": os.getpid(),
        }
        _prctl(_PR_SET_CHILD_SUBREAPER, 1)
        try:
            self._start(command)
        except OSError as error:
            write_record(self._record, {**record, "ended": True, "not_started": str(error)})
            return
        write_record(self._record, {**record, "group": self._group})
        stopped = self._wait_for_end_or_stop()
        self._stop_group()
        status = self._status
        ended: dict[str, Any] = {"ended": not group_exists(self._group), "stopped": stopped}
        if status is not None and os.WIFEXITED(status):
            ended["code"] = os.WEXITSTATUS(status)
        elif status is not None:
            ended["signal"] = os.WTERMSIG(status)
        write_record(self._record, {**record, "group": self._group, **ended})

    def _start(self, command: list[str]) -> None:
        parent = os.getpid()

        def die_with_supervisor() -> None:
            _prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() != parent:
                os._exit(os.EX_TEMPFAIL)

        with self._log.open("ab") as log:
            process = subprocess.Popen(  # noqa: S603 - the operator's own command
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                preexec_fn=die_with_supervisor,  # noqa: PLW1509 - there are no threads here
            )
        self._group = process.pid
        process.returncode = 0  # it is reaped below, with the orphans

    def _wait_for_end_or_stop(self) -> bool:
        """Return once the command ended (False), or is to be stopped (True)."""
        while True:
            self._reap()
            if self._status is not None:
                return False
            if self._told_to_stop:
                return True
            readable, _, _ = select.select([self._life, self._wake_up], [], [])
            if self._wake_up in readable:
                os.read(self._wake_up, 512)
            if self._life in readable and not os.read(self._life, 512):
                return True

    def _stop_group(self) -> None:
        for number, seconds in (
            (signal.SIGTERM, self._grace),
            (signal.SIGKILL, _KILLED_SECONDS),
        ):
            signal_group(self._group, number)
            give_up = time.monotonic() + seconds
            while time.monotonic() < give_up:
                self._reap()
                if not group_exists(self._group):
                    return
                time.sleep(_POLL_SECONDS)

    def _reap(self) -> None:
        """Collect what ended, orphans of the command too: a zombie would keep the group alive."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._group:
                self._status = status

    def _on_signal(self, *_: object) -> None:
        self._told_to_stop = True


def _prctl(option: int, value: int) -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(option, value, 0, 0, 0)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--life", type=int, required=True)
    parser.add_argument("--record", type=Path, required=True)
    parser.add_argument("--log", type=Path, required=True)
    parser.add_argument("--grace", type=float, required=True)
    parser.add_argument("command", nargs="+")
    given = parser.parse_args()
    Supervisor(given.life, given.record, given.log, given.grace).run(given.command)


if __name__ == "__main__":
    main()
