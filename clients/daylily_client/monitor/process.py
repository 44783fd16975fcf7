"""A command that runs under a supervisor of its own, seen from the monitor."""

import asyncio
import json
import os
import signal
import socket
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daylily_client.monitor import supervisor
from daylily_client.monitor.outcome import Exit

GRACE_SECONDS = 30.0
"""From SIGTERM to SIGKILL: time for a workflow engine to cancel the jobs it submitted."""
_POLL_SECONDS = 0.1


@dataclass(frozen=True)
class ProcessFiles:
    """Where a run keeps what it and a later monitor need to know of its command."""

    work: Path
    log: Path
    record: Path


class PipelineProcess:
    """A running command; `start` makes one."""

    def __init__(self, process: asyncio.subprocess.Process, life: int, files: ProcessFiles) -> None:
        self._process = process
        self._life: int | None = life
        self._files = files

    @classmethod
    async def start(
        cls,
        command: Sequence[str],
        *,
        files: ProcessFiles,
        environment: Mapping[str, str],
        grace: float = GRACE_SECONDS,
    ) -> "PipelineProcess":
        """Start the command in its work directory; a command that cannot be started ends at once."""
        reader, writer = os.pipe()  # neither end is inherited unless it is passed on
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                supervisor.__file__,
                *("--life", str(reader)),
                *("--record", str(files.record)),
                *("--log", str(files.log)),
                *("--grace", str(grace)),
                "--",
                *command,
                cwd=files.work,
                env=dict(environment),
                pass_fds=(reader,),
                stdin=asyncio.subprocess.DEVNULL,
                # Away from the terminal: Ctrl-C is for the monitor, which decides what it means.
                start_new_session=True,
            )
        except BaseException:
            os.close(writer)
            raise
        finally:
            os.close(reader)
        return cls(process, writer, files)

    def stop(self) -> None:
        """SIGTERM to the command's group, after the grace SIGKILL. Twice is once."""
        if self._life is not None:
            os.close(self._life)
            self._life = None

    async def wait(self) -> Exit:
        """Return once the command and all of its group are gone."""
        await self._process.wait()
        self.stop()
        record = read_record(self._files.record)
        if not record.get("ended"):
            # The supervisor was killed: do what it would have done.
            group = record.get("group")
            while group and supervisor.group_exists(group):
                supervisor.signal_group(group, signal.SIGKILL)
                await asyncio.sleep(_POLL_SECONDS)
            return Exit()
        return Exit(
            code=record.get("code"),
            signal=record.get("signal"),
            not_started=record.get("not_started", ""),
            stopped=record.get("stopped", False),
        )


def read_record(path: Path) -> dict[str, Any]:
    """What the supervisor wrote down, empty if it came to nothing."""
    try:
        record = json.loads(path.read_text())
    except (FileNotFoundError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}


def is_over(record: Mapping[str, Any]) -> bool:
    """Whether it is certain that no process of a run is left, by its supervisor's record.

    True if the supervisor saw its group gone, if the group is gone on the same machine, or if
    that machine has been started anew since. In every other case, an empty record too: False.
    """
    if record.get("ended"):
        return True
    if not record.get("group") or record.get("host") != socket.gethostname():
        return False
    booted = supervisor.boot_id()
    if booted and record.get("boot_id") and record["boot_id"] != booted:
        return True
    gone: bool = not supervisor.group_exists(record["group"])
    return gone
