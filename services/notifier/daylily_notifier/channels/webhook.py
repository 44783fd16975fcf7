"""A webhook of one's own: signed JSON, sent to a URL."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable
from datetime import UTC
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, field_validator

from daylily_notifier.channels.base import Delivered
from daylily_notifier.channels.http import Answer, Http, HttpSettings, expect_success, web_address
from daylily_notifier.config.values import Secret, Text
from daylily_notifier.domain.message import Message

_OURS = frozenset(
    {"content-type", "content-length", "host", "daylily-signature", "idempotency-key"}
)
_TOKEN = frozenset("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyz")


class WebhookSettings(HttpSettings):
    """`kind: webhook`."""

    kind: Literal["webhook"]
    url: Annotated[Text, AfterValidator(web_address)]
    secret: Secret | None = None
    """Signs every request; see `signature`."""
    headers: dict[str, Text] = Field(default_factory=dict)
    """Sent with every request."""
    secret_headers: dict[str, Secret] = Field(default_factory=dict)
    """The same, such as Authorization; from the environment or a file."""

    @field_validator("headers", "secret_headers")
    @classmethod
    def _names_of_headers(cls, value: dict[str, Any]) -> dict[str, Any]:
        for name, content in value.items():
            if not name or not set(name.lower()) <= _TOKEN:
                raise ValueError(f"{name!r} is no name of a header")
            if name.lower() in _OURS:
                raise ValueError(f"{name} is set by the notifier itself")
            text = content if isinstance(content, str) else content.get_secret_value()
            if not text.isprintable() or not text.isascii():
                raise ValueError(f"the value of {name} is not one line of ASCII")
        return value

    def open(self, name: str) -> "WebhookChannel":
        del name
        return WebhookChannel(self)


class WebhookChannel:
    """Posts each message as JSON.

    `Idempotency-Key` is the same when a message is sent again, so a receiver that keeps the keys
    it saw shows each message once.
    """

    def __init__(self, settings: WebhookSettings, now: Callable[[], float] = time.time) -> None:
        self._url = settings.url
        self._secret = settings.secret
        self._headers = {
            **settings.headers,
            **{name: value.get_secret_value() for name, value in settings.secret_headers.items()},
        }
        self._http = Http(settings)
        self._now = now

    async def send(self, message: Message) -> Delivered:
        body = json.dumps(document(message), ensure_ascii=False).encode()
        answer = await self._http.post(self._url, body, self._with(message.dedup_key, body))
        expect_success(answer)
        return Delivered(ref="", answer=answer.shown, latency=answer.latency)

    async def check(self) -> str:
        answer: Answer = await self._http.options(self._url, self._headers)
        return f"somebody answers: HTTP {answer.status}"

    async def close(self) -> None:
        await self._http.close()

    def _with(self, key: str, body: bytes) -> dict[str, str]:
        headers = {**self._headers, "Idempotency-Key": key}
        if self._secret is not None:
            moment = int(self._now())
            signed = signature(self._secret.get_secret_value(), moment, body)
            headers["Daylily-Signature"] = f"t={moment},v1={signed}"
        return headers


def signature(secret: str, moment: int, body: bytes) -> str:
    """What a receiver computes to know that the body is ours: HMAC-SHA256 of `t.body` in hex.

    It compares in constant time, and refuses a `t` that is minutes old, so that nobody plays a
    request back. A message that is sent again is signed anew.

    Args:
        secret: what both sides know.
        moment: `t` of the Daylily-Signature header, in seconds since 1970.
        body: as it came, not parsed and written again.
    """
    return hmac.new(secret.encode(), f"{moment}.".encode() + body, hashlib.sha256).hexdigest()


def document(message: Message) -> dict[str, Any]:
    """A message as JSON. Fields are only ever added."""
    thread = message.thread
    return {
        "id": message.dedup_key,
        "subject": message.subject,
        "text": message.body,
        "severity": message.severity.value,
        "occurred_at": message.occurred_at.astimezone(UTC).isoformat().replace("+00:00", "Z"),
        "url": message.url,
        "attributes": dict(message.attributes),
        "facts": dict(message.facts),
        "episode": None if thread is None else {"id": thread.key, "act": thread.act.value},
    }
