"""Troubles from their first event to the recovery: what an event means to what is open.

A trouble is opened by an event of a cause, and is closed by one that says that it is over. Between
the two its repeats are counted. Each channel that was told of the opening is told of the end.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import Enum
from types import MappingProxyType

from daylily_notifier.domain.event import Event

OPENS: Mapping[str, str] = MappingProxyType(
    {
        "FAILED": "error",
        "LOCK_TIMEOUT": "lock_timeout",
        "RETRY_SCHEDULED": "retry",
        "DEPENDENCY_FAILED": "dependency",
        "DEADLINE_AT_RISK": "deadline",
        "CLUSTER_SILENT": "silent",
        "BUDGET_WARNING": "budget_warning",
        "BUDGET_EXHAUSTED": "budget_exhausted",
        "QUEUE_BACKLOG": "backlog",
    }
)
"""The cause of the trouble that an event of this type is."""

OF_A_RUN = ("error", "lock_timeout", "retry", "dependency", "deadline")
"""The troubles that a workset can have, the worst first."""

CLOSES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "COMPLETED": OF_A_RUN,
        "IGNORED": OF_A_RUN,
        "DEPENDENCY_MET": ("dependency",),
        "CLUSTER_RECOVERED": ("silent",),
        "CLUSTER_REMOVED": ("silent",),
        "CUSTOMER_UPDATED": ("budget_warning", "budget_exhausted"),
    }
)
"""The troubles that an event of this type ends, the worst first."""

TAKES_UP: Mapping[str, tuple[str, ...]] = MappingProxyType({"RESTORED": ("error",)})
"""The troubles that an event of this type shows somebody to work on."""

_REMEMBERED = 64
"""Events that an episode knows to have counted. Those of one answer of the feed are counted in one
write, so more than these could be counted again only if one workset had as many in one answer."""


class Act(Enum):
    """What a message does to the episode that it belongs to."""

    OPEN = "open"
    AGAIN = "again"
    """It happened once more after somebody had taken it up."""
    ACKNOWLEDGE = "acknowledge"
    CLOSE = "close"


@dataclass(frozen=True)
class Thread:
    """The episode of a message, as far as a channel has to know it."""

    key: str
    """The same for all messages of the episode on this channel, and of no other: 32 hex digits."""
    act: Act
    ref: str = ""
    """What the channel called the opening, where it said so."""


class Part(Enum):
    """What a delivery does to an episode. The names are the contract's."""

    OPENING = "OPENING"
    REPEAT = "REPEAT"
    AGAIN = "AGAIN"
    ACKNOWLEDGEMENT = "ACKNOWLEDGEMENT"
    RECOVERY = "RECOVERY"


@dataclass(frozen=True)
class Episode:
    """The latest trouble of one cause."""

    cause: str
    open: bool
    occurrences: int
    first_event_id: str
    last_event_id: str
    opened_at: datetime
    channels: Mapping[str, str]
    """The event that opened it on each channel."""
    closed_at: datetime | None = None
    taken_up: bool = False
    counted: tuple[str, ...] = ()
    """The last events that are in it."""
    version: int = 0

    def counts(self, event: Event) -> bool:
        """Whether it has this event already: it was read before, and recorded."""
        return event.event_id in self.counted

    def counted_before(self, event: Event) -> tuple[str, ...]:
        """The events that it counted before this one; all of them if it is not counted yet."""
        if event.event_id not in self.counted:
            return self.counted
        return self.counted[: self.counted.index(event.event_id)]

    def after(self, event: Event) -> "Episode":
        """Having counted it."""
        counted = (*self.counted, event.event_id)[-_REMEMBERED:]
        return replace(self, last_event_id=event.event_id, counted=counted)


@dataclass(frozen=True)
class Told:
    """One channel is to be told of the event."""

    channel: str
    part: Part | None = None
    """None: it has to do with no episode there."""
    cause: str = ""
    opening_event_id: str = ""
    extra: bool = False
    """It ends a second trouble on a channel that wants each ended by itself."""


def cause_of(event: Event) -> str:
    """The cause of the trouble that the event is; empty if it is none."""
    if event.details.get("over"):
        return ""
    if event.type == "LOCK_TIMEOUT" and event.to_state == "ERROR":
        return "error"
    return OPENS.get(event.type, "")


def ended_by(event: Event) -> tuple[str, ...]:
    """The causes whose troubles the event ends."""
    if event.details.get("over"):
        return (OPENS[event.type],) if event.type in OPENS else ()
    return CLOSES.get(event.type, ())


def touched_by(event: Event) -> tuple[str, ...]:
    """The causes whose episodes have to be known to decide about the event."""
    cause = cause_of(event)
    return (cause,) if cause else (*ended_by(event), *TAKES_UP.get(event.type, ()))


def decide(
    event: Event,
    wanted_by: Iterable[str],
    episodes: Mapping[str, Episode],
    tracks: Callable[[str], bool],
) -> tuple[list[Told], list[Episode]]:
    """Who is told what about `event`, and the episodes that it changed.

    Args:
        event: what happened.
        wanted_by: the channels that some route names for it.
        episodes: of its subject, by cause.
        tracks: whether a channel keeps troubles open until they are over. Such a channel is told of
            nothing else, but for what comes from outside.
    """
    wanted = list(wanted_by)
    cause = cause_of(event)
    if cause:
        return _trouble(event, cause, wanted, episodes.get(cause))
    told: list[Told] = []
    changed: list[Episode] = []
    for over in ended_by(event):
        episode = episodes.get(over)
        if episode is None or not episode.open or episode.counts(event):
            continue
        told += _end(episode, told, tracks)
        changed.append(replace(episode.after(event), open=False, closed_at=event.occurred_at))
    for taken in TAKES_UP.get(event.type, ()):
        episode = episodes.get(taken)
        if episode is None or not episode.open or episode.counts(event):
            continue
        told += [
            Told(name, Part.ACKNOWLEDGEMENT, taken, opened_by)
            for name, opened_by in episode.channels.items()
            if tracks(name)
        ]
        changed.append(replace(episode.after(event), taken_up=True))
    named = {each.channel for each in told}
    told += [
        Told(name)
        for name in wanted
        if name not in named and (event.type == "EXTERNAL" or not tracks(name))
    ]
    return told, changed


def _trouble(
    event: Event, cause: str, wanted: list[str], episode: Episode | None
) -> tuple[list[Told], list[Episode]]:
    if episode is not None and episode.counts(event):
        return [], []  # its deliveries were recorded before it was counted
    if episode is None or not episode.open:
        if not wanted:
            return [], []  # nobody is told, so nobody has to be told of the end
        opened = Episode(
            cause=cause,
            open=True,
            occurrences=1,
            first_event_id=event.event_id,
            last_event_id=event.event_id,
            opened_at=event.occurred_at,
            channels=dict.fromkeys(wanted, event.event_id),
            counted=(event.event_id,),
            version=0 if episode is None else episode.version,
        )
        return [Told(name, Part.OPENING, cause, event.event_id) for name in wanted], [opened]
    told = []
    for name in wanted:
        opened_by = episode.channels.get(name)
        if opened_by is None:
            told.append(Told(name, Part.OPENING, cause, event.event_id))
        else:
            part = Part.AGAIN if episode.taken_up else Part.REPEAT
            told.append(Told(name, part, cause, opened_by))
    repeated = replace(
        episode.after(event),
        occurrences=episode.occurrences + 1,
        channels={**dict.fromkeys(wanted, event.event_id), **episode.channels},
        taken_up=False,
    )
    return told, [repeated]


def _end(episode: Episode, told: list[Told], tracks: Callable[[str], bool]) -> list[Told]:
    """The channels to tell that it is over; those that track are told of each trouble's end."""
    named = {each.channel for each in told}
    return [
        Told(name, Part.RECOVERY, episode.cause, opened_by, extra=name in named)
        for name, opened_by in episode.channels.items()
        if name not in named or tracks(name)
    ]
