"""A store whose calls are spans. The one seam for it, whatever the store is."""

from collections.abc import Awaitable, Callable
from typing import Any, cast

from daylily_runtime import Spans
from daylily_state.ports import Store

# https://opentelemetry.io/docs/specs/semconv/registry/attributes/db/
_SYSTEMS = {"dynamodb": "aws.dynamodb", "sqlite": "sqlite"}


def traced(store: Store, spans: Spans, kind: str) -> Store:
    """The same store; each call in an RPC makes a span inside that of the RPC.

    Args:
        store: what does the work.
        spans: of the server.
        kind: sqlite or dynamodb.
    """
    # Every method of the port is a coroutine, so one wrapper stands for all of them.
    return cast("Store", _TracedStore(store, spans, _SYSTEMS.get(kind, kind)))


class _TracedStore:
    def __init__(self, store: Store, spans: Spans, system: str) -> None:
        self._store = store
        self._spans = spans
        self._system = system

    def __getattr__(self, name: str) -> Callable[..., Awaitable[Any]]:
        method: Callable[..., Awaitable[Any]] = getattr(self._store, name)
        attributes = {"db.system.name": self._system, "db.operation.name": name}

        async def call(*args: Any, **kwargs: Any) -> Any:
            with self._spans.part(f"store.{name}", attributes):
                return await method(*args, **kwargs)

        setattr(self, name, call)  # looked up once
        return call
