"""PagerDuty's events against the published schema, and a server that answers as PagerDuty does."""

import json
from dataclasses import replace

import jsonschema
import pytest

from daylily_notifier.channels.base import RefusedError
from daylily_notifier.channels.pagerduty import PagerDutySettings, event
from daylily_notifier.domain.episodes import Act, Thread
from daylily_notifier.domain.message import render
from tests.integration.notifier.channels.test_slack import MESSAGES
from tests.support.places import Reply, always, place
from tests.unit.notifier.events import FAILED

KEY = "0123456789abcdef0123456789abcdef"
EPISODE = "e" * 32
TEXT = {"type": "string"}
# After https://developer.pagerduty.com/docs/events-api-v2/trigger-events/
SCHEMA = {
    "type": "object",
    "required": ["routing_key", "event_action"],
    "additionalProperties": False,
    "properties": {
        "routing_key": {"type": "string", "minLength": 32, "maxLength": 32},
        "event_action": {"enum": ["trigger", "acknowledge", "resolve"]},
        "dedup_key": {"type": "string", "maxLength": 255},
        "client": TEXT,
        "client_url": {"type": "string", "pattern": "^https?://"},
        "links": {
            "type": "array",
            "items": {"type": "object", "required": ["href"], "properties": {"href": TEXT}},
        },
        "payload": {
            "type": "object",
            "required": ["summary", "source", "severity"],
            "additionalProperties": False,
            "properties": {
                "summary": {"type": "string", "minLength": 1, "maxLength": 1024},
                "source": {"type": "string", "minLength": 1},
                "severity": {"enum": ["critical", "error", "warning", "info"]},
                "timestamp": {
                    "type": "string",
                    "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+00:00$",
                },
                "component": TEXT,
                "group": TEXT,
                "class": TEXT,
                "custom_details": {"type": "object"},
            },
        },
    },
    "allOf": [
        {
            "if": {"properties": {"event_action": {"const": "trigger"}}},
            "then": {"required": ["payload"]},
            "else": {"required": ["dedup_key"]},
        }
    ],
}
TAKEN = json.dumps({"status": "success", "message": "Event processed", "dedup_key": EPISODE})


def opened(url: str):
    return PagerDutySettings.model_validate(
        {"kind": "pagerduty", "routing_key": {"env": "KEY"}, "url": url}, context={"KEY": KEY}
    ).open("on-call")


@pytest.mark.parametrize("message", MESSAGES)
@pytest.mark.parametrize("act", [None, *Act])
def test_every_event_is_one_of_pagerdutys(message, act):
    thread = None if act is None else Thread(EPISODE, act)
    sent = {"routing_key": KEY, **event(replace(message, thread=thread), "daylily")}
    jsonschema.validate(sent, SCHEMA)
    assert len(json.dumps(sent)) < 512 * 1024


async def test_one_incident_is_triggered_acknowledged_and_resolved():
    async with place(always(202, TAKEN)) as pagerduty:
        channel = opened(pagerduty.url)
        for act in (Act.OPEN, Act.ACKNOWLEDGE, Act.AGAIN, Act.CLOSE):
            message = replace(render(FAILED, act.value), thread=Thread(EPISODE, act))
            assert (await channel.send(message)).ref == EPISODE
        await channel.close()
    sent = [request.json for request in pagerduty.requests]
    assert [each["event_action"] for each in sent] == [
        "trigger",
        "acknowledge",
        "trigger",
        "resolve",
    ]
    assert {each["dedup_key"] for each in sent} == {EPISODE}


async def test_a_wrong_routing_key_waits_for_the_right_one():
    body = {"status": "invalid event", "errors": ["Length of 'routing_key' is incorrect"]}
    async with place(always(400, json.dumps(body))) as pagerduty:
        channel = opened(pagerduty.url)
        with pytest.raises(RefusedError) as error:
            await channel.send(render(FAILED, "k"))
        with pytest.raises(RefusedError):
            await channel.check()
        await channel.close()
    assert not error.value.refusal.permanent


async def test_a_check_opens_no_incident():
    async with place(lambda _: Reply(202, TAKEN)) as pagerduty:
        channel = opened(pagerduty.url)
        await channel.check()
        await channel.close()
    assert [request.json["event_action"] for request in pagerduty.requests] == ["resolve"]
