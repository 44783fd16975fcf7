"""The RPCs under way: what a handler may know about its own, and what a stop needs of all."""

import asyncio
import re
import time
import uuid
from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass, field

from daylily_runtime.access.roles import Identity
from daylily_runtime.spans import CallSpan, Value

REQUEST_ID_KEY = "x-request-id"
"""Metadata key: taken from the caller, or made up, and always sent back in the trailers."""

ACTOR_KEY = "x-daylily-actor"
"""Metadata key: who a caller says it is, or acts for."""

ANONYMOUS = "anonymous"

_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_current: ContextVar["Call | None"] = ContextVar("daylily_call", default=None)


@dataclass(eq=False, slots=True)
class Call:
    """One RPC under way."""

    method: str
    """Like `daylily.state.v1.StateService/GetWorkset`."""
    request_id: str
    peer: str
    streams: bool
    """Whether the answer is a stream."""
    deadline: float | None = None
    """In the monotonic time of this process; None for a stream without one."""
    started: float = field(default_factory=time.monotonic)
    identity: Identity | None = None
    """Who proved to make it; None where nobody has to."""
    actor: str = ANONYMOUS
    """Who makes it, for audit trails: `identity` where there is one, else what the caller says."""
    counted: bool = False
    """Whether it is one of the streams that its identity may have open."""
    revoked: bool = False
    """Its identity is known no more."""
    cut_off: bool = False
    """The server ended it."""
    span: CallSpan | None = None
    """Its span where calls are traced."""

    @property
    def is_infrastructure(self) -> bool:
        """Health and reflection: no work of the service's."""
        return self.method.startswith("grpc.")

    def remaining(self) -> float | None:
        """Seconds until the deadline, never below 0; None without one."""
        return None if self.deadline is None else max(0.0, self.deadline - time.monotonic())


def current_call() -> Call | None:
    """The RPC that this code runs for, also in tasks and threads that its handler started."""
    return _current.get()


def enter_call(call: Call) -> None:
    """Make `call` the current one for the rest of this task."""
    _current.set(call)


def annotate(**attributes: Value) -> None:
    """Say in the span of the RPC under way what came of it, where calls are traced."""
    call = _current.get()
    if call is not None and call.span is not None:
        call.span.note(attributes)


def time_remaining() -> float | None:
    """Seconds that the RPC under way has left; None outside of one, or without a deadline."""
    call = _current.get()
    return None if call is None else call.remaining()


def request_id_from(given: str | bytes | None) -> str:
    """The caller's request id where it is a short printable text, else a new one.

    What a caller sends ends up in logs and headers, so anything else is not taken over.
    """
    if isinstance(given, str) and _REQUEST_ID.fullmatch(given):
        return given
    return uuid.uuid4().hex


class ActiveCalls:
    """The calls under way, so that a stopping server can wait for them and end them."""

    def __init__(self) -> None:
        self._tasks: dict[Call, asyncio.Task[object]] = {}
        self._changed = asyncio.Event()
        self._infrastructure_ended = False

    def __len__(self) -> int:
        return len(self._tasks)

    def add(self, call: Call, task: asyncio.Task[object]) -> None:
        self._tasks[call] = task
        if self._infrastructure_ended and call.is_infrastructure:
            self._cut_off([call])

    def discard(self, call: Call) -> None:
        self._tasks.pop(call, None)
        self._changed.set()

    async def ended(self, *, streams_only: bool = False) -> None:
        """Return when no call (no stream) of the service's own is under way."""
        while any(
            not call.is_infrastructure and (call.streams or not streams_only)
            for call in self._tasks
        ):
            self._changed.clear()
            await self._changed.wait()

    def cut_off(self, *, streams_only: bool = False) -> int:
        """End the calls (the streams) of the service's own, and give how many there were.

        Their callers are told that the server is stopping.
        """
        return self._cut_off(
            [
                call
                for call in self._tasks
                if not call.is_infrastructure and (call.streams or not streams_only)
            ]
        )

    def revoke(self, gone: Callable[[Identity], bool]) -> int:
        """End the streams of those who are gone, and give how many there were.

        Calls with a single answer come to their end: they were good when they began.
        """
        found = [
            call
            for call in self._tasks
            if call.streams and call.identity is not None and gone(call.identity)
        ]
        for call in found:
            call.revoked = True
        return self._cut_off(found)

    def end_infrastructure(self) -> None:
        """End health and reflection, also those calls of theirs that are just arriving."""
        self._infrastructure_ended = True
        self._cut_off([call for call in self._tasks if call.is_infrastructure])

    def _cut_off(self, calls: list[Call]) -> int:
        for call in calls:
            if not call.cut_off:
                call.cut_off = True
                self._tasks[call].cancel()
        return len(calls)
