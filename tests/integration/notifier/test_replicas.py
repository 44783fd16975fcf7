"""Several notifiers of one deployment: one is active, and another takes over."""

import asyncio
import os
import signal
import subprocess
import sys

import pytest
import structlog

from daylily_client import AsyncNotifierClient, Unavailable
from daylily_notifier.config.load import one_topic
from tests.integration.notifier.deployment import (
    QUICK,
    active,
    all_finished,
    arrived,
    one_channel,
    tell,
    until,
)
from tests.integration.notifier.faults import Life
from tests.integration.notifier.gate import gate
from tests.support.ports import free_port

SERVE = "from daylily_notifier.main import main; raise SystemExit(main(['serve']))"


@pytest.fixture
def speed():
    """Slower than elsewhere: who is active must not depend on how busy the machine is."""
    return 5


async def until_active(client, seconds=15):
    await until(lambda: active(client), seconds)


async def test_one_of_two_is_active(lab, state, fifo_topic):
    config = one_channel(fifo_topic)
    async with (
        lab.running(config, owner_id="n1") as first,
        lab.running(config, owner_id="n2") as second,
    ):
        await until_active(first)
        for number in range(20):
            await tell(state, f"message {number}")
        await arrived(fifo_topic, 20)
        await all_finished(state)
        assert not await active(second)
        assert (await first.get_notifier_stats()).delivered == 20
        assert (await second.get_notifier_stats()).delivered == 0


async def test_another_takes_over_at_once_when_one_stops(lab, state, topic):
    config = one_channel(topic)
    async with lab.running(config, owner_id="n2") as second:
        async with lab.running(config, owner_id="n1"):
            await tell(state, "first")
            await arrived(topic, 1)
        # The seat was given up, so it is not the lease (10 s) that is waited for.
        begun = lab.clock.monotonic()
        await until_active(second)
        assert lab.clock.monotonic() - begun < 9
        await tell(state, "second")
        assert [message.subject for message in await arrived(topic, 1)] == ["second"]


async def test_another_takes_over_within_the_lease_when_one_dies(lab, state, topic):
    config = one_channel(topic)
    life = Life()
    server = lab.notifier(config, owner_id="n1", connect=life.connect, close_seconds=0.1)
    await server.start()
    try:
        await tell(state, "first")
        await arrived(topic, 1)
        async with lab.running(config, owner_id="n2") as second:
            assert not await active(second)
            life.dead.set()
            died = lab.clock.monotonic()
            await tell(state, "second")
            assert [message.subject for message in await arrived(topic, 1)] == ["second"]
            assert lab.clock.monotonic() - died < 25
    finally:
        await server.stop()


async def test_one_that_is_cut_off_steps_down_by_its_own_clock(lab, state, topic):
    config = one_channel(topic)
    async with gate(f"http://{lab.state_address}") as way:
        await way.open()
        through_the_gate = {"owner_id": "n1", "state_address": f"127.0.0.1:{way.port}"}
        with structlog.testing.capture_logs() as logs:
            async with lab.running(config, **through_the_gate) as first:
                await until_active(first)
                await way.close()
                async with lab.running(config, owner_id="n2") as second:
                    await until_active(second)
                    await tell(state, "while one is cut off")
                    await arrived(topic, 1)
                    await until(lambda: logged(logs, "seat_lost", owner="n1"))
                    await way.open()
                    await until(lambda: answers(first))
                    assert not await active(first)
                    assert await active(second)


async def logged(logs, event, **fields):
    return any(entry.items() >= {"event": event, **fields}.items() for entry in logs)


async def answers(client):
    try:
        await client.get_notifier_stats()
    except Unavailable:
        return False
    return True


async def test_a_process_that_is_killed_loses_nothing(lab, state, fifo_topic, tmp_path):
    """kill -9, over and over, while events come in."""
    port = free_port()
    environment = {
        **os.environ,
        **fifo_topic.aws.environment,
        "DAYLILY_PORT": str(port),
        "DAYLILY_STATE_ADDRESS": lab.state_address,
        "DAYLILY_NOTIFIER_SNS_TOPIC_ARN": fifo_topic.arn,
    }
    told = []
    for life in range(3):
        process = await asyncio.to_thread(
            subprocess.Popen,
            [sys.executable, "-c", SERVE],
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            async with AsyncNotifierClient(f"127.0.0.1:{port}", QUICK) as client:
                await until_active(client.with_timeout(20), 20)
            for number in range(8):
                told.append(f"message {life}.{number}")
                await tell(state, told[-1])
                await asyncio.sleep(0.01 * life)
        finally:
            process.send_signal(signal.SIGKILL)
            await asyncio.to_thread(process.wait)
    same = one_topic(fifo_topic.arn, fifo_topic.aws.endpoint_url)
    async with lab.running(same, owner_id="n2"):

        async def all_recorded():
            return len((await state.list_deliveries()).deliveries) == len(told)

        await until(all_recorded)
        await all_finished(state)
    assert sorted(message.subject for message in fifo_topic.receive()) == sorted(told)
