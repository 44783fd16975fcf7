"""What state measures: transitions, locks, runs, the queue, the feed."""

from collections.abc import Collection, Mapping
from typing import Final

from daylily_runtime import Metrics
from daylily_runtime.metrics import Labels
from daylily_state.app.counting import Counting
from daylily_state.app.feed import Feed
from daylily_state.app.reaper import Reaper
from daylily_state.domain.commit import Clash
from daylily_state.domain.errors import DomainError
from daylily_state.domain.events import Event, EventType
from daylily_state.domain.model import Priority, Workset, WorksetState

# Seconds, from a minute to two days: a run takes 1 to 30 hours.
_RUN_BUCKETS: Final = (60, 600, 1800, 3600, 7200, 14400, 28800, 57600, 86400, 108000, 172800)


class Measures:
    """Measures what this replica does; each replica counts its own deeds, so that sums are right.

    Args:
        metrics: of the server.
    """

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._transitions = metrics.counter(
            "workset_state_transitions",
            "Worksets that moved to another state, by the state they came to.",
            ("state", "priority"),
            cloudwatch="WorksetStateTransitions",
        )
        self._acquired = metrics.counter(
            "workset_lock_acquisitions",
            "Locks granted, by the state that the workset was in: READY, or by force another.",
            ("state", "priority"),
            cloudwatch="WorksetLockAcquisitions",
        )
        self._refused = metrics.counter(
            "workset_lock_failures",
            "Locks that were asked for and not granted, by the workset's state and by reason.",
            ("state", "priority", "reason"),
            cloudwatch="WorksetLockFailures",
            dimensions=("state", "priority"),
        )
        self._timed_out = metrics.counter(
            "workset_lock_timeouts",
            "Locks of silent holders that this replica ended.",
            cloudwatch="WorksetLockTimeouts",
        )
        self._held = metrics.distribution(
            "workset_processing_duration_seconds",
            "From the grant of a lock to the end of its run, by the state that followed.",
            ("state", "priority"),
            cloudwatch="WorksetProcessingDuration",
            buckets=_RUN_BUCKETS,
        )
        self._events = metrics.counter(
            "events",
            "Events that this replica put into the feed.",
            ("type",),
            cloudwatch="FeedEvents",
        )
        self._conflicts = metrics.counter(
            "commit_conflicts",
            "Commits that came too late and were decided again, by what they clashed with.",
            ("clash",),
            cloudwatch="CommitConflicts",
        )

    def watch(self, counting: Counting, feed: Feed, reaper: Reaper) -> None:
        """Report as well what these say of themselves."""
        gauge = self._metrics.gauge

        def depth() -> Mapping[Labels, float]:
            counted = counting.known()
            if counted is None:
                return {}
            return {
                (state.name, priority.name): counted.depth.counts.get((state, priority), 0)
                for state in WorksetState
                for priority in Priority
            }

        def waiting() -> Mapping[Labels, float]:
            counted = counting.known()
            return {} if counted is None else {(): counted.depth.waiting}

        def oldest() -> Mapping[Labels, float]:
            counted = counting.known()
            if counted is None:
                return {}
            age = counted.depth.oldest_ready_age
            return {(): age.total_seconds() if age else 0.0}

        gauge(
            "workset_queue_depth",
            "Worksets in each state, of the whole system.",
            depth,
            ("state", "priority"),
            cloudwatch="WorksetQueueDepth",
        )
        gauge(
            "workset_waiting",
            "READY worksets that back off or depend on another.",
            waiting,
            cloudwatch="WorksetWaiting",
        )
        gauge(
            "workset_oldest_ready_seconds",
            "How long the oldest workset that could start has been able to.",
            oldest,
            cloudwatch="WorksetOldestReady",
            unit="Seconds",
        )
        gauge(
            "feed_watchers",
            "Watchers of the feed on this replica.",
            lambda: {(): feed.watchers},
            cloudwatch="FeedWatchers",
        )
        gauge(
            "reaper_fit_seconds",
            "How long this replica has been fit to time locks out; 0 when it is not.",
            lambda: {(): reaper.fit_seconds},
            cloudwatch="ReaperFit",
            unit="Seconds",
        )

    def committed(self, event: Event) -> None:
        """Take note of an event that this replica has put into the feed."""
        self._events.add(type=event.type.name)
        if event.to_state is None or event.priority is None:
            return
        state, priority = event.to_state.name, event.priority.name
        if event.from_state is not event.to_state:
            self._transitions.add(state=state, priority=priority)
        if event.type is EventType.LOCK_ACQUIRED and event.from_state is not None:
            self._acquired.add(state=event.from_state.name, priority=priority)
        if event.type is EventType.LOCK_TIMEOUT:
            self._timed_out.add()
        held = event.details.get("held_seconds")
        if isinstance(held, int | float):
            self._held.observe(held, state=state, priority=priority)

    def conflict(self, clashes: Collection[Clash]) -> None:
        """Take note of a commit that came too late."""
        for clash in clashes:
            self._conflicts.add(clash=clash)

    def lock_refused(self, workset: Workset | None, error: DomainError) -> None:
        """Take note of a lock that was not granted; without a workset where there is none."""
        self._refused.add(
            state=workset.state.name if workset else "NONE",
            priority=workset.priority.name if workset else "NONE",
            reason=error.reason,
        )
