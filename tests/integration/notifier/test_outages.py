"""What is away comes back, and nothing was lost."""

import asyncio

import pytest
from daylily.workset.v1 import delivery_pb2, event_pb2

from daylily_client import AsyncStateClient
from tests.integration.notifier.bad_servers import hang, http_server, status
from tests.integration.notifier.deployment import (
    NOTIFIER,
    all_finished,
    arrived,
    config,
    one_channel,
    tell,
)
from tests.integration.notifier.faults import watched_channel
from tests.integration.notifier.gate import gate
from tests.integration.notifier.people import cluster, people
from tests.support.fast_clock import FastClock
from tests.support.places import Reply, place

PENDING = delivery_pb2.DELIVERY_STATE_PENDING
DELIVERED = delivery_pb2.DELIVERY_STATE_DELIVERED
DEAD = delivery_pb2.DELIVERY_STATE_DEAD
SILENT = event_pb2.EVENT_TYPE_CLUSTER_SILENT
BACK = event_pb2.EVENT_TYPE_CLUSTER_RECOVERED
REFUSED = "<ErrorResponse><Error><Code>InvalidParameter</Code></Error></ErrorResponse>"


async def deliveries(state, count, **filters):
    """The deliveries, as soon as there are so many."""
    async with asyncio.timeout(15):
        while True:
            found = (await state.list_deliveries(**filters)).deliveries
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)


async def test_what_happens_while_sns_is_away_arrives_when_it_is_back(lab, state, topic):
    async with gate(topic.aws.endpoint_url) as way, lab.running(one_channel(topic, way.url)):
        for number in range(30):
            await tell(state, f"message {number}")
        waiting = await deliveries(state, 30, states=[PENDING])
        assert not topic.receive()
        await way.open()
        received = await arrived(topic, 30)
        await all_finished(state)
    assert {message.subject for message in received} == {f"message {n}" for n in range(30)}
    assert len(waiting) == 30


async def test_a_channel_that_is_away_is_probed_and_not_flooded(lab, state, topic):
    async with gate(topic.aws.endpoint_url) as way, lab.running(one_channel(topic, way.url)):
        await way.open()
        way.answers_to_drop = 10**6
        for number in range(60):
            await tell(state, f"message {number}")
        await deliveries(state, 60)
        await lab.clock.sleep(20)
        assert way.connections < 45


async def test_a_channel_that_fails_holds_up_no_other(lab, state, topic, fifo_topic):
    text = f"""\
    channels:
      broken: {{kind: sns, topic_arn: '{topic.arn}', endpoint_url: 'URL'}}
      good: {{kind: sns, topic_arn: '{fifo_topic.arn}', endpoint_url: {topic.aws.endpoint_url}}}
    routes:
      - channels: [broken, good]
    """
    async with http_server(hang) as url, lab.running(config(text.replace("URL", url))):
        for number in range(30):
            await tell(state, f"message {number}")
        received = await arrived(fifo_topic, 30)
        assert len(await deliveries(state, 30, channel="broken")) == 30
    assert len(received) == 30


async def test_a_channel_that_is_away_for_a_day_gets_everything_and_the_other_waits_for_nothing(
    lab, state
):
    away = True
    async with (
        place(lambda _: Reply(503 if away else 200)) as bad,
        place(lambda _: Reply(200)) as good,
    ):
        text = f"""\
        channels:
          bad: {{kind: webhook, url: '{bad.url}'}}
          good: {{kind: webhook, url: '{good.url}'}}
        routes:
          - {{channels: [bad, good], match: {{event: external}}}}
        """
        told = []
        for hour in range(0, 24, 6):
            async with lab.running(config(text), owner_id=f"n{hour}"):
                told.append(f"message at {hour}")
                await tell(state, told[-1])
                await deliveries(state, len(told), channel="good", states=[DELIVERED])
                lab.clock.skip(6 * 3600)
        assert len(await deliveries(state, 4, channel="bad", states=[PENDING])) == 4
        away = False
        async with lab.running(config(text), owner_id="n24"):
            await deliveries(state, 4, channel="bad", states=[DELIVERED])
    taken = {request.json["subject"] for request in bad.requests}
    assert taken == {request.json["subject"] for request in good.requests} == set(told)
    assert len(good.requests) == 4


async def test_an_answer_that_gets_lost_shows_a_fifo_subscriber_nothing_twice(
    lab, state, fifo_topic
):
    async with (
        gate(fifo_topic.aws.endpoint_url) as way,
        lab.running(one_channel(fifo_topic, way.url)) as notifier,
    ):
        way.answers_to_drop = 3
        await way.open()
        await tell(state, "once")
        await deliveries(state, 1, states=[DELIVERED])
        assert (await notifier.get_notifier_stats()).retried == 3
        # moto forgets a deduplication id with its message: look once, when all is over.
        assert len(fifo_topic.receive()) == 1


async def test_a_state_service_that_restarts_is_followed_again(lab, state, topic):
    async with lab.running(one_channel(topic)) as notifier:
        await tell(state, "before")
        await arrived(topic, 1)
        await lab.stop_state()
        await lab.clock.sleep(15)
        await lab.start_state()
        await tell(state, "after")
        received = await arrived(topic, 1)
        assert (await notifier.get_notifier_stats()).delivered == 2
    assert [message.subject for message in received] == ["after"]


class SlowState(AsyncStateClient):
    """State that takes its time to say what a channel was told before."""

    clock: FastClock

    async def call(self, rpc, *args, **kwargs):
        if rpc.name == "GetDelivery":
            await self.clock.sleep(1.2)
        return await super().call(rpc, *args, **kwargs)


async def test_more_than_can_be_begun_in_time_is_claimed_in_smaller_parts(lab, state):
    """Eight at once are decided about in ten seconds, and may be begun for five: claimed again in
    the same number, none of them would ever be.
    """

    def connect(settings):
        client = SlowState(settings.state_address, NOTIFIER)
        client.clock = lab.clock
        return client

    async with people("[cluster_silent]", digest="off") as told:
        async with lab.running(told.config):
            for number in range(8):
                await tell(state, "no report", subject=cluster(f"c{number}"), type=SILENT)
            await deliveries(state, 16, states=[DELIVERED])
        for number in range(8):
            await tell(state, "back", subject=cluster(f"c{number}"), type=BACK)
        async with lab.running(told.config, owner_id="n2", connect=connect):
            await deliveries(state, 32, states=[DELIVERED])
    assert sum(subject.startswith("Recovered: ") for subject in told.subjects) == 8


async def test_an_outcome_is_recorded_though_state_was_away_when_it_came(lab, state, fifo_topic):
    answered, wait = asyncio.Event(), asyncio.Event()

    async def answer_late(_delivered):
        answered.set()
        await wait.wait()

    notifier = watched_channel(one_channel(fifo_topic), after_send=answer_late)
    async with lab.running(notifier) as client:
        await tell(state, "sent while state goes away")
        await answered.wait()
        await lab.stop_state()
        wait.set()
        await lab.clock.sleep(15)
        await lab.start_state()
        await deliveries(state, 1, states=[DELIVERED])
        assert (await client.get_notifier_stats()).delivered == 1


@pytest.mark.parametrize("refusal", [status(400, REFUSED, "Content-Type: text/xml\r\n")])
async def test_a_permanent_refusal_becomes_a_dead_letter_that_can_be_sent_again(
    lab, state, topic, refusal
):
    async with http_server(refusal) as url, lab.running(one_channel(topic, url)) as notifier:
        event_id = await tell(state, "too strange")
        (dead,) = await deliveries(state, 1, states=[DEAD])
        assert dead.event.event_id == event_id
        assert dead.attempts == 1
        assert "InvalidParameter" in dead.answer
        assert (await notifier.list_channels()).channels[0].dead == 1
    async with lab.running(one_channel(topic)) as notifier:
        answer = await notifier.redeliver(delivery_id=dead.delivery_id)
        assert answer.delivery.state == PENDING
        (received,) = await arrived(topic, 1)
        await all_finished(state)
        assert (await notifier.list_channels()).channels[0].dead == 0
    assert received.subject == "too strange"


async def test_a_channel_that_stays_away_ends_in_dead_letters(lab, state, topic):
    retry = {"first": "1s", "longest": "1s", "give_up_after": "5s"}
    async with (
        gate(topic.aws.endpoint_url) as away,
        lab.running(one_channel(topic, away.url, retry=retry)),
    ):
        await tell(state, "nobody hears")
        (dead,) = await deliveries(state, 1, states=[DEAD])
    assert dead.attempts >= 5
    assert dead.answer.startswith(f"given up after {dead.attempts} attempts: ")
