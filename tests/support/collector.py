"""A collector of traces on a real port, and one that accepts connections and never says a word."""

import socket
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span as SpanMessage


@dataclass(frozen=True)
class Span:
    """A span as it arrived. Ids are hexadecimal; `parent` is empty for the first of a trace."""

    service: str
    name: str
    kind: str
    trace_id: str
    span_id: str
    parent: str
    attributes: dict[str, object]
    events: tuple[str, ...]
    error: bool
    seconds: float


@dataclass
class Collector(trace_service_pb2_grpc.TraceServiceServicer):
    """Keeps what it is sent."""

    port: int = 0
    messages: list[trace_service_pb2.ExportTraceServiceRequest] = field(default_factory=list)

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def spans(self) -> list[Span]:
        return [
            _span(attributes_of(part.resource.attributes), span)
            for message in list(self.messages)
            for part in message.resource_spans
            for scope in part.scope_spans
            for span in scope.spans
        ]

    def Export(
        self,
        request: trace_service_pb2.ExportTraceServiceRequest,
        context: grpc.ServicerContext,
    ) -> trace_service_pb2.ExportTraceServiceResponse:
        del context
        self.messages.append(request)
        return trace_service_pb2.ExportTraceServiceResponse()

    def until(self, arrived: Callable[[list[Span]], object], seconds: float = 30.0) -> list[Span]:
        """Wait until what arrived is enough, and give it."""
        give_up = time.monotonic() + seconds
        while not arrived(spans := self.spans):
            assert time.monotonic() < give_up, f"not enough arrived: {spans}"
            time.sleep(0.02)
        return spans


def attributes_of(pairs: Iterable[KeyValue]) -> dict[str, object]:
    """Attributes as Python has them."""
    return {
        pair.key: getattr(pair.value, pair.value.WhichOneof("value") or "string_value")
        for pair in pairs
    }


def _span(resource: dict[str, object], span: SpanMessage) -> Span:
    return Span(
        service=str(resource["service.name"]),
        name=span.name,
        kind=SpanMessage.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_"),
        trace_id=span.trace_id.hex(),
        span_id=span.span_id.hex(),
        parent=span.parent_span_id.hex(),
        attributes=attributes_of(span.attributes),
        events=tuple(event.name for event in span.events),
        error=span.status.code == span.status.STATUS_CODE_ERROR,
        seconds=(span.end_time_unix_nano - span.start_time_unix_nano) / 1e9,
    )


@contextmanager
def collecting() -> Iterator[Collector]:
    """A collector that serves OTLP over gRPC while the context lasts."""
    collector = Collector()
    server = grpc.server(ThreadPoolExecutor(2, thread_name_prefix="collector"))
    add: Any = trace_service_pb2_grpc.add_TraceServiceServicer_to_server  # untyped
    add(collector, server)
    collector.port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    try:
        yield collector
    finally:
        server.stop(None).wait()


@contextmanager
def silent_endpoint() -> Iterator[str]:
    """Where connections are accepted, and nothing is ever answered."""
    accepted: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            while True:
                try:
                    accepted.append(listener.accept()[0])
                except OSError:
                    return

        thread = threading.Thread(target=accept, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
    thread.join(5)
    for connection in accepted:
        connection.close()
