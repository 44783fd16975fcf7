"""Slack's payloads against its documented limits, and a server that answers as Slack does."""

from dataclasses import replace

import pytest

from daylily_notifier.channels.base import RefusedError
from daylily_notifier.channels.slack import SlackSettings, payload
from daylily_notifier.domain.episodes import Act, Thread
from daylily_notifier.domain.message import render
from tests.support.places import always, place
from tests.unit.notifier.events import FAILED, SILENT

LONG = replace(
    FAILED,
    workset_id="w" * 128,
    subject_id="w" * 128,
    reason="r" * 256,
    error_details="<!channel> & " * 19,
    labels={f"label-{number}": "v" * 63 for number in range(16)},
    details={"note": "d" * 3000},
    cluster_name="c" * 64,
    customer_id="c" * 64,
    owner_id="o" * 128,
    actor="a" * 64,
)
MESSAGES = [
    render(FAILED, "k"),
    render(SILENT, "k", base_url="https://daylily.lab"),
    render(LONG, "k", base_url="https://daylily.lab"),
    replace(render(FAILED, "k"), facts=(), body="x" * 10_000),
    replace(render(FAILED, "k"), subject="s" * 500, facts=(), body=""),
]


def keeps_to_the_limits(sent) -> None:
    """https://docs.slack.dev/reference/block-kit/blocks, as far as these blocks go."""
    assert 0 < len(sent["text"]) <= 40_000
    assert 0 < len(sent["blocks"]) <= 50
    for block in sent["blocks"]:
        match block["type"]:
            case "header":
                assert block["text"]["type"] == "plain_text"
                assert 0 < len(block["text"]["text"]) <= 150
            case "section" if "fields" in block:
                assert 0 < len(block["fields"]) <= 10
                for field in block["fields"]:
                    assert field["type"] == "mrkdwn"
                    assert 0 < len(field["text"]) <= 2000
            case "section":
                assert block["text"]["type"] == "mrkdwn"
                assert 0 < len(block["text"]["text"]) <= 3000
            case "context":
                assert 0 < len(block["elements"]) <= 10
                assert all(element["type"] == "mrkdwn" for element in block["elements"])
            case other:
                pytest.fail(f"there is no block {other}")


@pytest.mark.parametrize("message", MESSAGES)
def test_blocks_keep_to_slacks_limits(message):
    keeps_to_the_limits(payload(message))


def test_nobody_can_call_the_whole_channel_through_an_error():
    assert "<!channel>" not in str(payload(MESSAGES[2]))


def test_what_is_over_is_green():
    closed = replace(MESSAGES[0], thread=Thread("k" * 32, Act.CLOSE))
    assert ":large_green_circle:" in payload(closed)["text"]


async def test_slack_takes_it():
    async with place(always(200, "ok")) as slack:
        settings = SlackSettings.model_validate(
            {"kind": "slack", "webhook_url": {"env": "URL"}}, context={"URL": slack.url}
        )
        channel = settings.open("lab")
        assert (await channel.send(MESSAGES[0])).answer == "HTTP 200 ok"
        await channel.close()
    keeps_to_the_limits(slack.requests[0].json)


@pytest.mark.parametrize(
    ("status", "body", "known"),
    [(400, "no_text", True), (403, "invalid_token", False), (404, "no_service", False)],
)
async def test_a_check_tells_a_known_webhook_from_another(status, body, known):
    async with place(always(status, body)) as slack:
        settings = SlackSettings.model_validate(
            {"kind": "slack", "webhook_url": {"env": "URL"}}, context={"URL": slack.url}
        )
        channel = settings.open("lab")
        if known:
            assert "known" in await channel.check()
        else:
            with pytest.raises(RefusedError):
                await channel.check()
        await channel.close()
