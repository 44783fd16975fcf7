"""Traces of a client, by OpenTelemetry; needs `daylily-client[tracing]`.

    options = ClientOptions(tracing=ClientSpans(provider))

makes a span for each call and sends `traceparent` with it. A process that has no provider of its
own gets one by `exported`, which sends by OTLP to where `OTEL_EXPORTER_OTLP_ENDPOINT` says.
"""

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from google.protobuf.message import Message
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import SERVICE_NAME, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from daylily_client.errors import DaylilyError
from daylily_client.spans import Metadata, Span, TracingSettingsError, Value

ATTRIBUTE_PREFIX: Final = "daylily."

_FLUSH_SECONDS: Final = 2.0
_LONGEST_VALUE: Final = 256
# The fields of requests that tell calls apart.
_FIELDS: Final = ("workset_id", "cluster_name", "owner_id")
_TRACEPARENT: Final = TraceContextTextMapPropagator()


class ClientSpans:
    """Spans of a client; see `daylily_client.spans.Spans`.

    Args:
        provider: where the spans go; its resource says whose they are.
    """

    def __init__(self, provider: trace.TracerProvider) -> None:
        self._tracer = provider.get_tracer("daylily_client")

    def call(self, path: str, request: Message) -> AbstractContextManager[Span]:
        """A span around one call of an RPC, repeats included."""
        method = path.lstrip("/")
        attributes: dict[str, Value] = {"rpc.system.name": "grpc", "rpc.method": method}
        for name in _FIELDS:
            value = getattr(request, name, "")
            if isinstance(value, str) and value:
                attributes[ATTRIBUTE_PREFIX + name] = value[:_LONGEST_VALUE]
        return self._span(method, SpanKind.CLIENT, attributes)

    def work(self, name: str, **attributes: Value) -> AbstractContextManager[Span]:
        """A span around a piece of work; calls that are made in it are inside."""
        named = {ATTRIBUTE_PREFIX + key: value for key, value in attributes.items()}
        return self._span(name, SpanKind.INTERNAL, named)

    @contextmanager
    def _span(self, name: str, kind: SpanKind, attributes: dict[str, Value]) -> Iterator[Span]:
        # No exception is recorded: its message may hold anything.
        with self._tracer.start_as_current_span(
            name,
            kind=kind,
            attributes=attributes,
            record_exception=False,
            set_status_on_exception=False,
        ) as span:
            traced = _TracedSpan(span)
            try:
                yield traced
            except DaylilyError as error:
                traced.failed(error.code.name, error.reason)
                raise
            except asyncio.CancelledError:
                traced.failed("CANCELLED", "")
                raise
            except Exception as error:
                traced.failed(type(error).__name__, "")
                raise
            if kind is SpanKind.CLIENT:
                span.set_attribute("rpc.response.status_code", "OK")


class _TracedSpan:
    __slots__ = ("_span",)

    def __init__(self, span: trace.Span) -> None:
        self._span = span

    @property
    def ids(self) -> dict[str, str]:
        about = self._span.get_span_context()
        return {
            "trace_id": trace.format_trace_id(about.trace_id),
            "span_id": trace.format_span_id(about.span_id),
        }

    @property
    def metadata(self) -> Metadata:
        carrier: dict[str, str] = {}
        _TRACEPARENT.inject(carrier, trace.set_span_in_context(self._span))
        return tuple(carrier.items())

    def note(self, **attributes: Value) -> None:
        for name, value in attributes.items():
            short = value[:_LONGEST_VALUE] if isinstance(value, str) else value
            self._span.set_attribute(ATTRIBUTE_PREFIX + name, short)

    def repeats(self, error: DaylilyError) -> None:
        self._span.add_event("repeat", {"code": error.code.name, "reason": error.reason})

    def failed(self, code: str, reason: str) -> None:
        self._span.set_attribute("rpc.response.status_code", code)
        self._span.set_attribute("error.type", reason or code)
        if reason:
            self._span.set_attribute(f"{ATTRIBUTE_PREFIX}reason", reason)
        self._span.set_status(StatusCode.ERROR, reason or code)


@contextmanager
def exported(service: str) -> Iterator[ClientSpans]:
    """Spans of this process, sent while the context lasts; its end takes 2 s at most.

    Args:
        service: name in traces where `OTEL_SERVICE_NAME` gives none.

    Raises:
        TracingSettingsError: a variable OTEL_… is wrong.
    """
    provider = TracerProvider(resource=_resource(service), shutdown_on_exit=False)
    exporter = _exporter()
    if exporter is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    try:
        yield ClientSpans(provider)
    finally:
        # In a thread that nobody waits for longer: a collector that hangs does not hold us up.
        flush = threading.Thread(target=provider.shutdown, name="traces", daemon=True)
        flush.start()
        flush.join(_FLUSH_SECONDS)
        if flush.is_alive() and exporter is not None:
            exporter.shutdown(timeout_millis=0)


def _resource(service: str) -> Resource:
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
