"""One request id, one effect: recognising a request that was served before.

An event keeps the id and a digest of the content of the request that made it. The hot row remembers
where the latest few of these events lie, so that a repeat is found without a search.
"""

from dataclasses import fields, is_dataclass, replace
from datetime import datetime, timedelta
from enum import Enum
from hashlib import sha256
from typing import Final

from daylily_state.domain.errors import RequestIdReusedError
from daylily_state.domain.events import Event, to_json
from daylily_state.domain.model import RequestMark, Workset

RECENT: Final = 8
REQUEST_ROW_TTL: Final = timedelta(hours=24)

# Who asks is no content: the same request may come again by another way.
_NOT_CONTENT: Final = frozenset({"request_id", "actor"})


def mark(request_id: str) -> bytes:
    """The 8 bytes by which a request id is remembered on the hot row."""
    return sha256(request_id.encode()).digest()[:8]


def digest(command: object) -> bytes:
    """8 bytes of the hash of a command's content: its class and all fields but who and which request."""
    not_content = _NOT_CONTENT | ({"workset_id"} if getattr(command, "picked", False) else set())
    content = {
        field.name: _plain(getattr(command, field.name))
        for field in fields(command)  # type: ignore[arg-type]  # every command is a dataclass
        if field.name not in not_content
    }
    text = to_json([type(command).__name__, content])
    return sha256(text.encode()).digest()[:8]


def remember(workset: Workset, request_id: str, seq: int) -> Workset:
    """The workset with this request among its recent ones; the oldest makes room."""
    if not request_id:
        return workset
    marks = (*workset.recent_requests, RequestMark(mark(request_id), seq))
    return replace(workset, recent_requests=marks[-RECENT:])


def recent_seq(workset: Workset, request_id: str) -> int | None:
    """The slot, in the workset's lane, of the event that the request made, if it is remembered."""
    wanted = mark(request_id)
    return next((m.seq for m in workset.recent_requests if m.digest == wanted), None)


def may_be_forgotten(workset: Workset) -> bool:
    """Whether the workset served more requests than it remembers."""
    return len(workset.recent_requests) == RECENT and workset.version > RECENT


def check_same(event: Event, command: object) -> None:
    """Refuses a request id that comes with another content than the first time.

    Raises:
        RequestIdReusedError: with the subject that the id belongs to (`workset_id` of a grant), so
            that a scheduler finds the grant that a retried claim already got.
    """
    if event.request_digest != digest(command):
        raise RequestIdReusedError(request_id=event.request_id, workset_id=event.workset_id)


def _plain(value: object) -> object:
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Enum):
        return value.name
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, frozenset | set):
        return sorted((_plain(item) for item in value), key=str)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    return value
