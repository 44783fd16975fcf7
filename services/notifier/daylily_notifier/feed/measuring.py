"""What a notifier measures: deliveries by channel and outcome, and how long people waited."""

from datetime import timedelta
from typing import Final

from daylily_runtime import Metrics

# Seconds from a commit to the channel's answer: at once, or after a channel was down for hours.
_BUCKETS: Final = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300, 1800, 7200, 86400)


class Measures:
    """Measures this process's deliveries."""

    def __init__(self, metrics: Metrics) -> None:
        self._ended = metrics.counter(
            "notifier_deliveries",
            "Attempts to deliver, by channel and outcome: delivered, retried or dead.",
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

    def delivered(self, channel: str, waited: timedelta) -> None:
        """A channel took a message, this long after its event."""
        self._ended.add(channel=channel, outcome="delivered")
        self._seconds.observe(waited.total_seconds(), channel=channel)

    def retried(self, channel: str) -> None:
        """A channel refused a message, which is tried again."""
        self._ended.add(channel=channel, outcome="retried")

    def dead(self, channel: str) -> None:
        """A message was given up."""
        self._ended.add(channel=channel, outcome="dead")
