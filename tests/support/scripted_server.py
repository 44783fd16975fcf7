"""A real gRPC server whose answers a test writes, for what no healthy service would do."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, NoReturn

import grpc
import grpc.aio
from google.protobuf import any_pb2, message_factory
from google.protobuf.descriptor import MethodDescriptor, ServiceDescriptor
from google.protobuf.message import Message
from google.rpc import error_details_pb2, status_pb2
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_health.v1.health import aio as health_aio
from grpc_status import rpc_status

from daylily_client import ClientOptions, RetryPolicy

# For clients that a test would not wait for.
QUICK = ClientOptions(
    actor="tester",
    timeout=5.0,
    retry=RetryPolicy(first_pause=0.01, longest_pause=0.05, attempt_timeout=1.0),
)

Context = grpc.aio.ServicerContext[Any, Any]
Answer = Callable[[Any, Context], Awaitable[Message]]
Stream = Callable[[Any, Context], AsyncIterator[Message]]


@dataclass(frozen=True)
class Seen:
    """A call that arrived: its method, request and metadata."""

    name: str
    request: Any
    metadata: Mapping[str, str | bytes]


@dataclass
class ScriptedServer:
    """Answers each call with the next thing in `script[name]`; the last one stays for ever.

    Attributes:
        service: descriptor of the service that it poses as.
        script: method name to what it does, call by call.
        seen: the calls that arrived.
    """

    service: ServiceDescriptor
    script: dict[str, list[Answer] | list[Stream]] = field(default_factory=dict)
    seen: list[Seen] = field(default_factory=list)
    port: int = 0
    health: health_aio.HealthServicer = field(default_factory=health_aio.HealthServicer)
    _server: grpc.aio.Server | None = None
    _arrival: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.port}"

    async def start(self, credentials: grpc.ServerCredentials | None = None) -> None:
        """Listen, on the same port as before when it was started before."""
        self._server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
        self._server.add_generic_rpc_handlers((self._handlers(),))
        health_pb2_grpc.add_HealthServicer_to_server(self.health, self._server)
        where = f"127.0.0.1:{self.port}"
        if credentials is None:
            self.port = self._server.add_insecure_port(where)
        else:
            self.port = self._server.add_secure_port(where, credentials)
        await self.health.set("", health_pb2.HealthCheckResponse.SERVING)
        await self._server.start()

    async def stop(self) -> None:
        """End at once; calls under way break."""
        if self._server is not None:
            await self._server.stop(0)
            self._server = None

    async def turn(self, *, serving: bool) -> None:
        """Say so to those who ask for its health."""
        status = health_pb2.HealthCheckResponse
        await self.health.set("", status.SERVING if serving else status.NOT_SERVING)

    async def until_called(self) -> None:
        """Wait until some call has arrived."""
        await self._arrival.wait()

    def requests(self, name: str) -> list[Any]:
        """The requests that arrived for the method `name`."""
        return [call.request for call in self.seen if call.name == name]

    def _handlers(self) -> grpc.GenericRpcHandler:
        return grpc.method_handlers_generic_handler(
            self.service.full_name,
            {method.name: self._handler(method) for method in self.service.methods},
        )

    def _handler(self, method: MethodDescriptor) -> "grpc.RpcMethodHandler[Any, Any]":
        request_class = message_factory.GetMessageClass(method.input_type)

        def next_step(request: Message, context: Context) -> Any:
            metadata = dict(context.invocation_metadata() or ())
            self.seen.append(Seen(method.name, request, metadata))
            self._arrival.set()
            steps = self.script[method.name]
            step = steps.pop(0) if len(steps) > 1 else steps[0]
            return step(request, context)

        async def unary(request: Message, context: Context) -> Message:
            answer: Message = await next_step(request, context)
            return answer

        async def stream(request: Message, context: Context) -> AsyncIterator[Message]:
            async for answer in next_step(request, context):
                yield answer

        if method.server_streaming:
            return grpc.unary_stream_rpc_method_handler(
                stream, request_class.FromString, lambda answer: answer.SerializeToString()
            )
        return grpc.unary_unary_rpc_method_handler(
            unary, request_class.FromString, lambda answer: answer.SerializeToString()
        )


@asynccontextmanager
async def scripted_server(
    service: ServiceDescriptor, script: Mapping[str, Sequence[Any]] | None = None
) -> AsyncIterator[ScriptedServer]:
    """A started `ScriptedServer`, stopped at the end."""
    server = ScriptedServer(service, {name: list(steps) for name, steps in (script or {}).items()})
    await server.start()
    try:
        yield server
    finally:
        await server.stop()


def answers(message: Message) -> Answer:
    """A step that answers."""

    async def step(_request: Any, _context: Context) -> Message:
        return message

    return step


def refuses(
    code: grpc.StatusCode,
    reason: str = "",
    *,
    message: str = "refused",
    metadata: Mapping[str, str] | None = None,
    retry_after: float | None = None,
    violations: Mapping[str, str] | None = None,
) -> Answer:
    """A step that fails the call, with an ErrorInfo when a reason is given."""
    details: list[Message] = []
    if reason:
        details.append(
            error_details_pb2.ErrorInfo(reason=reason, domain="daylily", metadata=metadata)
        )
    if retry_after is not None:
        retry = error_details_pb2.RetryInfo()
        retry.retry_delay.FromTimedelta(timedelta(seconds=retry_after))
        details.append(retry)
    if violations:
        details.append(
            error_details_pb2.BadRequest(
                field_violations=[
                    error_details_pb2.BadRequest.FieldViolation(field=name, description=text)
                    for name, text in violations.items()
                ]
            )
        )

    async def step(_request: Any, context: Context) -> NoReturn:
        await abort(context, code, message, details)
        raise AssertionError("unreachable")

    return step


async def abort(
    context: Context, code: grpc.StatusCode, message: str, details: Sequence[Message]
) -> None:
    """End the call with a google.rpc.Status."""
    status = status_pb2.Status(code=code.value[0], message=message)
    for detail in details:
        packed = any_pb2.Any()
        packed.Pack(detail)
        status.details.append(packed)
    await context.abort_with_status(rpc_status.to_status(status))


async def hangs(_request: Any, _context: Context) -> NoReturn:
    """A step that never answers."""
    await asyncio.Event().wait()
    raise AssertionError("unreachable")
