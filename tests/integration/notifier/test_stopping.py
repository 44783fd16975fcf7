"""A notifier that is asked to stop finishes what is under way, and leaves nothing behind."""

import asyncio

from daylily.workset.v1 import delivery_pb2

from tests.integration.notifier.deployment import arrived, one_channel, tell
from tests.integration.notifier.faults import watched_channel

DELIVERED = delivery_pb2.DELIVERY_STATE_DELIVERED


async def test_a_message_under_way_is_recorded_before_the_end(lab, state, topic):
    sent, go_on = asyncio.Event(), asyncio.Event()

    async def linger(_step):
        sent.set()
        await go_on.wait()

    config = watched_channel(one_channel(topic), after_send=linger)
    server = lab.notifier(config)
    await server.start()
    await tell(state, "under way")
    await sent.wait()
    stopping = asyncio.create_task(server.stop())
    await server.lifecycle.stopping.wait()
    await asyncio.sleep(0.1)
    go_on.set()
    await stopping
    (delivery,) = (await state.list_deliveries()).deliveries
    assert delivery.state == DELIVERED
    assert delivery.attempts == 1


async def test_what_was_not_begun_waits_for_the_next_start(lab, state, topic):
    async with lab.running(one_channel(topic)) as notifier:
        await notifier.pause_channel(channel="lab")
        for number in range(3):
            await tell(state, f"message {number}")
    async with lab.running(one_channel(topic)) as notifier:
        await notifier.resume_channel(channel="lab")
        assert len(await arrived(topic, 3)) == 3


async def test_a_notifier_can_be_stopped_while_state_is_away(lab, topic):
    server = lab.notifier(one_channel(topic), close_seconds=3)
    await server.start()
    await server.wait_serving()
    await lab.stop_state()
    begun = asyncio.get_running_loop().time()
    await server.stop()
    assert asyncio.get_running_loop().time() - begun < 6
