"""A file that is read again when it changed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Final, Generic, TypeVar

import structlog

from daylily_runtime.clock import Clock

T = TypeVar("T")
Signature = tuple[int, int, int] | None

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

LOOK_SECONDS: Final = 0.5


def signature(path: Path) -> Signature:
    """What differs when a file was written anew or replaced; None while it is not there."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


class WatchedFile(Generic[T]):
    """What a file says, as long as it can be read; after that, what it said last.

    Args:
        path: the file.
        read: makes the value of it.
        refusal: what `read` raises when the file is wrong.
        clock: time between looks.

    Raises:
        refusal: the file is wrong at the start.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Path], T],
        refusal: type[Exception],
        clock: Clock,
    ) -> None:
        self._path = path
        self._read = read
        self._refusal = refusal
        self._clock = clock
        self._seen = signature(path)
        self.value = read(path)

    async def run(self) -> None:
        """Look for ever."""
        while True:
            await self._clock.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Read the file if it changed since it was looked at last."""
        now = await asyncio.to_thread(signature, self._path)
        if now == self._seen:
            return
        self._seen = now
        try:
            self.value = await asyncio.to_thread(self._read, self._path)
        except self._refusal as error:
            _log.error("file_not_reloaded", file=str(self._path), error=str(error))
        else:
            _log.info("file_reloaded", file=str(self._path))
