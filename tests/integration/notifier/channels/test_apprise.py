"""Apprise, by one of the services that it knows."""

import pytest

from daylily_notifier.channels.base import RefusedError
from daylily_notifier.channels.through_apprise import AppriseSettings
from daylily_notifier.domain.message import render
from tests.support.places import always, place
from tests.unit.notifier.events import FAILED


def settings(url: str):
    return AppriseSettings.model_validate(
        {"kind": "apprise", "url": {"env": "URL"}}, context={"URL": url}
    )


async def test_a_service_of_apprises_gets_the_message():
    async with place(always(200)) as service:
        channel = settings(service.url.replace("http", "json") + "/x").open("lab")
        delivered = await channel.send(render(FAILED, "k"))
        await channel.close()
    sent = service.requests[0].json
    assert sent["title"] == "Workset ws-1 failed"
    assert "What:" in sent["message"]
    assert sent["type"] == "failure"
    assert delivered.answer == "JSON took it"


async def test_a_refusal_says_what_apprise_heard():
    async with place(always(500)) as service:
        channel = settings(service.url.replace("http", "json")).open("lab")
        with pytest.raises(RefusedError, match="JSON did not take it"):
            await channel.send(render(FAILED, "k"))
        await channel.close()


def test_a_url_that_apprise_does_not_know_is_refused():
    with pytest.raises(ValueError, match="Apprise knows no service"):
        settings("nonsense://x")
