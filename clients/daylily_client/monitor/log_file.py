"""Follows the log that a command writes: its lines once each, and its end."""

from collections.abc import Iterator
from pathlib import Path

TAIL_BYTES = 16 * 1024
_READ_BYTES = 256 * 1024
_LONGEST_LINE = 64 * 1024


class LogFollower:
    """Reads what was added to a file since the last time.

    The command writes into the file by itself, so that it never waits for the monitor, and never
    dies of a broken pipe when the monitor goes away.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._position = 0
        self._unfinished = b""
        self._tail = b""

    def new_lines(self) -> Iterator[str]:
        """The complete lines since the last call, a bounded amount at a time."""
        try:
            with self._path.open("rb") as log:
                log.seek(self._position)
                added = log.read(_READ_BYTES)
        except FileNotFoundError:
            return
        self._position += len(added)
        self._tail = (self._tail + added)[-TAIL_BYTES:]
        *lines, self._unfinished = (self._unfinished + added).split(b"\n")
        if len(self._unfinished) > _LONGEST_LINE:
            # A progress bar that never ends its line must not fill the memory.
            self._unfinished = b""
        for line in lines:
            yield line.decode("utf-8", "replace")

    @property
    def behind(self) -> bool:
        """Whether the file has more than was read."""
        try:
            return self._path.stat().st_size > self._position
        except FileNotFoundError:
            return False

    @property
    def tail(self) -> str:
        """The end of what was read, 16 KiB of UTF-8 at most."""
        # A character that is cut or is none becomes "?", which is no longer than what it replaces.
        return self._tail.decode("utf-8", "replace").replace("\N{REPLACEMENT CHARACTER}", "?")
