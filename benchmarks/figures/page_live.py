"""From an event's commit to the browser that shows it, on the page of what there is now.

Each event is a registration. It is shown when the frame after the change of the page has been drawn.
Everything on SQLite.
"""

import argparse
import asyncio
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

from playwright.async_api import Page

from benchmarks.measure import percentile, progress
from benchmarks.page import Furnished, furnished
from benchmarks.report import Figure, at_most

SMALL = ("--worksets", "60", "--events", "3")

SECONDS_FOR_THE_LAST = 10
_WATCH = """() => {
  window.shown = {};
  const look = () => requestAnimationFrame(() => setTimeout(() => {
    for (const link of document.querySelectorAll(".events a")) window.shown[link.textContent] ??= Date.now();
  }));
  new MutationObserver(look).observe(document.getElementById("main"), {childList: true, subtree: true});
}"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--worksets", type=int, default=100_000)
    parser.add_argument("--events", type=int, default=250)
    parser.add_argument("--apart", type=float, default=0.4, help="seconds on average, at random")
    parser.add_argument("--seed", type=int, default=1)


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        taken = asyncio.run(_follow(Path(folder), given))
    yield Figure("events that were shown", len(taken), more_is_better=True)
    yield Figure("commit to shown, p50", percentile(taken, 50), "ms")
    yield Figure("commit to shown, p99", percentile(taken, 99), "ms", to_reach=at_most(500))
    yield Figure("commit to shown, longest", max(taken), "ms")


async def _follow(folder: Path, given: argparse.Namespace) -> list[float]:
    dice = random.Random(given.seed)
    async with furnished(folder, given.worksets) as there:
        page = await _live_page(there)
        progress(f"{given.events} events, one each {given.apart:g} s")
        committed: dict[str, float] = {}
        for number in range(given.events):
            workset_id = f"new-{number}"
            answer = await there.state.register_workset(
                workset_id=workset_id, bucket="lab", prefix=f"runs/{workset_id}/"
            )
            # Before the commit, so that its own time counts as well.
            committed[workset_id] = answer.workset.created_at.ToMilliseconds()
            await asyncio.sleep(dice.expovariate(1 / given.apart))
        shown = await _shown(page, given.events)
    missing = sorted(committed.keys() - shown.keys())
    if missing:
        raise RuntimeError(f"{len(missing)} events were never shown, such as {missing[0]}")
    return [shown[workset_id] - at for workset_id, at in committed.items()]


async def _live_page(there: Furnished) -> Page:
    page = await there.browser.new_page(base_url=there.url, bypass_csp=True)
    await page.goto("/")
    await page.wait_for_function("document.getElementById('connection').dataset.state === 'live'")
    await page.evaluate(_WATCH)
    return page


async def _shown(page: Page, count: int) -> dict[str, float]:
    """When each new workset was first seen, in ms since 1970."""
    await page.wait_for_function(
        "last => last in window.shown", arg=f"new-{count - 1}", timeout=SECONDS_FOR_THE_LAST * 1000
    )
    found: dict[str, float] = await page.evaluate("window.shown")
    return {name: at for name, at in found.items() if name.startswith("new-")}
