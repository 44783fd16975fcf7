"""From a commit to a subscriber of SNS."""

from daylily.workset.v1 import event_pb2, workset_pb2

from tests.integration.notifier.deployment import (
    active,
    all_finished,
    arrived,
    config,
    handled,
    one_channel,
    tell,
    until,
)

TWO_CHANNELS = """\
channels:
  urgent: {{kind: sns, topic_arn: '{urgent}', endpoint_url: '{url}'}}
  all: {{kind: sns, topic_arn: '{everything}', endpoint_url: '{url}'}}
routes:
  - {{match: {{priority: urgent}}, channels: urgent}}
  - {{match: {{event: external}}, channels: [all]}}
"""


async def test_an_event_reaches_the_subscriber(lab, state, topic):
    async with lab.running(one_channel(topic)):
        event_id = await tell(state, "the freezer is warm", cluster_name="c1")
        (received,) = await arrived(topic, 1)
    assert received.subject == "the freezer is warm"
    assert received.attributes["event_id"] == event_id
    assert received.attributes["event_type"] == "EXTERNAL"
    assert received.attributes["cluster"] == "c1"


async def test_events_from_before_the_first_start_arrive_too(lab, state, topic):
    await tell(state, "early")
    async with lab.running(one_channel(topic)):
        assert [message.subject for message in await arrived(topic, 1)] == ["early"]


async def test_a_new_notifier_may_begin_at_now(lab, state, topic):
    await tell(state, "old news")
    async with lab.running(one_channel(topic), notifier_start="now") as notifier:
        await until(lambda: active(notifier))
        await tell(state, "new")
        assert [message.subject for message in await arrived(topic, 1)] == ["new"]


async def test_each_channel_gets_what_its_routes_say(lab, state, empty_aws, topic, fifo_topic):
    text = TWO_CHANNELS.format(
        urgent=topic.arn, everything=fifo_topic.arn, url=empty_aws.endpoint_url
    )
    async with lab.running(config(text)):
        await tell(state, "normal")
        await tell(state, "urgent", priority=workset_pb2.PRIORITY_URGENT)
        everything = await arrived(fifo_topic, 2)
        urgent = await arrived(topic, 1)
        await all_finished(state)
    assert {message.subject for message in everything} == {"normal", "URGENT: urgent"}
    assert [message.subject for message in urgent] == ["URGENT: urgent"]


async def test_many_events_arrive_once_each_and_in_order(lab, state, fifo_topic):
    async with lab.running(one_channel(fifo_topic)) as notifier:
        for number in range(120):
            await tell(state, f"message {number}")
        received = await arrived(fifo_topic, 120)
        await all_finished(state)
        await until(lambda: handled(notifier, 120))
        stats = await notifier.get_notifier_stats()
    assert [message.subject for message in received] == [f"message {n}" for n in range(120)]
    assert stats.delivered == 120
    assert stats.events_handled == 120
    assert stats.pending == 0
    assert stats.latency_p50.ToTimedelta() <= stats.latency_p99.ToTimedelta()


async def test_what_no_route_wants_is_acknowledged(lab, state, topic, empty_aws):
    text = TWO_CHANNELS.format(urgent=topic.arn, everything=topic.arn, url=empty_aws.endpoint_url)
    unwanted = event_pb2.EVENT_TYPE_QUEUE_BACKLOG
    async with lab.running(config(text)) as notifier:
        await tell(state, "not for you", type=unwanted)
        await until(lambda: handled(notifier, 1))
        await tell(state, "for you")
        await arrived(topic, 1)
    async with lab.running(config(text)) as notifier:
        await tell(state, "for you, too")
        await arrived(topic, 1)
        assert (await notifier.get_notifier_stats()).events_unrouted == 0
