"""The notifier acknowledges events before it has recorded what is to be delivered of them."""

from typing import Any

from daylily_notifier.feed.follower import Follower
from tests.chaos.planted import put_in_place


def plant(service: str) -> None:
    if service != "notifier":
        return
    record = Follower._record

    async def patched(self: Follower, answer: Any, grant: Any) -> None:
        await self._acknowledge(answer.cursor, grant)
        await record(self, answer, grant)

    put_in_place(Follower, "_record", patched)
