"""Every channel over HTTP, against servers that fail in every way that servers fail."""

import asyncio
from datetime import timedelta

import pytest

from daylily_notifier.channels.base import RefusedError
from daylily_notifier.channels.kinds import KINDS
from daylily_notifier.domain.message import render
from tests.integration.notifier.bad_servers import (
    close_mid_answer,
    drop,
    hang,
    http_server,
    status,
)
from tests.support.places import always, place
from tests.support.ports import free_port
from tests.unit.notifier.events import FAILED

ENVIRONMENT = {"KEY": "0123456789abcdef0123456789abcdef"}
MESSAGE = render(FAILED, "key")


def opened(kind: str, url: str, **more):
    given = {
        "webhook": {"url": url},
        "slack": {"webhook_url": {"env": "URL"}},
        "pagerduty": {"routing_key": {"env": "KEY"}, "url": url},
        "linear": {"api_key": {"env": "KEY"}, "team": "LAB", "url": url},
        "apprise": {"url": {"env": "URL"}},
    }[kind]
    environment = {**ENVIRONMENT, "URL": url.replace("http", "json") if kind == "apprise" else url}
    settings = KINDS[kind].model_validate({"kind": kind, **given, **more}, context=environment)
    return settings.open("lab")


async def refusal(kind: str, url: str, **more):
    channel = opened(kind, url, **more)
    try:
        with pytest.raises(RefusedError) as error:
            await channel.send(MESSAGE)
        return error.value.refusal
    finally:
        await channel.close()


OVER_HTTP = ["webhook", "slack", "pagerduty", "linear"]
EVERY = [*OVER_HTTP, "apprise"]


@pytest.mark.parametrize("kind", EVERY)
async def test_nobody_listening_is_a_passing_refusal(kind):
    assert not (await refusal(kind, f"http://127.0.0.1:{free_port()}/x")).permanent


@pytest.mark.parametrize("answer", [drop, close_mid_answer, status(500), status(503, "<html>")])
@pytest.mark.parametrize("kind", EVERY)
async def test_a_server_that_fails_is_a_passing_refusal(kind, answer):
    if kind == "apprise" and answer is close_mid_answer:
        return  # Apprise is content with the status
    async with http_server(answer) as url:
        assert not (await refusal(kind, f"{url}/x")).permanent


@pytest.mark.parametrize("body", ["", "<html>log in first</html>", "[]", "{}", '{"data": 3}'])
@pytest.mark.parametrize("kind", ["slack", "pagerduty", "linear"])
async def test_success_in_words_that_are_not_the_services_is_a_passing_refusal(kind, body):
    async with http_server(status(200, body)) as url:
        found = await refusal(kind, url)
    assert not found.permanent
    assert "is not one of" in found.answer


@pytest.mark.parametrize("kind", OVER_HTTP)
async def test_429_says_when_to_come_back(kind):
    async with http_server(status(429, "", "Retry-After: 17\r\n")) as url:
        found = await refusal(kind, url)
    assert not found.permanent
    assert found.retry_after == timedelta(seconds=17)


@pytest.mark.parametrize("kind", OVER_HTTP)
@pytest.mark.parametrize("code", [401, 403, 404, 410])
async def test_what_somebody_can_repair_is_a_passing_refusal(kind, code):
    async with http_server(status(code)) as url:
        assert not (await refusal(kind, url)).permanent


@pytest.mark.parametrize("kind", ["webhook", "slack", "pagerduty", "linear"])
@pytest.mark.parametrize("code", [400, 413, 422])
async def test_a_message_that_is_wrong_is_a_permanent_refusal(kind, code):
    async with http_server(status(code)) as url:
        assert (await refusal(kind, url)).permanent


@pytest.mark.parametrize("kind", EVERY)
async def test_a_server_that_hangs_is_given_up_in_time(kind):
    async with http_server(hang) as url:
        begun = asyncio.get_running_loop().time()
        found = await refusal(kind, url, timeout="300ms")
        assert asyncio.get_running_loop().time() - begun < 2
    assert not found.permanent


@pytest.mark.parametrize("kind", OVER_HTTP)
async def test_a_redirect_is_not_followed(kind):
    async with place(always()) as elsewhere:
        async with http_server(status(307, "", f"Location: {elsewhere.url}\r\n")) as url:
            found = await refusal(kind, url)
        assert elsewhere.requests == []
    assert not found.permanent
    assert "redirects are not followed" in found.answer


async def test_an_endless_answer_is_read_to_a_bound_only():
    async def endless(writer):
        writer.write(b"HTTP/1.1 500 X\r\nConnection: close\r\n\r\n")
        while True:
            writer.write(b"x" * 65536)
            await writer.drain()

    async with http_server(endless) as url:
        assert len((await refusal("webhook", url)).answer) < 400


@pytest.mark.parametrize("kind", OVER_HTTP)
async def test_a_secret_address_is_not_in_what_was_refused(kind):
    url = f"http://127.0.0.1:{free_port()}/very-secret"
    assert "very-secret" not in (await refusal(kind, url)).answer
