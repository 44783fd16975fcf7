"""What the client knows of traces: no library is needed to say it.

`daylily_client.tracing` makes it true with OpenTelemetry, and is imported where traces are switched
on.
"""

from collections.abc import Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any, Final, Protocol, TypeAlias

from google.protobuf.message import Message

from daylily_client.errors import DaylilyError

Value: TypeAlias = str | bool | int | float
Metadata: TypeAlias = tuple[tuple[str, str], ...]


class TracingSettingsError(Exception):
    """A variable OTEL_… says what cannot be done."""


class Span(Protocol):
    """A piece of work, or a call."""

    @property
    def ids(self) -> Mapping[str, str]:
        """`trace_id` and `span_id` in hexadecimal, for log lines."""
        ...

    @property
    def metadata(self) -> Metadata:
        """What a call has to carry so that the service's span is inside this one."""
        ...

    def note(self, **attributes: Value) -> None:
        """Add attributes; their names get the prefix `daylily.`."""
        ...

    def repeats(self, error: DaylilyError) -> None:
        """An attempt failed, and another will be made."""
        ...


class Spans(Protocol):
    """Makes spans."""

    def call(self, path: str, request: Message) -> AbstractContextManager[Span]:
        """A span around one call of an RPC, repeats included."""
        ...

    def work(self, name: str, **attributes: Value) -> AbstractContextManager[Span]:
        """A span around a piece of work; calls that are made in it are inside."""
        ...


class _NoSpan:
    ids: Final[Mapping[str, str]] = {}
    metadata: Final[Metadata] = ()

    def note(self, **attributes: Value) -> None:
        pass

    def repeats(self, error: DaylilyError) -> None:
        pass


NO_SPAN: Final[Span] = _NoSpan()


class _NoSpans:
    def __init__(self) -> None:
        self._nothing: AbstractContextManager[Span] = nullcontext(NO_SPAN)

    def call(self, path: str, request: Message) -> AbstractContextManager[Span]:
        del path, request
        return self._nothing

    def work(self, name: str, **attributes: Value) -> AbstractContextManager[Span]:
        del name, attributes
        return self._nothing


NO_SPANS: Final[Spans] = _NoSpans()
"""Where nothing is traced."""


def client_spans(provider: Any) -> Spans:
    """Spans that go to an OpenTelemetry TracerProvider. Needs `daylily-client[tracing]`."""
    # Imported here: who does not trace does not need the libraries.
    from daylily_client.tracing import ClientSpans  # noqa: PLC0415

    return ClientSpans(provider)
