"""Where a caller's bearer token comes from."""

from collections.abc import Callable
from pathlib import Path
from threading import Lock
from typing import TypeAlias

TokenSource: TypeAlias = Callable[[], str]
"""Gives the token for the next call; "" sends none."""


class TokenFile:
    """A token in a file, read again when the file changes: so it can be replaced under a process.

    While the file is missing or empty, as it may be in the moment of its replacement, the token
    that was read last goes on. Safe to share between threads.

    Raises:
        OSError: the file cannot be read at the start.
        ValueError: it holds no token.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._seen: tuple[int, int, int] | None = None
        self._token = ""
        self._look()
        if not self._token:
            raise ValueError(f"{path} holds no token: expected one line")

    def __repr__(self) -> str:
        return f"TokenFile({str(self._path)!r})"

    def __call__(self) -> str:
        with self._lock:
            try:
                self._look()
            except (OSError, ValueError):
                return self._token
            return self._token

    def _look(self) -> None:
        found = self._path.stat()
        seen = (found.st_mtime_ns, found.st_size, found.st_ino)
        if seen == self._seen:
            return
        token = self._path.read_text(encoding="ascii").strip()
        if token and not all("!" <= character <= "~" for character in token):
            raise ValueError(f"{self._path} holds no token: expected one line")
        self._token = token or self._token
        self._seen = seen


class FixedToken:
    """A token that stays. Shows itself to nobody but the server.

    Raises:
        ValueError: it is no token.
    """

    def __init__(self, token: str) -> None:
        self._token = token.strip()
        if not self._token or not all("!" <= character <= "~" for character in self._token):
            raise ValueError("a token is printable characters of ASCII, without spaces")

    def __repr__(self) -> str:
        return "FixedToken(…)"

    def __call__(self) -> str:
        return self._token
