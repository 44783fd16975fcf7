"""The notifier's metrics, read back after deliveries whose number is known."""

import re
import urllib.request

from daylily_client import AsyncNotifierClient
from daylily_runtime import running
from tests.integration.notifier.deployment import (
    QUICK,
    active,
    all_finished,
    handled,
    one_channel,
    tell,
    until,
)


def scraped(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        text = page.read().decode()
    return {
        (name, frozenset(re.findall(r'(\w+)="([^"]*)"', labels or ""))): float(value)
        for name, labels, value in re.findall(
            r"^daylily_notifier_(\w+)(?:\{([^}]*)\})? (\S+)$", text, flags=re.MULTILINE
        )
    }


async def test_deliveries_and_the_feed_are_measured(lab, state, topic):
    server = lab.notifier(one_channel(topic), metrics_port=0)
    async with running(server), AsyncNotifierClient(server.address, QUICK) as notifier:
        await until(lambda: active(notifier))
        for number in range(3):
            await tell(state, f"message {number}")
        await until(lambda: handled(notifier, 3))
        await all_finished(state)
        read = scraped(server.metrics_port)
        standby = lab.notifier(one_channel(topic), owner_id="n2", metrics_port=0)
        async with running(standby):
            of_standby = scraped(standby.metrics_port)

    lab_channel = ("channel", "lab")
    assert read["deliveries_total", frozenset([lab_channel, ("outcome", "delivered")])] == 3
    assert ("deliveries_total", frozenset([lab_channel, ("outcome", "dead")])) not in read
    assert read["delivery_seconds_count", frozenset([lab_channel])] == 3
    assert 0 <= read["feed_lag_seconds", frozenset()] < 60
    # Only who follows the feed can be behind it.
    assert ("feed_lag_seconds", frozenset()) not in of_standby
