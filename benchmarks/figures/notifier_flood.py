"""Messages when many worksets fail within a minute for one cause, on channels as they are by default."""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from benchmarks.processes import Services, on_sqlite, services
from benchmarks.report import Figure, at_least, at_most
from benchmarks.telling import finished, notifier, webhook
from daylily_client import AsyncStateClient, ClientOptions
from tests.integration.notifier.people import fail_many
from tests.support.notified import KEY, PagerDuty
from tests.support.places import place

SMALL = ("--worksets", "6", "--window", "2s")


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--worksets", type=int, default=500)
    parser.add_argument("--window", default="1m", help="as `digest` of a channel")


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with tempfile.TemporaryDirectory() as folder, services(Path(folder)) as running:
        messages, counted, seconds = asyncio.run(_flood(running, given.worksets, given.window))
    yield Figure("worksets that failed", given.worksets)
    yield Figure("seconds in which they did", seconds, "s")
    for channel, number in messages.items():
        yield Figure(f"messages, {channel}", number, to_reach=at_most(3))
        yield Figure(
            f"accounted for, {channel}",
            counted[channel],
            to_reach=at_least(given.worksets),
            more_is_better=True,
        )


async def _flood(
    running: Services, worksets: int, window: str
) -> tuple[dict[str, int], dict[str, int], float]:
    address = running.start("state", on_sqlite(running.folder))
    pagerduty = PagerDuty()
    async with (
        webhook() as hook,
        place(pagerduty.answer) as pager,
        AsyncStateClient(address, ClientOptions(timeout=30)) as state,
    ):
        channels = {
            "webhook": {"kind": "webhook", "url": hook.url, "digest": window},
            "pager": {
                "kind": "pagerduty",
                "routing_key": {"env": "KEY"},
                "url": pager.url,
                "digest": window,
            },
        }
        notifier(running, address, channels, {"event": "error"}, {"KEY": KEY})
        begun = time.monotonic()
        await fail_many(state, worksets)
        seconds = time.monotonic() - begun
        for channel in channels:
            await finished(state, channel, worksets)
        triggers = [each[0]["payload"]["custom_details"] for each in pagerduty.incidents.values()]
        attributes = [request.json["attributes"] for request in hook.requests]
    return (
        {"webhook": len(attributes), "PagerDuty": len(triggers)},
        {
            "webhook": sum(int(each.get("count", "1")) for each in attributes),
            "PagerDuty": sum(int(each.get("Count", "1")) for each in triggers),
        },
        seconds,
    )
