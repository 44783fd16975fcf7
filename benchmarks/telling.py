"""A notifier as a process, and channels that keep what they are sent, for benchmarks."""

import asyncio
import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from daylily.workset.v1 import delivery_pb2

from benchmarks.processes import Services
from daylily_client import AsyncStateClient, async_pages
from tests.support.places import Place, Reply, place

_WAITS = (delivery_pb2.DELIVERY_STATE_PENDING, delivery_pb2.DELIVERY_STATE_CLAIMED)


@asynccontextmanager
async def webhook() -> AsyncIterator[Place]:
    """A webhook on this machine that takes everything at once."""
    async with place(lambda _: Reply(200)) as made:
        yield made


def notifier(
    running: Services,
    state: str,
    channels: Mapping[str, Any],
    match: Mapping[str, Any],
    environment: Mapping[str, str] | None = None,
) -> str:
    """A notifier that tells all channels of what matches; its address."""
    file = Path(running.folder) / "notifier.yaml"
    routes = [{"channels": list(channels), "match": match}]
    file.write_text(json.dumps({"channels": channels, "routes": routes}))
    told = {"DAYLILY_STATE_ADDRESS": state, "DAYLILY_NOTIFIER_CONFIG": str(file)}
    return running.start("notifier", {**told, **(environment or {})})


async def finished(state: AsyncStateClient, channel: str, count: int) -> list[Any]:
    """The deliveries of a channel, as soon as there are so many and none waits any more."""
    while True:
        found = [
            delivery
            async for page in async_pages(state.list_deliveries, channel=channel, page_size=500)
            for delivery in page.deliveries
        ]
        if len(found) >= count and not any(each.state in _WAITS for each in found):
            return found
        await asyncio.sleep(0.5)
