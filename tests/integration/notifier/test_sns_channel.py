"""The SNS channel against moto, and against servers that fail."""

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest

from daylily_notifier.channels.base import RefusedError
from daylily_notifier.channels.sns import SnsSettings
from daylily_notifier.domain.message import Message, render
from tests.integration.notifier.bad_servers import (
    close_mid_answer,
    drop,
    hang,
    http_server,
    status,
)
from tests.integration.notifier.topics import make_topic
from tests.support.ports import free_port
from tests.unit.notifier.events import COMPLETED, FAILED

ARN = "arn:aws:sns:us-east-1:123456789012:daylily"


@pytest.fixture(autouse=True)
def aws_credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


async def send(message: Message, arn: str, url: str, seconds: float = 5):
    settings = SnsSettings(
        kind="sns", topic_arn=arn, endpoint_url=url, timeout=timedelta(seconds=seconds)
    )
    channel = settings.open("lab")
    try:
        return await channel.send(message)
    finally:
        await channel.close()


async def refusal(url: str, seconds: float = 5):
    with pytest.raises(RefusedError) as error:
        await send(render(FAILED, "key"), ARN, url, seconds)
    return error.value.refusal


async def test_a_subscriber_gets_the_text_and_the_attributes(empty_aws):
    topic = make_topic(empty_aws)
    event = replace(FAILED, cluster_name="c1", priority="URGENT", error_details="no reads")
    message = render(event, "key")
    delivered = await send(message, topic.arn, empty_aws.endpoint_url)
    assert delivered.ref in delivered.answer
    assert delivered.latency > timedelta(0)
    (received,) = topic.receive()
    assert received.subject == "URGENT: Workset ws-1 failed"
    assert received.body == message.body
    assert received.attributes == {
        "event_type": "FAILED",
        "state": "ERROR",
        "priority": "URGENT",
        "workset_id": "ws-1",
        "cluster": "c1",
        "event_id": "e-1",
    }


async def test_a_subscription_filters_by_attributes(empty_aws):
    topic = make_topic(empty_aws, filter_policy={"state": ["ERROR"]})
    for event in (COMPLETED, FAILED):
        await send(render(event, "key"), topic.arn, empty_aws.endpoint_url)
    assert [received.attributes["state"] for received in topic.receive()] == ["ERROR"]


async def test_the_longest_and_strangest_subject_is_taken(empty_aws):
    topic = make_topic(empty_aws)
    message = replace(render(FAILED, "key"), subject="Wörkset\n" + "ẞ" * 300)
    await send(message, topic.arn, empty_aws.endpoint_url)
    (received,) = topic.receive()
    assert received.subject.startswith("Wo?rkset ?")


async def test_a_fifo_topic_shows_a_message_once_that_was_sent_twice(empty_aws):
    topic = make_topic(empty_aws, fifo=True)
    for key in ("key-1", "key-1", "key-2"):
        await send(render(FAILED, key), topic.arn, empty_aws.endpoint_url)
    received = topic.receive()
    assert len(received) == 2
    assert {message.group for message in received} == {"ws-1"}


async def test_the_endpoint_may_come_from_the_environment(empty_aws, monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", empty_aws.endpoint_url)
    topic = make_topic(empty_aws)
    channel = SnsSettings(kind="sns", topic_arn=topic.arn).open("lab")
    await channel.send(render(FAILED, "key"))
    await channel.close()
    assert len(topic.receive()) == 1


async def test_a_topic_that_does_not_exist_yet_is_a_passing_refusal(empty_aws):
    found = await refusal(empty_aws.endpoint_url)
    assert not found.permanent
    assert "NotFound" in found.answer


async def test_a_message_that_sns_can_never_take_is_a_permanent_refusal(empty_aws):
    topic = make_topic(empty_aws)
    message = replace(render(FAILED, "key"), body="x" * 300_000)
    with pytest.raises(RefusedError) as error:
        await send(message, topic.arn, empty_aws.endpoint_url)
    assert error.value.refusal.permanent


async def test_nobody_listening_is_a_passing_refusal():
    found = await refusal(f"http://127.0.0.1:{free_port()}")
    assert not found.permanent
    assert "Could not connect" in found.answer


@pytest.mark.parametrize(
    "answer",
    [
        drop,
        close_mid_answer,
        status(500),
        status(503, "<html>"),
        status(200, "<html>log in first</html>"),
        status(200),
    ],
)
async def test_a_server_that_fails_is_a_passing_refusal(answer):
    async with http_server(answer) as url:
        assert not (await refusal(url)).permanent


async def test_throttling_says_when_to_come_back():
    throttled = status(
        429,
        "<ErrorResponse><Error><Code>Throttled</Code></Error></ErrorResponse>",
        "Retry-After: 9\r\nContent-Type: text/xml\r\n",
    )
    async with http_server(throttled) as url:
        assert (await refusal(url)).retry_after == timedelta(seconds=9)


async def test_a_server_that_hangs_is_given_up_in_time():
    async with http_server(hang) as url:
        begun = asyncio.get_running_loop().time()
        found = await refusal(url, seconds=0.3)
        assert asyncio.get_running_loop().time() - begun < 2
    assert not found.permanent
