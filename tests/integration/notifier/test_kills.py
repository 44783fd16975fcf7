"""A notifier that dies between any two steps loses nothing, and shows nothing twice on FIFO."""

import asyncio
from contextlib import asynccontextmanager

import pytest
from daylily.workset.v1 import event_pb2

from tests.integration.notifier.deployment import (
    all_finished,
    arrived,
    one_channel,
    tell,
    until,
)
from tests.integration.notifier.faults import Life, watched_channel

MESSAGES = [f"message {number}" for number in range(4)]

UNWANTED = "no route wants this, so it is only acknowledged"

STEPS = [
    "before AcquireConsumer",
    "after AcquireConsumer",
    "before GetSnapshot",
    "after GetSnapshot",
    "before GetEpisode",
    "after GetEpisode",
    "before PutDeliveries",
    "after PutDeliveries",
    "before AckEvents",
    "after AckEvents",
    "before ClaimDeliveries",
    "after ClaimDeliveries",
    "before send",
    "after send",
    "before UpdateDelivery",
    "after UpdateDelivery",
    "before RenewConsumer",
    "after RenewConsumer",
]


@asynccontextmanager
async def life(lab, topic, owner_id, **options):
    """A notifier that dies as told; it is cleared away at the end without being asked."""
    lived = Life(**options)
    watched = watched_channel(one_channel(topic), before_send=lived.step, after_send=lived.step)
    server = lab.notifier(watched, owner_id=owner_id, connect=lived.connect, close_seconds=0.1)
    await server.start()
    try:
        yield lived
    finally:
        lived.dead.set()
        await server.stop()


async def test_the_fault_points_are_all_there_are(lab, state, topic):
    async with life(lab, topic, "n1") as lived:
        await tell(state, UNWANTED, type=event_pb2.EVENT_TYPE_QUEUE_BACKLOG)
        for message in MESSAGES:
            await tell(state, message)
        await arrived(topic, len(MESSAGES))
        await all_finished(state)

        async def renewed_and_acknowledged():
            await tell(state, UNWANTED, type=event_pb2.EVENT_TYPE_QUEUE_BACKLOG)
            return {"after RenewConsumer", "after AckEvents"} <= set(lived.steps)

        await until(renewed_and_acknowledged)
        assert set(lived.steps) == set(STEPS)


ON_THE_WAY = [step for step in STEPS if "Deliver" in step or "send" in step]


@pytest.mark.parametrize(
    ("step", "survived"), [(step, 0) for step in STEPS] + [(step, 1) for step in ON_THE_WAY]
)
async def test_a_notifier_that_dies_here_loses_nothing(lab, state, fifo_topic, step, survived):
    async with life(lab, fifo_topic, "n1", dies_at=(step, survived)) as first:
        await tell(state, UNWANTED, type=event_pb2.EVENT_TYPE_QUEUE_BACKLOG)
        for message in MESSAGES[:2]:
            await tell(state, message)
        dying = asyncio.create_task(first.dead.wait())
        await asyncio.wait({dying}, timeout=1.0)
        dying.cancel()
        for message in MESSAGES[2:]:
            await tell(state, message)
        async with life(lab, fifo_topic, "n2"):
            first.dead.set()

            async def every_message_is_recorded():
                return len((await state.list_deliveries()).deliveries) == len(MESSAGES)

            await until(every_message_is_recorded)
            await all_finished(state)
    assert sorted(message.subject for message in fifo_topic.receive()) == MESSAGES
