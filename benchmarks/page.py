"""A control plane with many worksets, and a browser before its page."""

import asyncio
import json
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from daylily.workset.v1 import workset_pb2
from playwright.async_api import Browser

from benchmarks.claiming import OPTIONS
from benchmarks.measure import progress
from benchmarks.patience import depth_however_long
from benchmarks.processes import Services, services, until_serving
from benchmarks.stores import Stores
from daylily_client import AsyncSchedulerClient, AsyncStateClient
from tests.support.browser import browser

CLUSTERS = 10
RUNNING = 30
FAILED = 10
SECONDS_TO_START = 120


@dataclass(frozen=True)
class Furnished:
    """Attributes:
    url: of the gateway.
    state: a client of the state behind it.
    browser: a real one.
    """

    url: str
    state: AsyncStateClient
    browser: Browser


@asynccontextmanager
async def furnished(folder: Path, worksets: int) -> AsyncIterator[Furnished]:
    """All four services on a SQLite file with so many worksets: most wait, some run, some failed."""
    progress(f"{worksets:,} worksets are written")
    filled = await asyncio.to_thread(Stores(folder, None).filled, "page", worksets)
    with services(folder) as running:
        state_address = running.start("state", filled.settings)
        await until_serving(state_address)
        async with AsyncStateClient(state_address, OPTIONS) as state:
            await depth_however_long(state)
            progress("some of them run, some fail")
            gateway = await _others(running, state_address)
            last = await _move_some(state, min(RUNNING, worksets // 2), min(FAILED, worksets // 4))
            await _caught_up(gateway, last)
            async with browser() as chromium:
                yield Furnished(f"http://{gateway}", state, chromium)


async def _others(running: Services, state_address: str) -> str:
    """The scheduler with clusters, the notifier, and the gateway, whose address is returned."""
    beside = {"DAYLILY_STATE_ADDRESS": state_address}
    scheduler, notifier = running.start("scheduler", beside), running.start("notifier", beside)
    await until_serving(scheduler)
    async with AsyncSchedulerClient(scheduler, OPTIONS) as client:
        for number in range(CLUSTERS):
            await client.register_cluster(
                cluster_name=f"c{number}",
                vcpus=192,
                memory_gb=768,
                slots=8,
                price_per_vcpu_hour_usd=0.04,
                fixed_cost_per_hour_usd=1.2,
            )
    addresses = {"DAYLILY_SCHEDULER_ADDRESS": scheduler, "DAYLILY_NOTIFIER_ADDRESS": notifier}
    return running.start("gateway", {**beside, **addresses})


async def _move_some(state: AsyncStateClient, run: int, fail: int) -> str:
    """So many run and so many have failed; the last that was started."""
    ids = [f"ws-{number}" for number in range(run + fail)]
    for number, workset_id in enumerate(ids):
        lock = await state.acquire_lock(
            workset_id=workset_id, owner_id="bench", cluster_name=f"c{number % CLUSTERS}"
        )
        await state.update_state(
            workset_id=workset_id,
            state=workset_pb2.WORKSET_STATE_IN_PROGRESS,
            lock_token=lock.lock_token,
        )
        if number < fail:
            await state.update_state(
                workset_id=workset_id,
                state=workset_pb2.WORKSET_STATE_ERROR,
                lock_token=lock.lock_token,
                error_category=workset_pb2.ERROR_CATEGORY_DATA,
                error_details="a sample has no reads",
            )
        else:
            await state.report_progress(
                workset_id=workset_id,
                lock_token=lock.lock_token,
                step="run_pipeline",
                percent=number,
            )
    return ids[-1]


async def _caught_up(gateway: str, last: str) -> None:
    """Until every service serves, and the gateway has read the day's events up to this workset's."""
    async with asyncio.timeout(SECONDS_TO_START):
        while not await asyncio.to_thread(_is_ready, gateway, last):  # noqa: ASYNC110 - servers are asked
            await asyncio.sleep(0.2)


def _is_ready(gateway: str, last: str) -> bool:
    try:
        with urllib.request.urlopen(f"http://{gateway}/readyz", timeout=10) as answer:
            said = json.load(answer)
        asked = urllib.request.Request(f"http://{gateway}/", headers={"accept": "text/html"})
        with urllib.request.urlopen(asked, timeout=10) as answer:
            page = answer.read().decode()
    except urllib.error.URLError:
        return False
    serve = all(word == "serving" for word in said["services"].values())
    return serve and last in page.partition('class="events"')[2]
