"""The scheduler hands out what it picked, whether or not somebody holds it by now."""

from typing import Any

from daylily_client.calls.state import ACQUIRE_LOCK
from daylily_client.state import AsyncStateClient
from tests.chaos.planted import put_in_place


def plant(service: str) -> None:
    if service != "scheduler":
        return

    async def patched(self: AsyncStateClient, **request: Any) -> Any:
        return await self.call(ACQUIRE_LOCK, **{**request, "force": True})

    put_in_place(AsyncStateClient, "acquire_lock", patched)
