"""Where each lane of the feed ends, as far as this process has seen."""

import threading
from collections.abc import Iterable

from daylily_state.store.dynamodb.client import Client
from daylily_state.store.dynamodb.tables import EVENTS, EventRow


class Heads:
    """The last slot seen of each lane. A lane only grows, so what was seen stays true as a minimum."""

    def __init__(self, client: Client) -> None:
        self._client = client
        self._seen: dict[int, int] = {}
        self._changing = threading.Lock()

    def seen(self, lane: int) -> int | None:
        """The last slot seen, None before the first look."""
        return self._seen.get(lane)

    def advance(self, lane: int, seq: int) -> int:
        """Notes that the slot is in use; the last slot seen by now."""
        with self._changing:
            head = max(seq, self._seen.get(lane, 0))
            self._seen[lane] = head
            return head

    def find(self, lane: int) -> int:
        """Looks the lane's last slot up: one strong read from its end."""
        newest = self._client.query(EVENTS, str(lane), newest_first=True, strong=True, limit=1)
        for page in newest:
            for item in page.items:
                return self.advance(lane, int(item[EventRow.seq.attr_name]["N"]))
        return self.advance(lane, 0)

    def behind(self, lanes: Iterable[int]) -> dict[int, int]:
        """For each of these lanes that was looked at before: the slot behind the last one seen."""
        return {lane: self._seen[lane] + 1 for lane in lanes if lane in self._seen}
