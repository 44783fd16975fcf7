"""What the rest of the runtime knows of traces: no library is needed to say it.

`daylily_runtime.tracing` makes it true with OpenTelemetry, and is imported where traces are
switched on.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

import grpc

Value: TypeAlias = str | bool | int | float


class CallSpan(Protocol):
    """The span of one RPC."""

    @property
    def ids(self) -> Mapping[str, str]:
        """`trace_id` and `span_id` in hexadecimal, for log lines."""
        ...

    def asked(self, request: Any) -> None:
        """The request was read: the fields of it that are to be in spans."""
        ...

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes; their names get the prefix `daylily.`."""
        ...

    def ended(self, code: grpc.StatusCode, reason: str) -> None:
        """The RPC is over."""
        ...


class Spans(Protocol):
    """Makes spans for one server."""

    @property
    def provider(self) -> Any:
        """The OpenTelemetry TracerProvider, for clients that this server uses."""
        ...

    def call(self, method: str, metadata: Mapping[str, str | bytes], *, streams: bool) -> CallSpan:
        """Begin the span of an RPC, in the trace that the metadata names.

        It becomes the current one of this task unless the RPC is a stream.
        """
        ...

    def part(self, name: str, attributes: Mapping[str, Value]) -> AbstractContextManager[object]:
        """A span inside the current one; none where there is no current one."""
        ...
