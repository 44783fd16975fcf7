"""The policies by name. `daylily:crowding=4+share_handicap=0` is the project's own with these constants
instead of its defaults; times in hours.
"""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any, Final

from benchmarks.scheduling.policies.base import Inside, Policy
from benchmarks.scheduling.policies.daylily import Daylily
from benchmarks.scheduling.policies.replaced import Replaced
from benchmarks.scheduling.policies.simple import (
    Listed,
    by_arrival,
    by_length,
    by_priority,
    cheapest,
    first_fit,
)
from daylily_scheduler.domain.rules import DEFAULT_RULES, Rules

POLICIES: Final[dict[str, Callable[[], Policy]]] = {
    "daylily": Daylily,
    "fifo": lambda: Listed(by_arrival, blocking=True),
    "easy": lambda: Listed(by_arrival, backfill=by_arrival),
    "easy-ff": lambda: Listed(by_arrival, first_fit, backfill=by_arrival),
    "easy-sjbf": lambda: Listed(by_arrival, backfill=by_length),
    "sjf": lambda: Listed(by_length),
    "priority-easy": lambda: Listed(by_priority, cheapest, backfill=by_priority),
    "replaced-shared": lambda: Replaced(Inside.SHARED),
    "replaced-queued": lambda: Replaced(Inside.QUEUED),
}


# What an operator sets whose clusters are created when advised and shut down when idle
# (docs/scheduling.md).
ELASTIC_RULES: Final = replace(DEFAULT_RULES, idle_share=0.3, crowding=4.0)


def made(name: str, *, elastic: bool = False) -> Policy:
    """A policy by its name, for a platform whose idle clusters are shut down if it is elastic.

    Raises:
        ValueError: there is none of this name, or it has no such constant.
    """
    known, _, constants = name.partition(":")
    if known not in POLICIES:
        raise ValueError(f"{known!r} is none of {', '.join(POLICIES)}")
    if known == "daylily":
        return Daylily(_changed(ELASTIC_RULES if elastic else DEFAULT_RULES, constants))
    if constants:
        raise ValueError(f"{known} has no constants")
    return POLICIES[known]()


def _changed(rules: Rules, text: str) -> Rules:
    changed: dict[str, Any] = {}
    for part in filter(None, text.split("+")):
        name, _, value = part.partition("=")
        try:
            number = float(value)
        except ValueError:
            raise ValueError(f"{part!r} is no constant with a number") from None
        match getattr(rules, name, None):
            case timedelta():
                changed[name] = timedelta(hours=number)
            case int():
                changed[name] = int(number)
            case float():
                changed[name] = number
            case _:
                raise ValueError(f"{name!r} is no constant of the policy that is a number")
    return replace(rules, **changed)
