"""The worst moment for a lock to be timed out: its holder only slept, wakes, and renews.

`Trap` keeps the commit that ends a lock of one holder until that holder has renewed it. What state read
before it decided is wrong by then, and only the condition on `expires_at` tells: a renewal changes
neither version nor token.
"""

import json
import threading
from typing import Any, Final

from daylily_state.domain.events import EventType
from tests.support.faulty_proxy import Exchange, Fault

KEPT_AT_MOST: Final = 1.5
"""Seconds; state gives up on an answer after 2."""
_EXPIRY: Final = "x"  # these names are those of store/dynamodb/tables.py


class Trap:
    """Stands around the faults of the proxies before a store; takes one commit.

    Attributes:
        caught: a timeout of a lock of this holder is kept.
        renewed: the holder's renewal of that lock went through meanwhile.
    """

    def __init__(self, holder: str) -> None:
        self.caught = threading.Event()
        self.renewed = threading.Event()
        self._holder = holder
        self._workset_id = ""
        self._changing = threading.Lock()

    def __call__(self, exchange: Exchange, go_on: Fault) -> None:
        """Called by the proxies' threads for each request."""
        if self._takes(exchange):
            self.renewed.wait(KEPT_AT_MOST)
        go_on(exchange)
        if self._is_renewal(exchange) and exchange.answer and exchange.answer.status == 200:
            self.renewed.set()

    def _takes(self, exchange: Exchange) -> bool:
        if exchange.operation != "TransactWriteItems" or self.caught.is_set():
            return False
        with self._changing:
            workset_id = _timed_out(json.loads(exchange.body), self._holder)
            if not workset_id or self.caught.is_set():
                return False
            self._workset_id = workset_id
            self.caught.set()
            return True

    def _is_renewal(self, exchange: Exchange) -> bool:
        if exchange.operation != "UpdateItem" or not self.caught.is_set():
            return False
        update = json.loads(exchange.body)
        # A report of progress leaves the expiry alone.
        return update["Key"] == {"id": {"S": self._workset_id}} and _EXPIRY in (
            update["ExpressionAttributeNames"].values()
        )


def _timed_out(body: dict[str, Any], holder: str) -> str:
    """The workset whose lock this transaction ends for its holder, empty if it ends none."""
    for action in body["TransactItems"]:
        event = action.get("Put", {}).get("Item", {})
        if event.get("t") == {"N": str(int(EventType.LOCK_TIMEOUT))}:
            owner = event.get("h", {}).get("S", "")
            return event["w"]["S"] if owner.startswith(f"{holder}.") else ""
    return ""
