"""What every server measures of its calls."""

import time

import grpc

from daylily_runtime.calls import Call
from daylily_runtime.metrics import Metrics


class CallMetrics:
    """Counts calls by method and code, and measures how long they took; streams are counted alone.

    Health and reflection are not counted: they would drown the rest.
    """

    def __init__(self, metrics: Metrics, service: str) -> None:
        self._service = service
        self._calls = metrics.counter(
            "rpc_calls",
            "Calls that ended, by method and gRPC code.",
            ("service", "method", "code", "reason"),
            cloudwatch="RpcCalls",
        )
        self._seconds = metrics.distribution(
            "rpc_seconds",
            "How long calls took that are no streams.",
            ("service", "method"),
            cloudwatch="RpcLatency",
        )

    def ended(self, call: Call, code: grpc.StatusCode, reason: str) -> None:
        """Take note of a call that ended."""
        if call.is_infrastructure:
            return
        method = call.method.rpartition("/")[2]
        self._calls.add(service=self._service, method=method, code=code.name, reason=reason)
        if not call.streams:
            self._seconds.observe(
                time.monotonic() - call.started, service=self._service, method=method
            )
