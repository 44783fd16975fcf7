"""Slack, through an incoming webhook (https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks)."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, SecretStr

from daylily_notifier.channels.base import Delivered, refused
from daylily_notifier.channels.http import Http, HttpSettings, expect_success, web_address
from daylily_notifier.config.flow import OptionalRate, Rate
from daylily_notifier.config.values import Secret
from daylily_notifier.domain.episodes import Act
from daylily_notifier.domain.message import Message
from daylily_notifier.domain.severity import Severity

# https://docs.slack.dev/reference/block-kit/blocks
_HEADER = 150
_SECTION = 3000
_FIELD = 2000
_FIELDS = 10
_FALLBACK = 3000
_LINK = 3000

_ICONS: Mapping[Severity, str] = {
    Severity.CRITICAL: ":rotating_light:",
    Severity.ERROR: ":red_circle:",
    Severity.WARNING: ":large_yellow_circle:",
    Severity.INFO: ":large_blue_circle:",
}
_LONG = frozenset({"Why", "Next", "Details", "Labels", "Page"})
"""Facts that need a line of their own; the others stand in two columns."""


def _secret_address(value: SecretStr) -> SecretStr:
    web_address(value.get_secret_value())
    return value


class SlackSettings(HttpSettings):
    """`kind: slack`. The URL is the credential: whoever has it can post."""

    kind: Literal["slack"]
    rate: OptionalRate = Rate(30, timedelta(minutes=1))
    webhook_url: Annotated[Secret, AfterValidator(_secret_address)]

    def open(self, name: str) -> "SlackChannel":
        del name
        return SlackChannel(self)


class SlackChannel:
    """Posts blocks. Slack has no key that drops repeats: a message whose answer got lost may show
    twice.
    """

    def __init__(self, settings: SlackSettings) -> None:
        self._url = settings.webhook_url.get_secret_value()
        self._http = Http(settings)

    async def send(self, message: Message) -> Delivered:
        body = json.dumps(payload(message), ensure_ascii=False).encode()
        answer = await self._http.post(self._url, body)
        expect_success(answer)
        if answer.text.strip() != "ok":
            raise refused(f"the answer is not one of Slack: {answer.shown}")
        return Delivered(ref="", answer=answer.shown, latency=answer.latency)

    async def check(self) -> str:
        """An empty message: Slack knows the webhook before it misses the text."""
        answer = await self._http.post(self._url, b"{}")
        if answer.status == 400 and answer.text.strip() in {"no_text", "invalid_payload"}:
            return "the webhook is known"
        raise refused(answer.shown)

    async def close(self) -> None:
        await self._http.close()


def payload(message: Message) -> dict[str, Any]:
    """The blocks of a message, and its text for where blocks do not show."""
    closes = message.thread is not None and message.thread.act is Act.CLOSE
    icon = ":large_green_circle:" if closes else _ICONS[message.severity]
    blocks: list[dict[str, Any]] = [
        {
            "type": "header",
            "text": {"type": "plain_text", "text": _cut(message.subject, _HEADER), "emoji": True},
        }
    ]
    short = [f"*{label}*\n{escape(text)}" for label, text in message.facts if label not in _LONG]
    fields = [{"type": "mrkdwn", "text": _cut(text, _FIELD)} for text in short]
    blocks += [
        {"type": "section", "fields": fields[start : start + _FIELDS]}
        for start in range(0, len(fields), _FIELDS)
    ]
    long = [
        f"*{label}* {escape(text)}"
        for label, text in message.facts
        if label in _LONG and label != "Page"
    ]
    words = "\n".join(long) if message.facts else escape(message.body)
    if words:
        blocks.append(
            {"type": "section", "text": {"type": "mrkdwn", "text": _cut(words, _SECTION)}}
        )
    if message.url and len(message.url) <= _LINK:
        link = f"{icon} <{escape(message.url)}|See it in Daylily>"
        blocks.append({"type": "context", "elements": [{"type": "mrkdwn", "text": link}]})
    return {"text": _cut(f"{icon} {escape(message.subject)}", _FALLBACK), "blocks": blocks}


def escape(text: str) -> str:
    """`text` with what Slack takes for markup: else `<!channel>` in a label calls everybody."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _cut(text: str, limit: int) -> str:
    return text if len(text) <= limit else f"{text[: limit - 1]}…"
