"""What every synchronous client has: a channel, and calls with deadlines and repeats."""

import copy
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from types import TracebackType
from typing import Generic, cast, overload

import grpc
from typing_extensions import Self

from daylily_client.calling import PreparedCall, serialized
from daylily_client.options import ClientOptions
from daylily_client.rpc import Answer, P, Request, Rpc
from daylily_client.spans import Span, Spans
from daylily_client.timing import SyncTime
from daylily_client.wire import Addresses, sync_channel


class SyncClient:
    """A connection to one service. Safe to share between threads.

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
        time: SyncTime | None = None,
    ) -> None:
        self.options = options or ClientOptions()
        self.time = time or SyncTime()
        self.channel: grpc.Channel = sync_channel(addresses, self.options)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connection; calls under way fail."""
        self.channel.close()

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

    def call(self, rpc: Rpc[P, Request, Answer], *args: P.args, **kwargs: P.kwargs) -> Answer:
        """Calls `rpc` with a request made of the keyword arguments.

        Raises:
            DaylilyError: the service refused, or did not answer within the deadline.
        """
        request = rpc.request(*args, **kwargs)
        with self.options.tracing.call(rpc.path, request) as span:
            return self._call(rpc, request, span)

    def _call(self, rpc: Rpc[P, Request, Answer], request: Request, span: Span) -> Answer:
        prepared = PreparedCall(
            rpc,
            request,
            self.options,
            self.time.monotonic,
            self.time.random,
            trace=span.metadata,
        )
        send: grpc.UnaryUnaryMultiCallable[Request, Answer] = self.channel.unary_unary(
            rpc.path,
            request_serializer=serialized,
            response_deserializer=rpc.answer.FromString,
        )
        while True:
            try:
                return send(
                    prepared.request,
                    timeout=prepared.plan.attempt_timeout(),
                    metadata=prepared.metadata,
                )
            except grpc.RpcError as failure:
                error = prepared.error(failure)
                pause = prepared.plan.pause_after(error)
                if pause is None:
                    raise prepared.plan.final(error) from failure
            span.repeats(error)
            self.time.sleep(pause)


class SyncMethod(Generic[P, Request, Answer]):
    """A method of a synchronous client for one RPC, with the request's fields as arguments."""

    def __init__(self, rpc: Rpc[P, Request, Answer]) -> None:
        self.rpc = rpc
        self.__doc__ = rpc.label

    @overload
    def __get__(
        self, client: None, owner: type[SyncClient]
    ) -> "SyncMethod[P, Request, Answer]": ...
    @overload
    def __get__(self, client: SyncClient, owner: type[SyncClient]) -> Callable[P, Answer]: ...
    def __get__(
        self, client: SyncClient | None, owner: type[SyncClient]
    ) -> "SyncMethod[P, Request, Answer] | Callable[P, Answer]":
        if client is None:
            return self
        return cast("Callable[P, Answer]", partial(client.call, self.rpc))
