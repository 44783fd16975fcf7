"""From a commit to a local SNS and a local webhook, apart from the channel's own time."""

import argparse
import asyncio
import tempfile
import time
from collections.abc import Iterator
from datetime import UTC
from pathlib import Path
from typing import Any

from daylily.workset.v1 import event_pb2

from benchmarks.measure import percentile
from benchmarks.processes import Services, on_sqlite, services
from benchmarks.report import Figure, at_most
from benchmarks.telling import finished, notifier, webhook
from daylily_client import AsyncStateClient, ClientOptions
from tests.support.moto_server import MotoServer, run_moto_server

SMALL = ("--seconds", "2", "--rate", "20")
_ABOUT = 100
"""So many things the events are about in turn: what is about one is sent in order."""


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rate", type=int, default=100, help="events a second")
    parser.add_argument("--seconds", type=int, default=30)


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    with (
        tempfile.TemporaryDirectory() as folder,
        run_moto_server() as aws,
        services(Path(folder)) as running,
    ):
        waits = asyncio.run(_waits(running, aws, given.rate, given.seconds))
    for channel, each in waits.items():
        for percent, most in ((50, 50), (99, 250)):
            took = percentile([1000 * seconds for seconds in each], percent)
            yield Figure(f"commit to {channel}, p{percent}", took, "ms", to_reach=at_most(most))


async def _waits(
    running: Services, aws: MotoServer, rate: int, seconds: int
) -> dict[str, list[float]]:
    address = running.start("state", on_sqlite(running.folder))
    arn = aws.client("sns").create_topic(Name="bench")["TopicArn"]
    async with webhook() as hook, AsyncStateClient(address, ClientOptions(timeout=30)) as state:
        channels = {
            "sns": {"kind": "sns", "topic_arn": arn, "endpoint_url": aws.endpoint_url},
            "webhook": {"kind": "webhook", "url": hook.url},
        }
        notifier(running, address, channels, {"event": "external"}, aws.environment)
        for number in range(2):
            await _tell(state, number, "warm")
        for channel in channels:
            await finished(state, channel, 2)
        begun = time.monotonic()
        tasks = []
        for number in range(rate * seconds):
            await asyncio.sleep(max(0.0, begun + number / rate - time.monotonic()))
            tasks.append(asyncio.create_task(_tell(state, number, "message")))
        await asyncio.gather(*tasks)
        return {
            channel: [
                _wait(delivery)
                for delivery in await finished(state, channel, rate * seconds + 2)
                if not delivery.event.reason.startswith("warm")
            ]
            for channel in channels
        }


async def _tell(state: AsyncStateClient, number: int, message: str) -> None:
    about = event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_SYSTEM, id=f"bench-{number % _ABOUT}")
    await state.publish_event(subject=about, type=event_pb2.EVENT_TYPE_EXTERNAL, reason=message)


def _wait(delivery: Any) -> float:
    """Until the outcome was recorded, less what the channel took to answer."""
    done = delivery.updated_at.ToDatetime(UTC)
    waited = done - delivery.event.occurred_at.ToDatetime(UTC) - delivery.latency.ToTimedelta()
    seconds: float = waited.total_seconds()
    return seconds
