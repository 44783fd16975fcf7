"""The scheduler hands out what it picked, whether or not somebody holds it by now."""

from typing import Any

from daylily_client.calls.state import ACQUIRE_LOCK
from daylily_client.state import AsyncStateClient


def plant(service: str) -> None:
    if service != "scheduler":
        return

    async def patched(self: AsyncStateClient, **request: Any) -> Any:
        return await self.call(ACQUIRE_LOCK, **{**request, "force": True})

    AsyncStateClient.acquire_lock = patched
