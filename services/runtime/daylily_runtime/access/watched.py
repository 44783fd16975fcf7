"""A file that is read again when it changed."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")
Signature = tuple[int, int, int] | None

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


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

    Raises:
        refusal: the file is wrong at the start.
    """

    def __init__(
        self,
        path: Path,
        read: Callable[[Path], T],
        refusal: type[Exception],
    ) -> None:
        self._path = path
        self._read = read
        self._refusal = refusal
        self._seen = signature(path)
        self.value = read(path)

    async def look(self) -> bool:
        """Read the file if it changed since it was looked at last; whether there is a new value."""
        now = await asyncio.to_thread(signature, self._path)
        if now == self._seen:
            return False
        self._seen = now
        try:
            self.value = await asyncio.to_thread(self._read, self._path)
        except self._refusal as error:
            _log.error("file_not_reloaded", file=str(self._path), error=str(error))
            return False
        _log.info("file_reloaded", file=str(self._path))
        return True
