"""A span for each HTTP request, around the calls of services that it becomes.

Imported where traces are on: it needs OpenTelemetry.
"""

from typing import Any, Final

from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import Scope

from daylily_runtime.tracing import ids_of

_TRACEPARENT: Final = TraceContextTextMapPropagator()


class HttpSpans:
    """See `daylily_gateway.spans.RequestSpans`.

    Args:
        provider: an OpenTelemetry TracerProvider.
    """

    def __init__(self, provider: Any) -> None:
        self._tracer = provider.get_tracer("daylily_gateway")

    def begin(self, scope: Scope, headers: Headers) -> "HttpSpan":
        """Begin the span of a request, in the trace that its header names; it becomes the current one."""
        span = self._tracer.start_span(
            scope["method"],
            context=_TRACEPARENT.extract(dict(headers), otel_context.Context()),
            kind=SpanKind.SERVER,
            attributes={"http.request.method": scope["method"], "url.scheme": scope["scheme"]},
        )
        # Never detached: a request is a task of its own, and its context ends with it.
        otel_context.attach(trace.set_span_in_context(span))
        return HttpSpan(span, scope)


class HttpSpan:
    """See `daylily_gateway.spans.RequestSpan`."""

    __slots__ = ("_scope", "_span")

    def __init__(self, span: Span, scope: Scope) -> None:
        self._span = span
        self._scope = scope

    @property
    def ids(self) -> dict[str, str]:
        """`trace_id` and `span_id` in hexadecimal."""
        return ids_of(self._span)

    def ended(self, route: str, status: int) -> None:
        """The answer was sent, or with status 0 none was. Named by the route: ids would be without end."""
        if route:
            self._span.update_name(f"{self._scope['method']} {route}")
            self._span.set_attribute("http.route", route)
        if status:
            self._span.set_attribute("http.response.status_code", status)
        if status >= 500 or not status:
            self._span.set_attribute("error.type", str(status or "cancelled"))
            self._span.set_status(StatusCode.ERROR)
        self._span.end()
