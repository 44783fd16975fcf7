"""Instruments of a service, kept once and read twice: by Prometheus and by CloudWatch.

An instrument is updated in memory and never waits, so nothing here is on the path of a request.
Prometheus reads the totals when it scrapes; CloudWatch is sent what came since the last time. A fault
in measuring is logged and has no other effect: what was measured goes on.

    metrics = Metrics()
    failures = metrics.counter("lock_failures", "Locks refused.", ("reason",), cloudwatch="LockFailures")
    failures.add(reason="LOCK_HELD")
"""

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import structlog
from prometheus_client import CollectorRegistry
from prometheus_client import Counter as PrometheusCounter
from prometheus_client import Histogram as PrometheusHistogram
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.registry import Collector

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

PREFIX: Final = "daylily_"

# Seconds, from a call that answers from memory to one that waits for the longest long poll.
CALL_BUCKETS: Final = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 45)

Labels = tuple[str, ...]
Read = Callable[[], Mapping[Labels, float]]


@dataclass(slots=True)
class Statistics:
    """What was observed since somebody took it: how often, the sum, the extremes."""

    count: int = 0
    total: float = 0.0
    least: float = 0.0
    most: float = 0.0

    def add(self, value: float) -> None:
        self.least = min(self.least, value) if self.count else value
        self.most = max(self.most, value) if self.count else value
        self.count += 1
        self.total += value

    def merge(self, other: "Statistics") -> None:
        if other.count:
            self.least = min(self.least, other.least) if self.count else other.least
            self.most = max(self.most, other.most) if self.count else other.most
        self.count += other.count
        self.total += other.total


@dataclass(frozen=True, slots=True)
class Description:
    """What an instrument is called. `cloudwatch` is empty where CloudWatch does not get it.

    `dimensions` are those of the labels that CloudWatch gets: there, each set of them is a metric of
    its own, and nobody adds up over one.
    """

    name: str
    help: str
    labels: Labels
    cloudwatch: str
    dimensions: Labels
    unit: str = "Count"


class Counter:
    """Counts what happens."""

    def __init__(self, about: Description, registry: CollectorRegistry) -> None:
        self.about = about
        self._prometheus = PrometheusCounter(
            PREFIX + about.name, about.help, about.labels, registry=registry
        )
        self._lock = threading.Lock()
        self._since: dict[Labels, float] = {}

    def add(self, amount: float = 1, /, **labels: str) -> None:
        """Count `amount` more."""
        try:
            key = tuple(labels[name] for name in self.about.labels)
            (self._prometheus.labels(*key) if key else self._prometheus).inc(amount)
            sent = tuple(labels[name] for name in self.about.dimensions)
            with self._lock:
                self._since[sent] = self._since.get(sent, 0.0) + amount
        except Exception as error:  # noqa: BLE001 - who is measured does not pay for it
            _failed(self.about, error)

    def take(self) -> Mapping[Labels, float]:
        """What came since the last time."""
        with self._lock:
            taken, self._since = self._since, {}
        return taken

    def give_back(self, taken: Mapping[Labels, float]) -> None:
        """What was taken could not be sent: it goes with the next."""
        with self._lock:
            for key, amount in taken.items():
                self._since[key] = self._since.get(key, 0.0) + amount


class Distribution:
    """How values are distributed, such as durations."""

    def __init__(
        self, about: Description, registry: CollectorRegistry, buckets: Sequence[float]
    ) -> None:
        self.about = about
        self._prometheus = PrometheusHistogram(
            PREFIX + about.name, about.help, about.labels, buckets=buckets, registry=registry
        )
        self._lock = threading.Lock()
        self._since: dict[Labels, Statistics] = {}

    def observe(self, value: float, /, **labels: str) -> None:
        """Take note of one value."""
        try:
            key = tuple(labels[name] for name in self.about.labels)
            (self._prometheus.labels(*key) if key else self._prometheus).observe(value)
            sent = tuple(labels[name] for name in self.about.dimensions)
            with self._lock:
                self._since.setdefault(sent, Statistics()).add(value)
        except Exception as error:  # noqa: BLE001 - who is measured does not pay for it
            _failed(self.about, error)

    def take(self) -> Mapping[Labels, Statistics]:
        """What came since the last time."""
        with self._lock:
            taken, self._since = self._since, {}
        return taken

    def give_back(self, taken: Mapping[Labels, Statistics]) -> None:
        """What was taken could not be sent: it goes with the next."""
        with self._lock:
            for key, statistics in taken.items():
                self._since.setdefault(key, Statistics()).merge(statistics)


class Gauge(Collector):
    """A value that is read when somebody looks.

    `read` answers at once, from memory, for each set of labels; what it leaves out is not reported.
    """

    def __init__(self, about: Description, registry: CollectorRegistry, read: Read) -> None:
        self.about = about
        self._read = read
        registry.register(self)

    def read(self) -> Mapping[Labels, float]:
        """The values now; none where they cannot be told."""
        try:
            return self._read()
        except Exception as error:  # noqa: BLE001 - the other instruments are read all the same
            _failed(self.about, error)
            return {}

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """For Prometheus."""
        family = GaugeMetricFamily(
            PREFIX + self.about.name, self.about.help, labels=self.about.labels
        )
        for labels, value in self.read().items():
            family.add_metric(labels, value)
        yield family

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """For Prometheus, when it registers: the values may not be there yet."""
        yield GaugeMetricFamily(PREFIX + self.about.name, self.about.help, labels=self.about.labels)


Instrument = Counter | Distribution | Gauge


def _failed(about: Description, error: Exception) -> None:
    _log.error("metric_failed", metric=about.name, error=repr(error))


@dataclass(frozen=True)
class Metrics:
    """The instruments of one server."""

    registry: CollectorRegistry = field(default_factory=CollectorRegistry)
    instruments: list[Instrument] = field(default_factory=list)

    def counter(
        self,
        name: str,
        text: str,
        labels: Labels = (),
        cloudwatch: str = "",
        dimensions: Labels | None = None,
    ) -> Counter:
        """A counter; Prometheus calls it daylily_<name>_total."""
        sent = labels if dimensions is None else dimensions
        made = Counter(Description(name, text, labels, cloudwatch, sent), self.registry)
        self.instruments.append(made)
        return made

    def distribution(
        self,
        name: str,
        text: str,
        labels: Labels = (),
        *,
        cloudwatch: str = "",
        buckets: Sequence[float] = CALL_BUCKETS,
    ) -> Distribution:
        """A distribution of seconds; Prometheus calls it daylily_<name>_bucket, _sum and _count."""
        about = Description(name, text, labels, cloudwatch, labels, "Seconds")
        made = Distribution(about, self.registry, buckets)
        self.instruments.append(made)
        return made

    def gauge(
        self,
        name: str,
        text: str,
        read: Read,
        labels: Labels = (),
        *,
        cloudwatch: str = "",
        unit: str = "Count",
    ) -> Gauge:
        """A gauge; Prometheus calls it daylily_<name>."""
        about = Description(name, text, labels, cloudwatch, labels, unit)
        made = Gauge(about, self.registry, read)
        self.instruments.append(made)
        return made
