"""Bugs, planted into the services of a run to see that the checks find them.

Each is a module with a function `plant(service)` that replaces a function of the product before the
service's `main` is called. Nothing of it is in the product.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.chaos.options import StoreName

_NO_KILLS = dict.fromkeys(
    ("kill state", "kill scheduler", "kill monitor", "kill notifier", "kill recorder"), 0
)
_STATE_STAYS = dict.fromkeys(
    ("kill state", "stop state", "store hangs", "store refuses", "store delays", "store throttles"),
    0,
)


@dataclass(frozen=True)
class Plant:
    """How a planted bug is run.

    Attributes:
        words: what is wrong, for the table.
        store: where it can show.
        minutes: for which faults go on.
        weights: kinds of faults that bring it out, and those that are left out (0).
        long_holds: share of holds that last for several renewals.
        brief: all outages are shorter than a lease.
        states: replicas of state; 0 means as many as usual.
        monitors: how many.
    """

    words: str
    store: StoreName = "sqlite"
    minutes: float = 0.5
    weights: Mapping[str, int] = field(default_factory=dict)
    long_holds: float = 0.08
    brief: bool = True
    states: int = 0
    monitors: int = 4


PLANTS: Mapping[str, Plant] = {
    "expiry_by_holders_clock": Plant("expiry by the holder's clock"),
    "release_without_owner_check": Plant("release without owner check"),
    "event_outside_transaction": Plant(
        "event outside the transaction", weights={"kill state": 3, "store is busy": 3}
    ),
    "lock_without_state": Plant("lock without state in its condition"),
    "reaper_without_expires_at": Plant(
        "reaper without `expires_at` in its condition",
        store="dynamodb",
        minutes=1.0,
        # Holders come back between the reaper's look and its commit.
        weights={
            **_NO_KILLS,
            **_STATE_STAYS,
            "wake monitor when timed out": 8,
            "stop monitor": 0,
            "stop scheduler": 0,
            "store answers 500": 0,
            "store drops answers": 0,
        },
        long_holds=0.6,
        states=1,
    ),
    "blind_retry": Plant("blind retry", store="dynamodb", weights={"store drops answers": 5}),
    "cursor_before_delivery": Plant(
        "cursor advanced before delivery", weights={"kill notifier while it records": 6}
    ),
    "reaper_without_fitness": Plant(
        "reaper without fitness",
        minutes=0.8,
        weights={"stop state": 4, "store hangs": 0},
        long_holds=0.5,
        brief=False,
    ),
    "dispatch_without_check": Plant("dispatch without the conditional check"),
    "request_id_not_stored": Plant("request id not stored", weights={"state drops answers": 5}),
}


def put_in_place(owner: Any, name: str, bug: Any) -> Any:
    """Put a bug in the place of an attribute; what was there."""
    before = getattr(owner, name)
    setattr(owner, name, bug)
    return before
