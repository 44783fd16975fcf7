"""What a notifier measures: deliveries by channel and outcome, how long people waited, the feed."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Final

from daylily_runtime import Clock, Metrics
from daylily_runtime.metrics import Labels

# Seconds from a commit to the channel's answer: at once, or after a channel was down for hours.
_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 86400)


class Measures:
    """Measures this process's deliveries."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics
        self._ended = metrics.counter(
            "notifier_deliveries",
            "Deliveries by channel and outcome: delivered, retried, dead, or folded into another.",
            ("channel", "outcome"),
            cloudwatch="NotifierDeliveries",
        )
        self._seconds = metrics.distribution(
            "notifier_delivery_seconds",
            "From the commit of an event to the channel's answer.",
            ("channel",),
            cloudwatch="NotifierDeliveryTime",
            buckets=_BUCKETS,
        )
        self._answers = metrics.distribution(
            "notifier_channel_answer_seconds",
            "From sending a message to the channel's answer.",
            ("channel",),
            cloudwatch="NotifierChannelAnswerTime",
            buckets=_BUCKETS,
        )

    def watch(self, clock: Clock, heard_at: Callable[[], datetime | None]) -> None:
        """Report as well when state was last heard; None while another notifier is the active one."""

        def lag() -> Mapping[Labels, float]:
            heard = heard_at()
            return {} if heard is None else {(): (clock.now() - heard).total_seconds()}

        self._metrics.gauge(
            "notifier_feed_lag_seconds",
            "Time since the active notifier heard an event or heartbeat; these come every 20 s.",
            lag,
            cloudwatch="NotifierFeedLag",
            unit="Seconds",
        )

    def delivered(self, channel: str, waited: timedelta, answered: timedelta) -> None:
        """A channel took a message, so long after its event, and answered within this."""
        self._ended.add(channel=channel, outcome="delivered")
        self._seconds.observe(waited.total_seconds(), channel=channel)
        self._answers.observe(answered.total_seconds(), channel=channel)

    def folded(self, channel: str) -> None:
        """A delivery was counted instead of being sent."""
        self._ended.add(channel=channel, outcome="folded")

    def retried(self, channel: str) -> None:
        """A channel refused a message, which is tried again."""
        self._ended.add(channel=channel, outcome="retried")

    def dead(self, channel: str) -> None:
        """A message was given up."""
        self._ended.add(channel=channel, outcome="dead")
