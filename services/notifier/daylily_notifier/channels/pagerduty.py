"""PagerDuty, through Events API v2 (https://developer.pagerduty.com/docs/events-api-v2/overview/)."""

import json
import re
from collections.abc import Mapping
from datetime import UTC
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AfterValidator, SecretStr

from daylily_notifier.channels.base import Delivered, refused
from daylily_notifier.channels.http import Http, HttpSettings, expect_success, web_address
from daylily_notifier.config.values import Secret, Text
from daylily_notifier.domain.episodes import Act
from daylily_notifier.domain.message import Message

_SUMMARY = 1024
_KEY = re.compile(r"[A-Za-z0-9]{32}")

_ACTIONS: Mapping[Act, str] = {
    Act.OPEN: "trigger",
    Act.AGAIN: "trigger",
    Act.ACKNOWLEDGE: "acknowledge",
    Act.CLOSE: "resolve",
}


def _is_routing_key(value: SecretStr) -> SecretStr:
    if not _KEY.fullmatch(value.get_secret_value()):
        raise ValueError("a routing key has 32 letters and digits")
    return value


class PagerDutySettings(HttpSettings):
    """`kind: pagerduty`. The routing key is the integration key of a service of yours."""

    tracks: ClassVar[bool] = True

    kind: Literal["pagerduty"]
    routing_key: Annotated[Secret, AfterValidator(_is_routing_key)]
    url: Annotated[Text, AfterValidator(web_address)] = "https://events.pagerduty.com/v2/enqueue"
    source: Text = "daylily"
    """What incidents say they come from."""

    def open(self, name: str) -> "PagerDutyChannel":
        del name
        return PagerDutyChannel(self)


class PagerDutyChannel:
    """Triggers, acknowledges and resolves one incident for each episode: its key makes repeats
    harmless.
    """

    def __init__(self, settings: PagerDutySettings) -> None:
        self._key = settings.routing_key.get_secret_value()
        self._url = settings.url
        self._source = settings.source
        self._http = Http(settings)

    async def send(self, message: Message) -> Delivered:
        body = {"routing_key": self._key, **event(message, self._source)}
        answer = await self._http.post(self._url, json.dumps(body).encode())
        data = answer.json()
        said = data if isinstance(data, dict) else {}
        if answer.status == 400 and "routing_key" in str(said.get("errors")):
            # The file's fault and not the message's: it waits for the right key.
            raise refused(answer.shown)
        expect_success(answer)
        if said.get("status") != "success":
            raise refused(f"the answer is not one of PagerDuty: {answer.shown}")
        return Delivered(
            ref=str(said.get("dedup_key") or body["dedup_key"]),
            answer=answer.shown,
            latency=answer.latency,
        )

    async def check(self) -> str:
        """Resolve an incident that never was: PagerDuty checks the key and tells nobody."""
        body = {
            "routing_key": self._key,
            "event_action": "resolve",
            "dedup_key": "daylily-check",
        }
        answer = await self._http.post(self._url, json.dumps(body).encode())
        expect_success(answer)
        return "the routing key is taken"

    async def close(self) -> None:
        await self._http.close()


def event(message: Message, source: str) -> dict[str, Any]:
    """A message as an event of PagerDuty, without the routing key."""
    thread = message.thread
    action = "trigger" if thread is None else _ACTIONS[thread.act]
    found: dict[str, Any] = {
        "event_action": action,
        "dedup_key": message.dedup_key if thread is None else thread.key,
    }
    if action != "trigger":
        return found
    found["payload"] = {
        "summary": _cut(message.subject),
        "source": source,
        "severity": message.severity.value,
        "timestamp": message.occurred_at.astimezone(UTC).isoformat(timespec="milliseconds"),
        "component": message.attributes.get("workset_id") or message.ordering_key,
        "group": message.attributes.get("cluster", ""),
        "class": message.attributes.get("event_type", ""),
        "custom_details": dict(message.facts) or {"text": message.body},
    }
    found["client"] = "Daylily"
    if message.url:
        found["client_url"] = message.url
        found["links"] = [{"href": message.url, "text": "See it in Daylily"}]
    return found


def _cut(text: str) -> str:
    return text if len(text) <= _SUMMARY else f"{text[: _SUMMARY - 1]}…"
