"""Troubles from their first event to the recovery: what an event means to what is open."""

from dataclasses import dataclass
from enum import Enum


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
