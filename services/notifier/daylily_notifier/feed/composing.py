"""The words of a message: of an event or a digest, in the channel's own texts where it has some."""

from dataclasses import replace

import structlog

from daylily_notifier.channels.base import ChannelSettings
from daylily_notifier.config.templates import compile_template, with_texts
from daylily_notifier.domain import digests
from daylily_notifier.domain.episodes import Act, Episode
from daylily_notifier.domain.event import Event
from daylily_notifier.domain.message import Message, body_of, moment_text, render
from daylily_notifier.feed.judging import Send

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_RECOVERIES = frozenset({"COMPLETED", "CLUSTER_RECOVERED", "DEPENDENCY_MET", "QUEUE_BACKLOG"})


class Composer:
    """Makes the messages of one channel."""

    def __init__(self, settings: ChannelSettings, base_url: str) -> None:
        self._subject = compile_template(settings.subject) if settings.subject else None
        self._body = compile_template(settings.body) if settings.body else None
        self._base_url = base_url

    def compose(self, event: Event, how: Send, dedup_key: str, episode: Episode | None) -> Message:
        """The message that goes out."""
        if how.digest is not None:
            message = digests.render(how.digest, how.digest_id, dedup_key, base_url=self._base_url)
        else:
            message = render(event, dedup_key, base_url=self._base_url)
        if how.thread is not None:
            message = _in_its_episode(replace(message, thread=how.thread), event, episode)
        try:
            return with_texts(message, self._subject, self._body)
        except ValueError as error:
            # The usual text says it too; a fault of a template holds nothing up.
            _log.warning("template_failed", error=str(error), event_id=event.event_id)
            return message


def _in_its_episode(message: Message, event: Event, episode: Episode | None) -> Message:
    """With what a person who was told of the opening wants to know."""
    thread = message.thread
    if thread is None or thread.act not in {Act.AGAIN, Act.CLOSE}:
        return message
    word = "Again"
    if thread.act is Act.CLOSE:
        word = "Recovered" if event.type in _RECOVERIES else "Closed"
    facts = message.facts
    if episode is not None:
        times = "once" if episode.occurrences == 1 else f"{episode.occurrences} times"
        trouble = episode.cause.replace("_", " ")
        since = moment_text(episode.opened_at)
        facts = (*facts, ("Trouble", f"{trouble}, {times} since {since}"))
    return replace(
        message,
        subject=f"{word}: {message.subject}",
        body=body_of(f"{word}: {message.subject}", facts),
        facts=facts,
    )
