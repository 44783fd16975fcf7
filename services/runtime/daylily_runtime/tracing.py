"""Traces of a server, by OpenTelemetry: a span for each RPC, sent by OTLP to a collector.

Where to and how many is said by OpenTelemetry's own variables (`OTEL_EXPORTER_OTLP_ENDPOINT`,
`OTEL_TRACES_SAMPLER`, `OTEL_SERVICE_NAME`, …). Nothing here waits: ended spans go into a bounded
queue, and a thread of the SDK sends them. A collector that is away or hangs costs spans alone.
"""

import os
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, Final

import grpc
import structlog
from opentelemetry import context as otel_context
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Span, SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from daylily_runtime.offload import Offload
from daylily_runtime.spans import Value

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

ATTRIBUTE_PREFIX: Final = "daylily."

# For the spans of the last moments; a collector that takes longer does not hold a stop up.
_FLUSH_SECONDS: Final = 2.0
# What a caller sends goes into spans; this is longer than every name that the system takes.
_LONGEST_VALUE: Final = 256
# Codes that are the server's own doing; the others are answers to what a caller asked.
# https://opentelemetry.io/docs/specs/semconv/rpc/grpc/
_FAULTS: Final = frozenset(
    {
        grpc.StatusCode.UNKNOWN,
        grpc.StatusCode.DEADLINE_EXCEEDED,
        grpc.StatusCode.UNIMPLEMENTED,
        grpc.StatusCode.INTERNAL,
        grpc.StatusCode.UNAVAILABLE,
        grpc.StatusCode.DATA_LOSS,
    }
)
_TRACEPARENT: Final = TraceContextTextMapPropagator()


class TracingSettingsError(Exception):
    """A variable OTEL_… says what cannot be done."""


class Tracing:
    """The spans of one server; see `daylily_runtime.spans.Spans`.

    Args:
        service: name in traces where `OTEL_SERVICE_NAME` gives none.
        fields: the fields of requests that go into spans.

    Raises:
        TracingSettingsError: a variable OTEL_… is wrong.
    """

    def __init__(self, service: str, fields: Sequence[str]) -> None:
        self._fields = fields
        self._exporter = _exporter()
        self._offload = Offload(workers=1, waiting=1, name="traces")
        self.provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
        if self._exporter is not None:
            self.provider.add_span_processor(BatchSpanProcessor(self._exporter))
        self._tracer = self.provider.get_tracer("daylily_runtime")

    def call(
        self, method: str, metadata: Mapping[str, str | bytes], *, streams: bool
    ) -> "TracedCall":
        """Begin the span of an RPC; it becomes the current one unless the RPC is a stream.

        A stream lasts for half an hour. What happens in it would make a trace that no page can
        show, so it has a span of its own length, and nothing inside.
        """
        sent = {name: value for name, value in metadata.items() if isinstance(value, str)}
        span = self._tracer.start_span(
            method,
            context=_TRACEPARENT.extract(sent, otel_context.Context()),
            kind=SpanKind.SERVER,
            attributes={"rpc.system.name": "grpc", "rpc.method": method},
        )
        if not streams:
            # Never detached: an RPC is a task of its own, and its context ends with it.
            otel_context.attach(trace.set_span_in_context(span))
        return TracedCall(span, self._fields)

    def part(self, name: str, attributes: Mapping[str, Value]) -> AbstractContextManager[object]:
        """A span inside the current one. Without one, what loops in the background would fill the
        collector with traces of a single span.
        """
        if not trace.get_current_span().get_span_context().is_valid:
            return nullcontext()
        return self._part(name, attributes)

    @contextmanager
    def _part(self, name: str, attributes: Mapping[str, Value]) -> Iterator[None]:
        # No exception is recorded: its message may hold anything.
        with self._tracer.start_as_current_span(
            name,
            kind=SpanKind.CLIENT,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            try:
                yield
            except BaseException as error:
                span.set_status(StatusCode.ERROR)
                span.set_attribute("error.type", type(error).__name__)
                raise

    async def close(self) -> None:
        """Send what is left, for 2 s at most."""
        await self._offload.run(self._flush)
        await self._offload.close()

    def _flush(self) -> None:
        flush = threading.Thread(target=self.provider.shutdown, name="traces", daemon=True)
        flush.start()
        flush.join(_FLUSH_SECONDS)
        if flush.is_alive() and self._exporter is not None:
            _log.warning("traces_not_sent", seconds=_FLUSH_SECONDS)
            # Ends the attempt under way and its repeats, so that the threads end as well.
            self._exporter.shutdown(timeout_millis=0)


class TracedCall:
    """The span of one RPC; see `daylily_runtime.spans.CallSpan`."""

    __slots__ = ("_fields", "_span")

    def __init__(self, span: Span, fields: Sequence[str]) -> None:
        self._span = span
        self._fields = fields

    @property
    def ids(self) -> dict[str, str]:
        """`trace_id` and `span_id` in hexadecimal."""
        return ids_of(self._span)

    def asked(self, request: Any) -> None:
        """Note the fields of the request that go into spans, those that are set."""
        found = {name: getattr(request, name, None) for name in self._fields}
        self.note(
            {name: value for name, value in found.items() if isinstance(value, str) and value}
        )

    def note(self, attributes: Mapping[str, Value]) -> None:
        """Add attributes, long texts cut."""
        for name, value in attributes.items():
            short = value[:_LONGEST_VALUE] if isinstance(value, str) else value
            self._span.set_attribute(ATTRIBUTE_PREFIX + name, short)

    def ended(self, code: grpc.StatusCode, reason: str) -> None:
        """The RPC is over. The message of an error stays out: it is for its caller."""
        self._span.set_attribute("rpc.response.status_code", code.name)
        if reason:
            self.note({"reason": reason})
        if code in _FAULTS:
            self._span.set_attribute("error.type", code.name)
            self._span.set_status(StatusCode.ERROR, reason or code.name)
        self._span.end()


def ids_of(span: Span) -> dict[str, str]:
    """`trace_id` and `span_id` in hexadecimal."""
    about = span.get_span_context()
    return {
        "trace_id": trace.format_trace_id(about.trace_id),
        "span_id": trace.format_span_id(about.span_id),
    }


def _resource(service: str) -> Resource:
    """What the spans come from: as the variables say, else the service's own name."""
    said = Resource.create()
    if not str(said.attributes.get(SERVICE_NAME, "")).startswith("unknown_service"):
        return said
    return said.merge(Resource({SERVICE_NAME: service}))


def _exporter() -> OTLPSpanExporter | None:
    where = os.environ.get("OTEL_TRACES_EXPORTER", "").strip() or "otlp"
    if where == "none":
        return None
    if where != "otlp":
        raise TracingSettingsError(f"OTEL_TRACES_EXPORTER is {where!r}: otlp or none.")
    for name in ("OTEL_EXPORTER_OTLP_TRACES_PROTOCOL", "OTEL_EXPORTER_OTLP_PROTOCOL"):
        protocol = os.environ.get(name, "").strip() or "grpc"
        if protocol != "grpc":
            raise TracingSettingsError(f"{name} is {protocol!r}: only grpc is there.")
    try:
        return OTLPSpanExporter()
    except Exception as error:  # whatever it raises, it is about what the variables say
        raise TracingSettingsError(f"OTEL_EXPORTER_OTLP_…: {error}") from error
