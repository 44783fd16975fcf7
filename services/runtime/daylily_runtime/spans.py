"""What the rest of the runtime knows of traces: no library is needed to say it.

`daylily_runtime.tracing` makes it true with OpenTelemetry, and is imported where traces are
switched on.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol, TypeAlias

import grpc

from daylily_runtime.wire import StartError

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

    async def close(self) -> None:
        """Send what is left, for 2 s at most."""
        ...


def exported_spans(service: str, fields: Sequence[str] = ()) -> Spans:
    """Spans of this process, sent to where OpenTelemetry's own variables say.

    Args:
        service: name in traces where `OTEL_SERVICE_NAME` gives none.
        fields: the fields of requests that go into spans of RPCs.

    Raises:
        StartError: the libraries are missing, or a variable OTEL_… is wrong.
    """
    try:
        # Imported here: who does not trace does not need the libraries.
        from daylily_runtime.tracing import Tracing, TracingSettingsError  # noqa: PLC0415
    except ImportError:
        raise StartError(
            "DAYLILY_TRACING needs OpenTelemetry: pip install 'daylily-runtime[tracing]'."
        ) from None
    try:
        return Tracing(service, fields)
    except TracingSettingsError as error:
        raise StartError(str(error)) from error
