"""What the gateway measures of itself."""

from collections.abc import Iterator
from contextlib import contextmanager

from starlette.types import Scope

from daylily_runtime import Metrics


class Measures:
    """Instruments of one gateway."""

    def __init__(self, metrics: Metrics) -> None:
        self.streams = 0
        """Event streams that are open."""
        self._requests = metrics.counter(
            "gateway_requests", "HTTP requests that were answered.", ("method", "route", "status")
        )
        self._seconds = metrics.distribution(
            "gateway_request_seconds", "Time to the end of an answer; streams apart.", ("route",)
        )
        metrics.gauge(
            "gateway_event_streams", "Event streams that are open.", lambda: {(): self.streams}
        )

    @contextmanager
    def streaming(self) -> Iterator[None]:
        """Count an event stream while it is open."""
        self.streams += 1
        try:
            yield
        finally:
            self.streams -= 1

    def served(self, scope: Scope, status: int, seconds: float) -> None:
        """An answer ended. Paths are counted by their template: ids would be without end."""
        route = route_of(scope)
        self._requests.add(method=scope["method"], route=route, status=str(status))
        if not scope.get("state", {}).get("streams"):
            self._seconds.observe(seconds, route=route)


def route_of(scope: Scope) -> str:
    """The template of the path that a request took; empty where it took none."""
    found: str = getattr(scope.get("route"), "path", "")
    return found
