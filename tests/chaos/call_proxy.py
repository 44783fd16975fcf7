"""A proxy before a replica of state that sees calls: it can keep one back, and say whose it is.

`state_proxy` works on bytes, and cannot tell a call that records deliveries from a heartbeat. This
one speaks gRPC, knows nothing of the messages, and changes none. A `Trap` takes the next call of a
method at one of the two moments at which the death of its caller is worst: when state has not seen it
yet, and when state has done it and the caller does not know.
"""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

import grpc
import grpc.aio

_OPTIONS = (("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1))
# What each side of a connection says about itself; the channel and the server say it anew.
_OF_THE_CONNECTION = ("user-agent", "te", "content-type", "accept-encoding")


class Moment(Enum):
    """When a trap closes."""

    ASKED = "state has not seen the call"
    ANSWERED = "state has done it, and its caller has not heard of it"


class _Dropped(Exception):  # noqa: N818 — what became of a call, no error of ours
    """A call that a trap took: it goes no further."""


@dataclass(frozen=True)
class Seen:
    """One call of which nothing more is known."""

    at: float
    caller: str
    method: str


@dataclass
class Trap:
    """Takes one call of a method; `caller` is whose it was, once `caught`."""

    method: str
    moment: Moment
    caller: str = ""
    caught: asyncio.Event = field(default_factory=asyncio.Event)
    opened: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, caller: str) -> None:
        """Keep a call until the trap is opened, and drop it then; it closes once."""
        if self.caught.is_set():
            return
        self.caller = caller
        self.caught.set()
        await self.opened.wait()
        raise _Dropped


class Traps:
    """Those that are set at present, for all proxies of one kind of caller.

    Attributes:
        seen: who made which call (its name without the service), and when, monotonic.
    """

    def __init__(self) -> None:
        self.seen: list[Seen] = []
        self._set: list[Trap] = []

    @contextmanager
    def set(self, method: str, moment: Moment) -> Iterator[Trap]:
        """A trap for the next call of a method (its name without the service) inside the block."""
        trap = Trap(method, moment)
        self._set.append(trap)
        try:
            yield trap
        finally:
            self._set.remove(trap)
            trap.opened.set()

    async def pass_by(self, path: str, moment: Moment, caller: str) -> None:
        """Return if no trap takes this call."""
        method = path.rpartition("/")[2]
        if moment is Moment.ASKED:
            self.seen.append(Seen(time.monotonic(), caller, method))
        for trap in [*self._set]:
            if trap.method == method and trap.moment is moment:
                await trap.take(caller)


class CallProxy(grpc.GenericRpcHandler):
    """Carries all calls of one caller to one port of the loopback."""

    def __init__(self, caller: str, upstream: int, traps: Traps) -> None:
        self.caller = caller
        self.upstream = upstream
        self.traps = traps
        self.port = 0
        self._server = grpc.aio.server(options=_OPTIONS)
        self._channel: grpc.aio.Channel | None = None

    async def start(self) -> None:
        self._channel = grpc.aio.insecure_channel(f"127.0.0.1:{self.upstream}", options=_OPTIONS)
        self._server.add_generic_rpc_handlers((self,))
        self.port = self._server.add_insecure_port("127.0.0.1:0")
        await self._server.start()

    async def close(self) -> None:
        await self._server.stop(None)
        if self._channel is not None:
            await self._channel.close()

    def service(self, details: Any) -> Any:
        """What grpc asks for each call: one way for all of them, as a unary call is a short stream."""
        path: str = details.method

        async def carry(requests: AsyncIterator[bytes], context: Any) -> AsyncIterator[bytes]:
            assert self._channel is not None
            call: grpc.aio.StreamStreamCall[bytes, bytes] | None = None
            try:
                await self.traps.pass_by(path, Moment.ASKED, self.caller)
                carried: grpc.aio.StreamStreamMultiCallable[bytes, bytes]
                carried = self._channel.stream_stream(path)
                call = carried(requests, timeout=context.time_remaining(), metadata=_told(context))
                async for answer in call:
                    await self.traps.pass_by(path, Moment.ANSWERED, self.caller)
                    yield answer
                context.set_trailing_metadata(tuple(await call.trailing_metadata()))
            except grpc.aio.AioRpcError as error:
                await context.abort(error.code(), error.details(), tuple(error.trailing_metadata()))
            except _Dropped:
                await context.abort(grpc.StatusCode.UNAVAILABLE, "dropped on its way")
            finally:
                if call is not None:
                    call.cancel()

        return grpc.stream_stream_rpc_method_handler(carry)


def _told(context: Any) -> list[tuple[str, str | bytes]]:
    return [
        (key, value)
        for key, value in context.invocation_metadata()
        if not key.startswith(_OF_THE_CONNECTION)
    ]
