"""The layer around every handler: request id, deadline, access, errors, log.

One interceptor and not five, because they share one try block: what is logged is what the caller
was answered, and a stream pays for one wrapper per message.
"""

import asyncio
import inspect
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Never, TypeAlias, TypeVar

import grpc
import structlog
from google.rpc.status_pb2 import Status

from daylily_runtime.access.errors import UnauthenticatedError
from daylily_runtime.access.gate import Gate
from daylily_runtime.call_metrics import CallMetrics
from daylily_runtime.calls import (
    REQUEST_ID_KEY,
    ActiveCalls,
    Call,
    enter_call,
    request_id_from,
)
from daylily_runtime.errors import (
    DETAILS_KEY,
    ErrorRow,
    ErrorTable,
    RuntimeReason,
    ServiceError,
    to_status,
)
from daylily_runtime.offload import OffloadSaturatedError, OffloadTimeoutError
from daylily_runtime.spans import Spans

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

T = TypeVar("T")
# In quotes: these are generic in the type stubs alone.
Context: TypeAlias = "grpc.aio.ServicerContext[Any, Any]"
Handler: TypeAlias = "grpc.RpcMethodHandler[Any, Any]"


class _DeadlineExceededError(Exception):
    """The time that this server gives to a call is over."""


class _MalformedRequestError(Exception):
    """The bytes are no message of the request's type."""


class _CallerGoneError(Exception):
    """A write failed because the caller went away; core cancels the call at the same time."""


class _Malformed:
    """Stands for a request that could not be read, until the layer is there to answer that."""


_OWN_ERRORS = ErrorTable(
    {
        _DeadlineExceededError: ErrorRow(
            grpc.StatusCode.DEADLINE_EXCEEDED, RuntimeReason.DEADLINE_EXCEEDED
        ),
        _MalformedRequestError: ErrorRow(
            grpc.StatusCode.INVALID_ARGUMENT, RuntimeReason.INVALID_FIELD
        ),
        OffloadTimeoutError: ErrorRow(
            grpc.StatusCode.DEADLINE_EXCEEDED, RuntimeReason.DEADLINE_EXCEEDED
        ),
        OffloadSaturatedError: ErrorRow(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            RuntimeReason.OVERLOADED,
            retry_after=lambda _: 1.0,
        ),
    }
)


class CallLayer(grpc.aio.ServerInterceptor):
    """Wraps every handler of one server.

    Args:
        service: the service's name in logs.
        errors: the service's table.
        calls: where calls under way are kept for a stop.
        max_call_seconds: longest that a call with a single answer may take.
        max_response_bytes: a larger answer becomes an error that says so.
        metrics: told of every call that ended.
        gate: lets calls in.
        spans: makes a span for each; None where calls are not traced.
    """

    def __init__(
        self,
        *,
        service: str,
        errors: ErrorTable,
        calls: ActiveCalls,
        max_call_seconds: float,
        max_response_bytes: int,
        metrics: CallMetrics,
        gate: Gate,
        spans: Spans | None = None,
    ) -> None:
        self._service = service
        self._errors = errors
        self._calls = calls
        self._max_call_seconds = max_call_seconds
        self._max_response_bytes = max_response_bytes
        self._metrics = metrics
        self._gate = gate
        self._spans = spans
        self._wrapped: dict[str, tuple[Handler, Handler]] = {}

    async def intercept_service(
        self,
        continuation: Callable[[grpc.HandlerCallDetails], Awaitable["Handler | None"]],
        handler_call_details: grpc.HandlerCallDetails,
    ) -> "Handler | None":
        handler = await continuation(handler_call_details)
        if handler is None:  # no such method: core answers UNIMPLEMENTED
            return None
        method = handler_call_details.method
        known = self._wrapped.get(method)
        if known is None or known[0] is not handler:
            known = self._wrapped[method] = (handler, self._wrap(handler, method.lstrip("/")))
        return known[1]

    def _wrap(self, handler: Handler, method: str) -> Handler:
        encode = self._encoder(handler)
        decode = _decoder(handler)
        behaviour: Any = (
            handler.unary_unary
            or handler.unary_stream
            or handler.stream_unary
            or handler.stream_stream
        )

        async def answer_once(request: Any, context: Context) -> bytes:
            async def answer(call: Call) -> bytes:
                found = behaviour(await self._admitted(call, request, context), context)
                return encode(await found if inspect.isawaitable(found) else found)

            return await self._around(method, context, answer, streams=False)

        async def answer_stream(request: Any, context: Context) -> None:
            async def answer(call: Call) -> None:
                found = behaviour(await self._admitted(call, request, context), context)
                if not hasattr(found, "__aiter__"):
                    await found  # it writes to the context itself
                    return
                async with aclosing(found):
                    async for message in found:
                        await _write(context, encode(message))

            await self._around(method, context, answer, streams=True)

        make: Any = {
            (False, False): grpc.unary_unary_rpc_method_handler,
            (False, True): grpc.unary_stream_rpc_method_handler,
            (True, False): grpc.stream_unary_rpc_method_handler,
            (True, True): grpc.stream_stream_rpc_method_handler,
        }[handler.request_streaming, handler.response_streaming]
        wrapped: Handler = make(
            answer_stream if handler.response_streaming else answer_once,
            request_deserializer=decode,
            response_serializer=encode,
        )
        return wrapped

    async def _admitted(self, call: Call, request: Any, context: Context) -> Any:
        """The request, when its caller may send it. Who is not known is not told that it is bad."""
        await self._gate.authenticate(call, context)
        readable = _checked(request)
        if call.span is not None:
            call.span.asked(readable)
        await self._gate.authorize(call, readable)
        return readable

    def _encoder(self, handler: Handler) -> Callable[[Any], bytes]:
        """A serializer that knows the size limit, and leaves alone what is bytes already.

        Serialising inside the layer is what turns a bad or too large answer into an error with
        details; core would cut the call off with UNKNOWN.
        """
        serialize: Any = handler.response_serializer

        def encode(message: Any) -> bytes:
            raw: bytes = (
                message if serialize is None or isinstance(message, bytes) else serialize(message)
            )
            if len(raw) > self._max_response_bytes:
                raise ServiceError(
                    f"The answer has {len(raw)} bytes, more than the {self._max_response_bytes} "
                    "that this server sends. Ask for less at a time."
                )
            return raw

        return encode

    async def _around(
        self,
        method: str,
        context: Context,
        answer: Callable[[Call], Awaitable[T]],
        *,
        streams: bool,
    ) -> T:
        call = self._begin(method, context, streams=streams)
        outcome: tuple[grpc.StatusCode, dict[str, str]] = (grpc.StatusCode.OK, {})
        try:
            result = await self._in_time(call, context, answer)
            outcome = (_code_set(context) or grpc.StatusCode.OK, {})
            return result
        except grpc.aio.AbortError:
            outcome = (context.code(), {})
            raise
        except _CallerGoneError as error:
            outcome = (grpc.StatusCode.CANCELLED, {})
            raise asyncio.CancelledError from error
        except asyncio.CancelledError as error:
            if _cancelled_by_caller(call):
                outcome = (_why_cancelled(call), {})
                raise
            refusal, status = self._refusal(call, context, error)
            outcome = (refusal.code, {"reason": refusal.reason, "message": refusal.message})
            await _refuse(call, context, refusal.code, status)
        except Exception as error:  # noqa: BLE001 - the boundary: everything becomes a status
            refusal, status = self._refusal(call, context, error)
            outcome = (refusal.code, {"reason": refusal.reason, "message": refusal.message})
            await _refuse(call, context, refusal.code, status)
        finally:
            self._gate.left(call)
            self._calls.discard(call)
            self._metrics.ended(call, outcome[0], outcome[1].get("reason", ""))
            if call.span is not None:
                call.span.ended(outcome[0], outcome[1].get("reason", ""))
            self._log_call(call, *outcome)

    def _begin(self, method: str, context: Context, *, streams: bool) -> Call:
        metadata = dict(context.invocation_metadata() or ())
        call = Call(
            method=method,
            request_id=request_id_from(metadata.get(REQUEST_ID_KEY)),
            peer=context.peer(),
            streams=streams,
        )
        call.deadline = self._deadline(call, context)
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a handler always runs in one
        self._calls.add(call, task)
        enter_call(call)
        structlog.contextvars.bind_contextvars(service=self._service, request_id=call.request_id)
        if self._spans is not None and not call.is_infrastructure:
            call.span = self._spans.call(method, metadata, streams=streams)
            structlog.contextvars.bind_contextvars(**call.span.ids)
        context.set_trailing_metadata(((REQUEST_ID_KEY, call.request_id),))
        return call

    def _deadline(self, call: Call, context: Context) -> float | None:
        given: float | None = context.time_remaining()
        longest = None if call.streams else self._max_call_seconds
        limits = [limit for limit in (given, longest) if limit is not None]
        return call.started + min(limits) if limits else None

    async def _in_time(
        self, call: Call, context: Context, answer: Callable[[Call], Awaitable[T]]
    ) -> T:
        """Enforce the server's own limit; a deadline of the caller's is enforced by core."""
        given: float | None = context.time_remaining()
        if call.streams or (given is not None and given <= self._max_call_seconds):
            return await answer(call)
        scope = asyncio.timeout(self._max_call_seconds)
        try:
            async with scope:
                return await answer(call)
        except TimeoutError:
            if not scope.expired():
                raise
            raise _DeadlineExceededError(
                f"The call took more than the {self._max_call_seconds:g} s that this server gives."
            ) from None

    def _refusal(
        self, call: Call, context: Context, error: BaseException
    ) -> tuple[ServiceError, Status]:
        try:
            refusal = self._known(call, context, error) or _unexpected(call, error)
            return refusal, to_status(refusal)
        except Exception as fault:  # noqa: BLE001 - an error in a table row is not the caller's
            refusal = _unexpected(call, fault)
            return refusal, to_status(refusal)

    def _known(self, call: Call, context: Context, error: BaseException) -> ServiceError | None:
        if isinstance(error, asyncio.CancelledError) and call.cut_off:
            _forget_cancellation()
            if call.revoked:
                return UnauthenticatedError("You are not known here any more.")
            return ServiceError(
                "This server is stopping. Ask another, or again in a moment.",
                code=grpc.StatusCode.UNAVAILABLE,
                reason=RuntimeReason.STOPPING,
            )
        if isinstance(error, NotImplementedError) and (
            context.code() == grpc.StatusCode.UNIMPLEMENTED  # what generated servicers raise
        ):
            rpc = call.method.rpartition("/")[2]
            return ServiceError(
                f"{rpc} is not implemented by this version.",
                code=grpc.StatusCode.UNIMPLEMENTED,
                reason=RuntimeReason.NOT_IMPLEMENTED,
                metadata={"rpc": rpc},
            )
        if isinstance(error, Exception):
            return self._errors.translate(error) or _OWN_ERRORS.translate(error)
        return None

    def _log_call(self, call: Call, code: grpc.StatusCode, why: dict[str, str]) -> None:
        log = _log.debug if call.is_infrastructure else _log.info
        log(
            "call",
            method=call.method,
            code=code.name,
            ms=round((time.monotonic() - call.started) * 1000, 2),
            peer=call.peer,
            **({"identity": call.identity.name} if call.identity else {}),
            **why,
        )


def _code_set(context: Context) -> grpc.StatusCode | None:
    """What the handler set by itself; the type stubs do not know that it may be nothing."""
    code: grpc.StatusCode | None = context.code()
    return code


def _decoder(handler: Handler) -> Callable[[bytes], Any] | None:
    deserialize: Any = handler.request_deserializer
    if deserialize is None:
        return None

    def decode(raw: bytes) -> Any:
        try:
            return deserialize(raw)
        except Exception:  # noqa: BLE001 - whatever it raises, these bytes are no request
            return _Malformed()

    return decode


def _checked(request: Any) -> Any:
    """The request, or the stream of them, with unreadable ones raised as errors."""
    if isinstance(request, _Malformed):
        raise _MalformedRequestError("The request is no message of the type that this RPC takes.")
    return _checked_stream(request) if hasattr(request, "__aiter__") else request


async def _checked_stream(requests: AsyncIterator[Any]) -> AsyncIterator[Any]:
    async for request in requests:
        yield _checked(request)


async def _write(context: Context, message: bytes) -> None:
    try:
        await context.write(message)
    except grpc.aio.BaseError as error:
        raise _CallerGoneError from error


def _cancelled_by_caller(call: Call) -> bool:
    """Whether core cancelled this task: the caller went away, or its deadline passed.

    Else it was the server, or something that the handler awaited was cancelled; then the caller
    is still there and has to get an answer.
    """
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0 and not call.cut_off


def _forget_cancellation() -> None:
    """Let this task await again: the answer that the server is stopping has to be sent."""
    task = asyncio.current_task()
    while task is not None and task.cancelling():
        task.uncancel()


def _why_cancelled(call: Call) -> grpc.StatusCode:
    remaining = call.remaining()
    # Core's timer and ours do not agree to the millisecond.
    late = remaining is not None and remaining < 0.05
    return grpc.StatusCode.DEADLINE_EXCEEDED if late else grpc.StatusCode.CANCELLED


def _unexpected(call: Call, error: BaseException) -> ServiceError:
    _log.error("call_failed_unexpectedly", method=call.method, exc_info=error)
    return ServiceError(
        "The server failed to answer; that is a fault of its own. "
        f"Its log has the details under request id {call.request_id}.",
        metadata={"request_id": call.request_id},
    )


async def _refuse(call: Call, context: Context, code: grpc.StatusCode, status: Status) -> Never:
    kept = tuple(
        item
        for item in (context.trailing_metadata() or ())
        if item[0] not in {REQUEST_ID_KEY, DETAILS_KEY}
    )
    await context.abort(
        code,
        status.message,
        (*kept, (REQUEST_ID_KEY, call.request_id), (DETAILS_KEY, status.SerializeToString())),
    )
