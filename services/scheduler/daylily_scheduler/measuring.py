"""What the scheduler measures: claims, the queue, the feed, free vCPUs."""

from collections.abc import Callable, Mapping
from datetime import datetime

from daylily_runtime.clock import Clock
from daylily_runtime.metrics import Labels, Metrics
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.model import Priority
from daylily_scheduler.domain.runtimes import RunTimes
from daylily_scheduler.domain.scores import Scores


class Measures:
    """Counts what this scheduler does, since its process started.

    Args:
        metrics: of the server.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._claims = metrics.counter(
            "scheduler_claims",
            "Claims that were answered: granted, or empty.",
            ("outcome",),
            cloudwatch="SchedulerClaims",
        )
        self._races = metrics.counter(
            "scheduler_lost_picks",
            "Picks that could not be locked: somebody was faster, or there was no room any more.",
            cloudwatch="SchedulerLostPicks",
        )
        self.granted = 0
        self.empty = 0
        self.lost = 0

    def claim_granted(self) -> None:
        self.granted += 1
        self._claims.add(outcome="granted")

    def claim_empty(self) -> None:
        self.empty += 1
        self._claims.add(outcome="empty")

    def pick_lost(self) -> None:
        self.lost += 1
        self._races.add()

    def watch_estimates(self, times: RunTimes, scores: Scores, clock: Clock) -> None:
        """Report as well how good the estimates of waits were, and how much was learned."""

        def coverage() -> Mapping[Labels, float]:
            share, counted = scores.coverage(clock.now())
            return {(): share} if counted else {}

        gauge = self._metrics.gauge
        gauge(
            "scheduler_estimate_coverage",
            "Share of the last p90 estimates of waits that held; 0.9 is meant.",
            coverage,
            cloudwatch="SchedulerEstimateCoverage",
        )
        gauge(
            "scheduler_estimates_scored",
            "Estimates that this share counts.",
            lambda: {(): scores.coverage(clock.now())[1]},
            cloudwatch="SchedulerEstimatesScored",
        )
        gauge(
            "scheduler_run_time_kinds",
            "Kinds of work (pipeline, samples, vCPUs) of which run times are known.",
            lambda: {(): times.kinds},
            cloudwatch="SchedulerRunTimeKinds",
        )

    def watch_prices(self, age_seconds: Callable[[], float | None]) -> None:
        """Report as well how old the prices are that advice is based on."""

        def age() -> Mapping[Labels, float]:
            seconds = age_seconds()
            return {} if seconds is None else {(): seconds}

        self._metrics.gauge(
            "scheduler_price_age_seconds",
            "Time since the prices of clusters that could be created were read; every 10 minutes.",
            age,
            cloudwatch="SchedulerPriceAge",
            unit="Seconds",
        )

    def watch(
        self,
        book: Book,
        clock: Clock,
        waiting_claims: Callable[[], int],
        heard_at: Callable[[], datetime | None],
    ) -> None:
        """Report as well what is known, who waits, and when state was last heard."""
        gauge = self._metrics.gauge

        def queue() -> Mapping[Labels, float]:
            return {(priority.name,): book.queue.startable(priority) for priority in Priority}

        def free_vcpus() -> Mapping[Labels, float]:
            return {
                (name,): max(book.fleet.free(name).vcpus, 0) for name in sorted(book.fleet.names)
            }

        def lag() -> Mapping[Labels, float]:
            heard = heard_at()
            return {} if heard is None else {(): (clock.now() - heard).total_seconds()}

        gauge(
            "scheduler_queue",
            "Worksets that could start now, as far as this scheduler knows.",
            queue,
            ("priority",),
            cloudwatch="SchedulerQueue",
        )
        gauge(
            "scheduler_waiting_claims",
            "Claims that wait for a workset.",
            lambda: {(): waiting_claims()},
            cloudwatch="SchedulerWaitingClaims",
        )
        gauge(
            "scheduler_free_vcpus",
            "vCPUs that are neither broken, nor used by others, nor reserved.",
            free_vcpus,
            ("cluster",),
            cloudwatch="SchedulerFreeVcpus",
        )
        gauge(
            "scheduler_feed_lag_seconds",
            "Time since the last event or heartbeat; heartbeats come every 20 s.",
            lag,
            cloudwatch="SchedulerFeedLag",
            unit="Seconds",
        )
