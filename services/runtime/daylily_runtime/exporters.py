"""Where metrics go: a page for Prometheus, batches for CloudWatch. A failure of either is logged."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, Final, cast

import structlog
from prometheus_client import start_http_server

from daylily_runtime.clock import Clock
from daylily_runtime.metrics import Gauge, Instrument, Labels, Metrics, Statistics
from daylily_runtime.offload import Offload
from daylily_runtime.wire import StartError

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

# PutMetricData takes 1,000 metrics and 1 MB at a time.
_AT_ONCE: Final = 500
_SEND_SECONDS: Final = 20.0


@asynccontextmanager
async def prometheus_page(metrics: Metrics, host: str, port: int) -> AsyncIterator[int]:
    """Serve /metrics while the context lasts, from a thread of its own; gives the port.

    Raises:
        StartError: the port is taken.
    """
    try:
        server, thread = start_http_server(port, addr=host, registry=metrics.registry)
    except OSError as error:
        raise StartError(
            f"Metrics cannot be served on {host}:{port} ({error.strerror}). Choose another "
            "DAYLILY_METRICS_PORT, or leave it empty for none."
        ) from error
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class CloudWatch:
    """Sends what came since the last time, once in an interval and at the end.

    What cannot be sent goes with the next batch: counts and statistics are added up, so nothing is
    lost or kept twice. When PutMetricData is sent again after its answer was lost, a batch may count
    twice; metrics bear that.

    Args:
        metrics: what to send.
        namespace: CloudWatch's.
        client: a boto3 CloudWatch client.
        clock: for the interval.
        interval: seconds.
    """

    def __init__(
        self, metrics: Metrics, namespace: str, client: Any, clock: Clock, interval: float
    ) -> None:
        self._metrics = metrics
        self._namespace = namespace
        self._client = client
        self._clock = clock
        self._interval = interval
        self._offload = Offload(workers=1, waiting=1, name="cloudwatch")

    async def run(self) -> None:
        """Send for ever; for a server's background."""
        while True:
            await self._clock.sleep(self._interval)
            await self.send()

    async def send(self) -> None:
        """Send what there is. A failure is logged, and what it was about goes with the next."""
        at = self._clock.now()
        waiting = [
            (instrument, labels, value)
            for instrument in self._metrics.instruments
            if instrument.about.cloudwatch
            for labels, value in _came(instrument).items()
        ]
        for start in range(0, len(waiting), _AT_ONCE):
            some = waiting[start : start + _AT_ONCE]
            if await self._put([_datum(*one, at) for one in some]):
                continue
            for instrument, labels, value in some:
                if not isinstance(instrument, Gauge):
                    instrument.give_back(cast("Any", {labels: value}))

    async def close(self) -> None:
        """Send the rest and end."""
        await self.send()
        await self._offload.close()

    async def _put(self, data: list[dict[str, Any]]) -> bool:
        try:
            await self._offload.run_within(
                _SEND_SECONDS,
                lambda: self._client.put_metric_data(Namespace=self._namespace, MetricData=data),
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, the service goes on without
            _log.warning("metrics_not_sent", error=repr(error))
            return False
        return True


def _came(instrument: Instrument) -> Mapping[Labels, float | Statistics]:
    """A gauge's values now, and what the others counted since they were asked last."""
    return instrument.read() if isinstance(instrument, Gauge) else instrument.take()


def _datum(
    instrument: Instrument, labels: Labels, value: float | Statistics, at: datetime
) -> dict[str, Any]:
    about = instrument.about
    datum: dict[str, Any] = {
        "MetricName": about.cloudwatch,
        "Dimensions": [
            {"Name": name, "Value": label}
            for name, label in zip(about.dimensions, labels, strict=True)
            if label  # CloudWatch has no empty values
        ],
        "Timestamp": at,
        "Unit": about.unit,
    }
    if isinstance(value, Statistics):
        datum["StatisticValues"] = {
            "SampleCount": float(value.count),
            "Sum": value.total,
            "Minimum": value.least,
            "Maximum": value.most,
        }
    else:
        datum["Value"] = value
    return datum


def cloudwatch_client() -> Any:
    """A boto3 client with limits that fit a background task.

    Raises:
        StartError: boto3 is not installed.
    """
    try:
        # Imported here: only a service with CloudWatch switched on needs boto3.
        import boto3  # noqa: PLC0415
        from botocore.config import Config  # noqa: PLC0415
    except ImportError:
        raise StartError(
            "DAYLILY_CLOUDWATCH_NAMESPACE needs boto3: pip install 'daylily-runtime[cloudwatch]'."
        ) from None
    limits = Config(connect_timeout=3, read_timeout=10, retries={"total_max_attempts": 2})
    return boto3.client("cloudwatch", config=limits)
