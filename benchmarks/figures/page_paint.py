"""The page of what there is now in a real browser with 100,000 worksets: first contentful paint.

Each look is that of a browser that was never there before: nothing is in its cache. Everything on SQLite.
"""

import argparse
import asyncio
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from playwright.async_api import ViewportSize

from benchmarks.measure import percentile, progress
from benchmarks.page import Furnished, furnished
from benchmarks.report import Figure, at_most

WINDOW = ViewportSize(width=1200, height=900)
SMALL = ("--worksets", "60", "--looks", "2")

_TIMES = """() => {
  const [page] = performance.getEntriesByType("navigation");
  const [paint] = performance.getEntriesByName("first-contentful-paint");
  return {
    paint: paint ? paint.startTime : null,
    answer: page.responseEnd - page.requestStart,
    bytes: page.decodedBodySize,
  };
}"""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--worksets", type=int, default=100_000)
    parser.add_argument("--looks", type=int, default=40)


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        looks = asyncio.run(_looks(Path(folder), given.worksets, given.looks))
    paints = [look["paint"] for look in looks]
    for percent in (50, 95):
        yield Figure(
            f"first contentful paint, p{percent}",
            percentile(paints, percent),
            "ms",
            to_reach=at_most(300),
        )
    yield Figure(
        "answer of the gateway, p50", percentile([look["answer"] for look in looks], 50), "ms"
    )
    yield Figure("the page", max(look["bytes"] for look in looks) / 1024, "KiB")


async def _looks(folder: Path, worksets: int, count: int) -> list[dict[str, Any]]:
    async with furnished(folder, worksets) as there:
        await _look(there)  # the browser itself has to get going
        progress(f"{count} looks")
        return [await _look(there) for _ in range(count)]


async def _look(there: Furnished) -> dict[str, Any]:
    # The page lets no script in but its own, and so not the one that waits for the paint.
    context = await there.browser.new_context(viewport=WINDOW, bypass_csp=True)
    try:
        page = await context.new_page()
        await page.goto(there.url, wait_until="load")
        # The paint is noted a frame after it was.
        await page.wait_for_function(
            "performance.getEntriesByName('first-contentful-paint').length"
        )
        found: dict[str, Any] = await page.evaluate(_TIMES)
        return found
    finally:
        await context.close()
