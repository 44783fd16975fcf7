"""The configuration in force: it changes when the file is read again."""

from collections.abc import Iterable

from daylily_notifier.channels.base import ChannelSettings
from daylily_notifier.config.load import NotifierConfig
from daylily_notifier.domain.event import Event
from daylily_notifier.domain.routing import channels_for, passes_quiet_hours


class Book:
    """Where to look up who is told of what, now."""

    def __init__(self, config: NotifierConfig) -> None:
        self.config = config

    def channels_for(self, event: Event) -> Iterable[str]:
        """The channels that want the event and take its priority."""
        return [
            name
            for name in channels_for(event, self.config.routes)
            if name in self.config.channels and self.config.channels[name].takes(event.priority)
        ]

    def wants(self, channel: str, event: Event) -> bool:
        """Whether a route sends the event to the channel for its own sake."""
        return channel in self.channels_for(event)

    def tracks(self, channel: str) -> bool:
        """Whether the channel keeps troubles open until they are over."""
        settings: ChannelSettings | None = self.config.channels.get(channel)
        return settings is not None and settings.tracks

    def passes_quiet_hours(self, channel: str, event: Event) -> bool:
        """Whether a route sends the event to the channel also in its quiet hours."""
        return passes_quiet_hours(event, channel, self.config.routes)
