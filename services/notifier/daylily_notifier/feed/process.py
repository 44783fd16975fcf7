"""What the parts of one notifier process share."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from daylily_client import AsyncStateClient
from daylily_notifier.feed.measuring import Measures
from daylily_notifier.feed.pauses import Pauses
from daylily_notifier.feed.stats import Stats
from daylily_runtime import Clock


@dataclass(frozen=True)
class Process:
    """One running notifier."""

    state: AsyncStateClient
    clock: Clock
    draw: Callable[[], float]
    """Chance, from [0, 1)."""
    owner_id: str
    active: asyncio.Event
    """Set while this process is the notifier that delivers."""
    stopping: asyncio.Event
    """Set when nothing new is to be begun."""
    pauses: Pauses
    stats: Stats
    measures: Measures
    base_url: str = ""
    """Of the gateway's pages, for links; empty if there are none."""
