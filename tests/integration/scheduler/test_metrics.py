"""The scheduler's metrics, read back after calls whose numbers are known."""

import re
import urllib.request

import pytest

from tests.integration.scheduler.asking import URGENT, add_cluster, claim, knows, register

pytestmark = pytest.mark.timeout(60)


def scraped(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        text = page.read().decode()
    return {
        name + (labels or ""): float(value)
        for name, labels, value in re.findall(
            r"^daylily_scheduler_(\w+)(\{[^}]*\})? (\S+)$", text, flags=re.MULTILINE
        )
    }


async def test_claims_queue_feed_and_room_are_measured(system):
    server = await system.scheduler_server(metrics_port=0)
    scheduler = await system.client(server)
    await add_cluster(scheduler, "c1", vcpus=96)
    await register(system.state, "u", priority=URGENT, vcpus=32)
    await register(system.state, "big", vcpus=92)
    await knows(scheduler, clusters=1, startable=2)
    assert (await claim(scheduler)).HasField("workset")
    assert not (await claim(scheduler)).HasField("workset")
    read = scraped(server.metrics_port)
    assert read['claims_total{outcome="granted"}'] == 1
    assert read['claims_total{outcome="empty"}'] == 1
    assert read["lost_picks_total"] == 0
    assert read["waiting_claims"] == 0
    assert read['queue{priority="URGENT"}'] == 0
    assert read['queue{priority="NORMAL"}'] == 1
    assert read['free_vcpus{cluster="c1"}'] == 64
    assert 0 <= read["feed_lag_seconds"] < 30
