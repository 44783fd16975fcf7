"""Which channels an event goes to: routes with filters, as a person writes them."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from daylily_notifier.domain.event import Event
from daylily_notifier.domain.words import EVENT_TYPES

GROUPS: Mapping[str, Callable[[Event], bool]] = MappingProxyType(
    {
        "STATE_CHANGE": lambda event: event.changes_state,
        "ERROR": lambda event: event.changes_state and event.to_state == "ERROR",
        "COMPLETION": lambda event: event.changes_state and event.to_state == "COMPLETE",
    }
)
"""Filter words that are no event type. `ERROR` is the final one; a failure that is tried again is
RETRY_SCHEDULED."""

EVENT_WORDS = EVENT_TYPES | GROUPS.keys()
"""What a filter may name."""

ON_REQUEST = frozenset({"CLUSTER_REPORTED"})
"""Types that only a filter which names them lets through: every cluster makes one a minute."""


@dataclass(frozen=True)
class Match:
    """A filter: an event passes if it has one of the values of every part that is not empty."""

    events: frozenset[str] = frozenset()
    """Event types and groups, from `EVENT_WORDS`."""
    states: frozenset[str] = frozenset()
    """The state that the workset came into."""
    priorities: frozenset[str] = frozenset()
    customers: frozenset[str] = frozenset()
    clusters: frozenset[str] = frozenset()
    error_categories: frozenset[str] = frozenset()
    labels: Mapping[str, str] = field(default_factory=dict)
    """All of these with these values."""

    def passes(self, event: Event) -> bool:
        return (
            self._names(event)
            and _allows(self.states, event.to_state)
            and _allows(self.priorities, event.priority)
            and _allows(self.customers, event.customer_id)
            and _allows(self.clusters, event.cluster_name)
            and _allows(self.error_categories, event.error_category)
            and self.labels.items() <= event.labels.items()
        )

    def _names(self, event: Event) -> bool:
        if event.type in self.events:
            return True
        if event.type in ON_REQUEST:
            return False
        return not self.events or any(
            holds(event) for word, holds in GROUPS.items() if word in self.events
        )


@dataclass(frozen=True)
class Route:
    """Events that pass the filter go to these channels."""

    match: Match
    channels: tuple[str, ...]
    quiet_hours: str = ""
    """In them: "pass", "hold" (also what is urgent), or empty: what is urgent passes."""


def channels_for(event: Event, routes: tuple[Route, ...]) -> tuple[str, ...]:
    """The channels that some route names for `event`, each once, in the order of the routes."""
    named = (name for route in routes if route.match.passes(event) for name in route.channels)
    return tuple(dict.fromkeys(named))


def passes_quiet_hours(event: Event, channel: str, routes: tuple[Route, ...]) -> bool:
    """Whether some route sends `event` to `channel` although it is quiet there."""
    return any(
        route.quiet_hours == "pass" or (not route.quiet_hours and event.priority == "URGENT")
        for route in routes
        if channel in route.channels and route.match.passes(event)
    )


def _allows(wanted: frozenset[str], value: str) -> bool:
    return not wanted or value in wanted
