"""Every call of NotifierService, with good and with bad input."""

import asyncio
from datetime import timedelta

import pytest
from daylily.workset.v1 import delivery_pb2, event_pb2, workset_pb2

from daylily_client import (
    Aborted,
    InvalidCursor,
    InvalidField,
    NotFound,
    RequestIdReused,
    struct,
)
from tests.integration.notifier.bad_servers import http_server, status
from tests.integration.notifier.deployment import (
    all_finished,
    arrived,
    one_channel,
    tell,
    until,
)
from tests.integration.notifier.gate import gate
from tests.support.grpcurl import grpcurl, run_grpcurl

DELIVERED = delivery_pb2.DELIVERY_STATE_DELIVERED
PENDING = delivery_pb2.DELIVERY_STATE_PENDING
SERVICE = "daylily.notifier.v1.NotifierService"


@pytest.fixture
async def notifier(lab, topic):
    async with lab.running(one_channel(topic)) as client:
        yield client


# --- Notify ---


async def test_a_message_from_outside_is_delivered_like_any_event(notifier, topic):
    answer = await notifier.notify(
        subject=event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_CLUSTER, id="c1"),
        message="the file system is nearly full",
        priority=workset_pb2.PRIORITY_URGENT,
        customer_id="acme",
        cluster_name="c1",
        labels={"team": "wgs"},
        details=struct({"free_gb": 12}),
    )
    (received,) = await arrived(topic, 1)
    assert received.subject == "URGENT: the file system is nearly full"
    assert received.attributes["event_id"] == answer.event_id
    assert received.attributes["cluster"] == "c1"
    assert "free_gb=12" in received.body
    assert "team=wgs" in received.body
    assert "By:        tester" in received.body


async def test_a_message_needs_no_subject(notifier, topic):
    await notifier.notify(message="hello")
    assert [received.subject for received in await arrived(topic, 1)] == ["hello"]


async def test_a_message_that_is_sent_again_counts_once(notifier, state, topic):
    first = await notifier.notify(message="once", request_id="r-1")
    again = await notifier.notify(message="once", request_id="r-1")
    assert first.event_id == again.event_id
    await arrived(topic, 1)
    await all_finished(state)
    assert not topic.receive()


async def test_a_request_id_for_another_message_is_refused(notifier):
    await notifier.notify(message="one", request_id="r-1")
    with pytest.raises(RequestIdReused):
        await notifier.notify(message="another", request_id="r-1")


@pytest.mark.parametrize("message", ["", "  ", "x" * 257])
async def test_a_message_that_says_nothing_or_too_much_is_refused(notifier, message):
    with pytest.raises(InvalidField) as error:
        await notifier.notify(message=message)
    assert [violation.field for violation in error.value.violations] == ["message"]


# --- ListChannels, PauseChannel, ResumeChannel ---


async def test_a_channel_says_how_it_fares(lab, state, topic):
    async with (
        gate(topic.aws.endpoint_url) as way,
        lab.running(one_channel(topic, way.url)) as notifier,
    ):
        (before,) = (await notifier.list_channels()).channels
        assert (before.channel, before.kind) == ("lab", "sns")
        assert not before.failing
        assert not before.HasField("last_delivered_at")
        await tell(state, "one")

        async def fails():
            return (await notifier.list_channels()).channels[0].failing

        await until(fails)
        (failing,) = (await notifier.list_channels()).channels
        assert failing.pending == 1
        assert "Could not connect" in failing.last_error
        await way.open()
        await arrived(topic, 1)
        await all_finished(state)
        (after,) = (await notifier.list_channels()).channels
        assert not after.failing
        assert after.pending == 0
        assert after.HasField("last_delivered_at")


async def test_a_paused_channel_holds_back_until_it_is_resumed(notifier, state, topic):
    paused = await notifier.pause_channel(channel="lab", reason="maintenance")
    assert paused.channel.paused
    for number in range(3):
        await tell(state, f"message {number}")

    async def all_wait():
        return (await notifier.list_channels()).channels[0].pending == 3

    await until(all_wait)
    assert not topic.receive()
    resumed = await notifier.resume_channel(channel="lab")
    assert not resumed.channel.paused
    assert len(await arrived(topic, 3)) == 3


async def test_a_pause_outlives_a_restart_and_reaches_other_replicas(lab, state, topic):
    config = one_channel(topic)
    async with lab.running(config, owner_id="n1") as first:
        await first.pause_channel(channel="lab", reason="maintenance")
    async with (
        lab.running(config, owner_id="n2") as second,
        lab.running(config, owner_id="n3") as third,
    ):
        await tell(state, "held back")
        assert (await second.list_channels()).channels[0].paused
        await lab.clock.sleep(15)
        assert not topic.receive()
        await third.resume_channel(channel="lab")
        assert len(await arrived(topic, 1)) == 1


@pytest.mark.parametrize("call", ["pause_channel", "resume_channel", "test_channel"])
async def test_a_channel_that_is_not_configured_is_not_found(notifier, call):
    with pytest.raises(NotFound) as error:
        await getattr(notifier, call)(channel="fax")
    assert error.value.reason == "CHANNEL_NOT_FOUND"
    assert error.value.metadata == {"channel": "fax"}


# --- TestChannel ---


async def test_a_test_message_is_sent_and_marked(notifier, state, topic):
    answer = await notifier.test_channel(channel="lab")
    assert answer.delivered
    assert answer.answer.startswith("MessageId ")
    assert answer.latency.ToTimedelta() > timedelta(0)
    (received,) = topic.receive()
    assert received.subject == "TEST: Channel lab reaches you"
    assert received.attributes["test"] == "true"
    assert not (await state.list_deliveries()).deliveries


async def test_a_test_of_a_channel_that_fails_says_why(lab, topic):
    async with http_server(status(503)) as url, lab.running(one_channel(topic, url)) as notifier:
        answer = await notifier.test_channel(channel="lab")
    assert not answer.delivered
    assert "503" in answer.answer


# --- ListDeliveries, Redeliver ---


async def test_deliveries_are_listed_newest_first_and_in_pages(notifier, state):
    told = [f"message {number}" for number in range(5)]
    for message in told:
        await tell(state, message)

    async def all_delivered():
        listed = await notifier.list_deliveries(channel="lab", states=[DELIVERED])
        return len(listed.deliveries) == 5

    await until(all_delivered)
    seen, token = [], ""
    while True:
        page = await notifier.list_deliveries(page_size=2, page_token=token)
        seen += page.deliveries
        token = page.next_page_token
        if not token:
            break
    assert sorted(delivery.event.reason for delivery in seen) == told
    recorded = [delivery.created_at.ToNanoseconds() for delivery in seen]
    assert recorded == sorted(recorded, reverse=True)


async def test_a_delivery_shows_how_it_went(notifier, state):
    event_id = await tell(state, "hello")

    async def delivered():
        return bool((await notifier.list_deliveries(states=[DELIVERED])).deliveries)

    await until(delivered)
    (delivery,) = (await notifier.list_deliveries()).deliveries
    assert delivery.event.event_id == event_id
    assert delivery.channel == "lab"
    assert delivery.attempts == 1
    assert delivery.external_ref in delivery.answer
    assert delivery.latency.ToTimedelta() > timedelta(0)
    assert delivery.dedup_key == delivery.delivery_id


async def test_a_page_token_of_another_making_is_refused(notifier):
    with pytest.raises(InvalidCursor):
        await notifier.list_deliveries(page_token="no token")


async def test_what_was_delivered_can_be_sent_again(notifier, state, topic):
    await tell(state, "hello")
    await arrived(topic, 1)
    await all_finished(state)
    (delivery,) = (await state.list_deliveries()).deliveries
    answer = await notifier.redeliver(delivery_id=delivery.delivery_id)
    assert answer.delivery.state == PENDING
    assert [message.subject for message in await arrived(topic, 1)] == ["hello"]


async def test_what_is_on_its_way_cannot_be_sent_again(notifier, state, topic):
    await notifier.pause_channel(channel="lab")
    await tell(state, "hello")

    async def recorded():
        return bool((await state.list_deliveries()).deliveries)

    await until(recorded)
    (delivery,) = (await state.list_deliveries()).deliveries
    with pytest.raises(Aborted, match="tried again by itself"):
        await notifier.redeliver(delivery_id=delivery.delivery_id)


async def test_a_delivery_that_does_not_exist_is_not_found(notifier):
    with pytest.raises(NotFound) as error:
        await notifier.redeliver(delivery_id="0123")
    assert error.value.reason == "DELIVERY_NOT_FOUND"
    with pytest.raises(InvalidField):
        await notifier.redeliver(delivery_id="")


# --- without state ---


async def test_without_state_calls_say_so(lab, topic):
    server = lab.notifier(one_channel(topic))
    await server.start()
    try:
        await server.wait_serving()
        await lab.stop_state()
        while server.serving:  # noqa: ASYNC110 - health is asked from outside
            await asyncio.sleep(0.01)
        answer = await grpcurl(server.address, f"{SERVICE}/Notify", {"message": "hello"})
        assert answer.exit_code == 64 + 14
        assert "STATE_UNAVAILABLE" in answer.stderr
        # What needs no state works on.
        answer = await grpcurl(server.address, f"{SERVICE}/TestChannel", {"channel": "lab"})
        assert answer.message["delivered"]
    finally:
        await server.stop()


# --- grpcurl ---


async def test_grpcurl_finds_and_calls_the_service(lab, state, topic):
    server = lab.notifier(one_channel(topic))
    await server.start()
    try:
        await server.wait_serving()
        listed = await run_grpcurl("-plaintext", server.address, "list")
        assert SERVICE in listed.stdout
        told = await grpcurl(server.address, f"{SERVICE}/Notify", {"message": "by hand"})
        assert told.message["event_id"]
        (received,) = await arrived(topic, 1)
        assert received.subject == "by hand"
        channels = await grpcurl(server.address, f"{SERVICE}/ListChannels")
        assert channels.message["channels"][0]["channel"] == "lab"
        wrong = await grpcurl(server.address, f"{SERVICE}/TestChannel", {"channel": "fax"})
        assert wrong.exit_code == 64 + 5
        assert "CHANNEL_NOT_FOUND" in wrong.stderr
    finally:
        await server.stop()
