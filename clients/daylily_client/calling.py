"""What the synchronous and the asynchronous client do alike: a request becomes a planned call."""

import re
from collections.abc import Callable
from typing import Generic
from uuid import uuid4

import grpc
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message

from daylily_client.errors import DaylilyError, error_from_status
from daylily_client.options import ClientOptions
from daylily_client.retries import CallPlan
from daylily_client.rpc import Answer, P, Repeat, Request, Rpc
from daylily_client.spans import Metadata

REQUEST_ID_KEY = "x-request-id"
ACTOR_KEY = "x-daylily-actor"
AUTHORIZATION_KEY = "authorization"

_HEADER = re.compile(r"[!-~]{1,128}")
_NOT_PRINTABLE = re.compile(r"[^!-~]")
_ACTOR_LENGTH = 64


class PreparedCall(Generic[Request]):
    """One call, ready to be sent as often as its plan says.

    A mutating request without a `request_id` gets one here, so that each attempt carries the same.
    `trace` is what says of which trace the call is a part.
    """

    def __init__(
        self,
        rpc: Rpc[P, Request, Answer],
        request: Request,
        options: ClientOptions,
        monotonic: Callable[[], float],
        random: Callable[[], float],
        *,
        trace: Metadata = (),
    ) -> None:
        self.request = request
        self.label = rpc.label
        self.request_id = _request_id(rpc.repeat, request)
        self.metadata = (*call_metadata(options, self.request_id), *trace)
        extra_wait = _seconds(request, rpc.wait_field) if rpc.wait_field else 0.0
        self.plan = CallPlan(
            policy=options.retry,
            repeat=rpc.repeat,
            deadline=monotonic() + options.timeout + extra_wait,
            monotonic=monotonic,
            random=random,
            extra_wait=extra_wait,
        )

    def error(self, failure: grpc.RpcError) -> DaylilyError:
        """The exception that stands for a failed attempt."""
        return error_from_rpc(failure, rpc=self.label, request_id=self.request_id)


def call_metadata(options: ClientOptions, request_id: str) -> tuple[tuple[str, str], ...]:
    """The metadata that every call carries."""
    actor = (options.acting_for() if options.acting_for else "") or options.actor
    claimed = ((ACTOR_KEY, _word(actor)),) if actor else ()
    token = options.token() if options.token else ""
    proof = ((AUTHORIZATION_KEY, f"Bearer {token}"),) if token else ()
    return ((REQUEST_ID_KEY, request_id), *claimed, *proof)


def error_from_rpc(failure: grpc.RpcError, *, rpc: str, request_id: str) -> DaylilyError:
    """The exception for what grpc raised, by its synchronous or its asynchronous interface."""
    if not isinstance(failure, grpc.Call | grpc.aio.AioRpcError):
        raise TypeError(f"gRPC raised an error without a status: {failure!r}") from failure
    return error_from_status(
        failure.code(),
        failure.details() or "",
        tuple(failure.trailing_metadata() or ()),
        rpc=rpc,
        request_id=request_id,
    )


def serialized(message: Message) -> bytes:
    """A request as it goes over the wire. The base class's own method does not know how."""
    return message.SerializeToString()


def new_request_id() -> str:
    """An id for one intent, to be given with every attempt of it."""
    return uuid4().hex


def _request_id(repeat: Repeat, request: Message) -> str:
    if repeat is not Repeat.KEYED:
        return new_request_id()
    # The field is looked up by name: the table holds requests of many classes.
    request_id: str = getattr(request, "request_id") or new_request_id()  # noqa: B009
    setattr(request, "request_id", request_id)  # noqa: B010
    # One that no header can carry breaks the call off. Whoever gave it is told by the server.
    return request_id if _HEADER.fullmatch(request_id) else new_request_id()


def _word(name: str) -> str:
    """A name as audit trails take it: 64 printable characters of ASCII at most."""
    return _NOT_PRINTABLE.sub("_", name)[:_ACTOR_LENGTH]


def _seconds(request: Message, field: str) -> float:
    value = getattr(request, field)
    return value.ToTimedelta().total_seconds() if isinstance(value, Duration) else 0.0
