"""A real headless Chromium, driven by Playwright."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from playwright.async_api import Browser, async_playwright

from tests.support.tools import find_tool, missing

# Chromium of itself looks for updates and services that no test has.
_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> Path:
    """The path of the browser; skips the test where there is none."""
    found = next(filter(None, map(find_tool, _NAMES)), None)
    return found or missing("chromium")


@asynccontextmanager
async def browser() -> AsyncIterator[Browser]:
    """A browser with nothing of anybody's in it."""
    path = chromium()
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=path, args=_FLAGS)
        try:
            yield started
        finally:
            await started.close()
