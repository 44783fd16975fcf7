"""What every asynchronous client has: a channel, and calls with deadlines and repeats."""

import copy
from collections.abc import Callable, Coroutine
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Any, Generic, cast, overload

import grpc
import grpc.aio
from typing_extensions import Self

from daylily_client.calling import PreparedCall, serialized
from daylily_client.options import ClientOptions
from daylily_client.rpc import Answer, P, Request, Rpc
from daylily_client.spans import Span, Spans
from daylily_client.timing import AsyncTime
from daylily_client.wire import Addresses, async_channel


class AsyncClient:
    """A connection to one service, kept by grpc.aio. Make it inside the event loop that uses it.

    Args:
        addresses: "host:port", several of them with commas between, or as a list.
        options: actor, deadline, TLS, repeats.
        time: for tests.

    Raises:
        ValueError: an address is no address.
    """

    def __init__(
        self,
        addresses: Addresses,
        options: ClientOptions | None = None,
        *,
        time: AsyncTime | None = None,
    ) -> None:
        self.options = options or ClientOptions()
        self.time = time or AsyncTime()
        self.channel: grpc.aio.Channel = async_channel(addresses, self.options)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Closes the connection; calls under way fail."""
        await self.channel.close()

    def with_timeout(self, seconds: float) -> Self:
        """The same client over the same connection, with another deadline for its calls."""
        other = copy.copy(self)
        other.options = replace(self.options, timeout=seconds)
        return other

    def with_actor(self, actor: str) -> Self:
        """The same client over the same connection, for calls made in somebody's name."""
        other = copy.copy(self)
        other.options = replace(self.options, actor=actor)
        return other

    def with_tracing(self, tracing: Spans) -> Self:
        """The same client over the same connection, with a span for each of its calls."""
        other = copy.copy(self)
        other.options = replace(self.options, tracing=tracing)
        return other

    async def call(self, rpc: Rpc[P, Request, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer:
        """Calls `rpc` with a request made of the keyword arguments.

        Raises:
            DaylilyError: the service refused, or did not answer within the deadline.
        """
        request = rpc.request(*args, **kwargs)
        with self.options.tracing.call(rpc.path, request) as span:
            return await self._call(rpc, request, span)

    async def _call(self, rpc: Rpc[P, Request, Answer], request: Request, span: Span) -> Answer:
        prepared = PreparedCall(
            rpc,
            request,
            self.options,
            self.time.monotonic,
            self.time.random,
            trace=span.metadata,
        )
        send: grpc.aio.UnaryUnaryMultiCallable[Request, Answer] = self.channel.unary_unary(
            rpc.path,
            request_serializer=serialized,
            response_deserializer=rpc.answer.FromString,
        )
        while True:
            try:
                return await send(
                    prepared.request,
                    timeout=prepared.plan.attempt_timeout(),
                    metadata=prepared.metadata,
                )
            except grpc.aio.AioRpcError as failure:
                error = prepared.error(failure)
                pause = prepared.plan.pause_after(error)
                if pause is None:
                    raise prepared.plan.final(error) from failure
            span.repeats(error)
            await self.time.sleep(pause)


class AsyncMethod(Generic[P, Request, Answer]):
    """A method of an asynchronous client for one RPC, with the request's fields as arguments."""

    def __init__(self, rpc: Rpc[P, Request, Answer]) -> None:
        self.rpc = rpc
        self.__doc__ = rpc.label

    @overload
    def __get__(
        self, client: None, owner: type[AsyncClient]
    ) -> "AsyncMethod[P, Request, Answer]": ...
    @overload
    def __get__(
        self, client: AsyncClient, owner: type[AsyncClient]
    ) -> Callable[P, Coroutine[Any, Any, Answer]]: ...
    def __get__(
        self, client: AsyncClient | None, owner: type[AsyncClient]
    ) -> "AsyncMethod[P, Request, Answer] | Callable[P, Coroutine[Any, Any, Answer]]":
        if client is None:
            return self
        return cast("Callable[P, Coroutine[Any, Any, Answer]]", partial(client.call, self.rpc))
