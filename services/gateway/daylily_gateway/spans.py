"""What the gateway knows of traces: no library is needed to say it. `tracing` makes it true."""

from collections.abc import Mapping
from typing import Protocol

from starlette.datastructures import Headers
from starlette.types import Scope


class RequestSpan(Protocol):
    """The span of one request."""

    @property
    def ids(self) -> Mapping[str, str]:
        """`trace_id` and `span_id` in hexadecimal, for log lines."""
        ...

    def ended(self, route: str, status: int) -> None:
        """The answer was sent; the status is 0 where none was."""
        ...


class RequestSpans(Protocol):
    """Makes a span for each request."""

    def begin(self, scope: Scope, headers: Headers) -> RequestSpan:
        """Begin it, in the trace that the request names; calls that follow are inside."""
        ...


class _NoSpan:
    ids: Mapping[str, str] = {}

    def ended(self, route: str, status: int) -> None:
        pass


class _NoSpans:
    def begin(self, scope: Scope, headers: Headers) -> RequestSpan:
        del scope, headers
        return NO_SPAN


NO_SPAN: RequestSpan = _NoSpan()
NO_SPANS: RequestSpans = _NoSpans()
"""Where nothing is traced."""
