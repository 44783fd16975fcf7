"""The webhook against a server that checks what it gets as a receiver would."""

import hashlib
import hmac
import ssl
from dataclasses import replace

import pytest

from daylily_notifier.channels.base import RefusedError
from daylily_notifier.channels.webhook import WebhookSettings
from daylily_notifier.domain.episodes import Act, Thread
from daylily_notifier.domain.message import render
from tests.support.certificates import make
from tests.support.places import Reply, always, place
from tests.unit.notifier.events import FAILED

MESSAGE = render(FAILED, "key-1", base_url="https://daylily.lab")


def settings(url, **more):
    environment = {"SECRET": "hush", "TOKEN": "Bearer t"}
    return WebhookSettings.model_validate(
        {"kind": "webhook", "url": url, **more}, context=environment
    )


async def sent(channel_settings, message=MESSAGE):
    channel = channel_settings.open("lab")
    try:
        return await channel.send(message)
    finally:
        await channel.close()


async def test_a_receiver_gets_what_happened_as_json():
    thread = Thread("0" * 32, Act.OPEN)
    async with place(always(204)) as receiver:
        await sent(settings(receiver.url), replace(MESSAGE, thread=thread))
    (request,) = receiver.requests
    assert request.method == "POST"
    assert request.headers["content-type"] == "application/json"
    assert request.headers["idempotency-key"] == "key-1"
    document = request.json
    assert document["id"] == "key-1"
    assert document["subject"] == "Workset ws-1 failed"
    assert document["severity"] == "error"
    assert document["occurred_at"] == "2026-03-01T12:00:00Z"
    assert document["url"] == "https://daylily.lab/worksets/ws-1"
    assert document["attributes"]["event_type"] == "FAILED"
    assert document["facts"]["Why"] == "DATA"
    assert document["episode"] == {"id": "0" * 32, "act": "open"}


async def test_a_receiver_can_check_who_sent_it_and_when():
    async with place(always()) as receiver:
        await sent(settings(receiver.url, secret={"env": "SECRET"}))
    (request,) = receiver.requests
    moment, signed = (
        part.split("=")[1] for part in request.headers["daylily-signature"].split(",")
    )
    expected = hmac.new(b"hush", moment.encode() + b"." + request.body, hashlib.sha256).hexdigest()
    assert hmac.compare_digest(signed, expected)


async def test_headers_of_ones_own_are_sent_with_every_request():
    given = {
        "headers": {"X-Lab": "seven"},
        "secret_headers": {"Authorization": {"env": "TOKEN"}},
    }
    async with place(always()) as receiver:
        await sent(settings(receiver.url, **given))
    assert receiver.requests[0].headers["x-lab"] == "seven"
    assert receiver.requests[0].headers["authorization"] == "Bearer t"


async def test_a_message_whose_answer_got_lost_comes_again_with_its_key():
    answers = [Reply(drop=True), Reply(200)]
    async with place(lambda _: answers.pop(0)) as receiver:
        channel = settings(receiver.url).open("lab")
        with pytest.raises(RefusedError):
            await channel.send(MESSAGE)
        await channel.send(MESSAGE)
        await channel.close()
    assert [request.headers["idempotency-key"] for request in receiver.requests] == ["key-1"] * 2


async def test_a_certificate_that_nobody_vouches_for_is_refused(tmp_path):
    authority = make("authority")
    cert, key = make("receiver", authority).write(tmp_path, "receiver")
    ca_file, _ = authority.write(tmp_path, "authority")
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trust.load_cert_chain(cert, key)
    async with place(always(), trust) as receiver:
        with pytest.raises(RefusedError, match="CERTIFICATE_VERIFY_FAILED"):
            await sent(settings(receiver.url))
        assert receiver.requests == []
        await sent(settings(receiver.url, ca_file=str(ca_file)))
        assert len(receiver.requests) == 1


async def test_a_check_finds_out_whether_somebody_is_there():
    async with place(always(405)) as receiver:
        channel = settings(receiver.url).open("lab")
        assert "405" in await channel.check()
        await channel.close()
    assert receiver.requests[0].method == "OPTIONS"
