"""A service of raw bytes to try the runtime with: what it does is what the request says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, RetryInfo
from google.rpc.status_pb2 import Status

from daylily_runtime import (
    ErrorRow,
    ErrorTable,
    FieldViolation,
    Server,
    ServerSettings,
    ServiceError,
    current_call,
    running,
    time_remaining,
    wait_first,
)
from daylily_runtime.access import MAY, SERVICES_ONLY, Identity, Role, Rule, takes

NAME = "echo.v1.Echo"


class NoSuchEchoError(Exception):
    def __init__(self, echo_id: str) -> None:
        super().__init__(f"There is no echo {echo_id}.")
        self.echo_id = echo_id


class NoSuchOldEchoError(NoSuchEchoError):
    pass


class BusyError(Exception):
    pass


class BrokenRowError(Exception):
    pass


class BadEchoError(ServiceError):
    code = grpc.StatusCode.INVALID_ARGUMENT
    reason = "INVALID_FIELD"


ERRORS = ErrorTable(
    {
        NoSuchEchoError: ErrorRow(
            grpc.StatusCode.NOT_FOUND,
            "ECHO_NOT_FOUND",
            metadata=lambda error: {"echo_id": error.echo_id},
        ),
        BusyError: ErrorRow(
            grpc.StatusCode.FAILED_PRECONDITION, "LOCK_HELD", retry_after=lambda _: 12.5
        ),
        BrokenRowError: ErrorRow(
            grpc.StatusCode.ABORTED, "BROKEN", metadata=lambda error: {"x": error.nothing}
        ),
        LookupError: lambda error: ServiceError(
            f"Looked in vain: {error}", code=grpc.StatusCode.ABORTED, reason="VAIN"
        ),
    }
)


class Echo:
    """Handlers; `release` lets held calls go on, `seen` tells what happened in which order."""

    def __init__(self) -> None:
        self.release = asyncio.Event()
        self.seen: list[str] = []
        self.arrived = asyncio.Event()
        self.closed = asyncio.Event()
        self.server: Server | None = None

    async def get(self, request: bytes, context: Any) -> bytes:
        self.arrived.set()
        try:
            return await self._do(request.decode(), context)
        except asyncio.CancelledError:
            self.seen.append("get cancelled")
            raise

    async def _do(self, what: str, context: Any) -> bytes:
        await asyncio.sleep(0)
        match what:
            case "held":
                await self.release.wait()
                self.seen.append("held call ends")
            case "poll":
                assert self.server is not None
                await wait_first(self.release, self.server.lifecycle.stopping)
                self.seen.append("long poll ends")
            case "remaining":
                return str(time_remaining()).encode()
            case "request id" | "actor":
                return str(getattr(current_call(), what.replace(" ", "_"), "")).encode()
            case "inner cancel":
                task = asyncio.create_task(asyncio.sleep(60))
                task.cancel()
                await task
            case "abort":
                await context.abort(grpc.StatusCode.DATA_LOSS, "by hand")
            case "wrong type":
                return 7  # type: ignore[return-value]
            case "trailers":
                context.set_trailing_metadata((("x-own", "kept"),))
                raise BusyError("Somebody else has it.")
            case _ if what.startswith("size "):
                return b"x" * int(what.removeprefix("size "))
        raise_for(what)
        return what.encode()

    async def watch(self, request: bytes, _context: Any) -> AsyncIterator[bytes]:
        self.arrived.set()
        try:
            for index in range(3):
                yield str(index).encode()
            raise_for(request.decode())
            if request == b"size":
                yield b"x" * 2**16
            if request == b"stubborn":
                await asyncio.sleep(60)
            if request == b"endless":
                while True:
                    yield b"again"
            if request == b"for ever":
                assert self.server is not None
                await wait_first(self.release, self.server.lifecycle.stopping)
                self.seen.append("stream ends")
        finally:
            self.closed.set()

    async def write(self, request: bytes, context: Any) -> None:
        await context.write(request)
        raise_for(request.decode())

    async def collect(self, requests: AsyncIterator[bytes], _context: Any) -> bytes:
        found = [request async for request in requests]
        for request in found:
            raise_for(request.decode())
        return b"+".join(found)

    async def chat(self, requests: AsyncIterator[bytes], _context: Any) -> AsyncIterator[bytes]:
        async for request in requests:
            raise_for(request.decode())
            yield request

    def later(self, _request: bytes, context: Any) -> bytes:
        """What a generated servicer does with an RPC that nobody has built yet."""
        context.set_code(grpc.StatusCode.UNIMPLEMENTED)
        context.set_details("Method not implemented!")
        raise NotImplementedError("Method not implemented!")


def raise_for(what: str) -> None:
    match what:
        case "missing":
            raise NoSuchEchoError("e-1")
        case "missing old":
            raise NoSuchOldEchoError("e-2")
        case "busy":
            raise BusyError("Somebody else has it.")
        case "bad":
            raise BadEchoError(
                "Two fields are wrong.",
                field_violations=[
                    FieldViolation("size.vcpus", "must be positive"),
                    FieldViolation("id", "is missing"),
                ],
            )
        case "vain":
            raise KeyError("k")
        case "crash":
            raise ValueError("password=hunter2 in /srv/secret/path.py")
        case "broken row":
            raise BrokenRowError("its row has a fault")
        case "timeout":
            raise TimeoutError("a library's own")
        case "long":
            raise BadEchoError(
                "ä" * 5000,
                metadata={"k": "ü" * 5000},
                field_violations=[FieldViolation(f"f{i}", "wrong " * 100) for i in range(500)],
            )
        case _:
            pass


def add_echo(echo: Echo, server: Any) -> None:
    def only_utf8(raw: bytes) -> bytes:
        raw.decode()
        return raw

    handlers = {
        "Get": grpc.unary_unary_rpc_method_handler(echo.get, request_deserializer=only_utf8),
        "Watch": grpc.unary_stream_rpc_method_handler(echo.watch, request_deserializer=only_utf8),
        "Write": grpc.unary_stream_rpc_method_handler(echo.write),
        "Collect": grpc.stream_unary_rpc_method_handler(
            echo.collect, request_deserializer=only_utf8
        ),
        "Chat": grpc.stream_stream_rpc_method_handler(echo.chat, request_deserializer=only_utf8),
        "Later": grpc.unary_unary_rpc_method_handler(echo.later),
    }
    server.add_generic_rpc_handlers([grpc.method_handlers_generic_handler(NAME, handlers)])


def _no_force(request: bytes, identity: Identity) -> str:
    if request == b"force" and not identity.reaches(Role.OPERATOR):
        return f"with force {takes(Role.OPERATOR)}"
    return MAY


async def _own_clusters(request: bytes, identity: Identity) -> str:
    name = request.decode().removeprefix("cluster ")
    if identity.role is Role.MONITOR and name != request.decode():
        return MAY if identity.admits("clusters", name) else "the cluster is not its own"
    return MAY


RULES = {
    "Get": Rule(Role.MONITOR, service=True, judge=_no_force, guard=_own_clusters),
    "Watch": Rule(Role.VIEWER),
    "Collect": SERVICES_ONLY,
}
"""Who may: Write, Chat and Later are forgotten."""


def echo_server(echo: Echo, **settings: Any) -> Server:
    async def build(server: Server) -> None:
        echo.server = server
        server.add_service(NAME, add_echo, echo, RULES)

    return Server("echo", ServerSettings.load(**settings), build, errors=ERRORS)


class Client:
    """The RPCs of `Echo` on one channel."""

    def __init__(self, channel: grpc.aio.Channel) -> None:
        self.channel = channel
        self.get: Any = channel.unary_unary(f"/{NAME}/Get")
        self.watch: Any = channel.unary_stream(f"/{NAME}/Watch")
        self.write: Any = channel.unary_stream(f"/{NAME}/Write")
        self.collect: Any = channel.stream_unary(f"/{NAME}/Collect")
        self.chat: Any = channel.stream_stream(f"/{NAME}/Chat")
        self.later: Any = channel.unary_unary(f"/{NAME}/Later")


@asynccontextmanager
async def connected(
    server: Server, credentials: grpc.ChannelCredentials | None = None, **options: Any
) -> AsyncIterator[Client]:
    pairs = [(f"grpc.{key}", value) for key, value in options.items()]
    channel = (
        grpc.aio.insecure_channel(server.address, options=pairs)
        if credentials is None
        else grpc.aio.secure_channel(server.address, credentials, options=pairs)
    )
    async with channel:
        yield Client(channel)


@asynccontextmanager
async def echoing(echo: Echo | None = None, **settings: Any) -> AsyncIterator[Client]:
    server = echo_server(echo or Echo(), **settings)
    async with running(server), connected(server) as client:
        yield client


class Refusal:
    """An error as its receiver reads it."""

    def __init__(self, error: grpc.aio.AioRpcError) -> None:
        self.code = error.code()
        self.message = error.details()
        self.trailers = dict(error.trailing_metadata() or ())
        raw = self.trailers.get("grpc-status-details-bin", b"")
        assert isinstance(raw, bytes)
        self.status = Status.FromString(raw)
        self.info = ErrorInfo()
        self.retry = RetryInfo()
        self.bad = BadRequest()
        for detail in self.status.details:
            for message in (self.info, self.retry, self.bad):
                detail.Unpack(message)  # type: ignore[arg-type]


async def refused(call: Any) -> Refusal:
    """Await a call, or read a stream to its end, and give the error that came."""
    try:
        if hasattr(call, "read"):
            while await call.read() is not grpc.aio.EOF:
                pass
        else:
            await call
    except grpc.aio.AioRpcError as error:
        return Refusal(error)
    raise AssertionError("the call was not refused")
