"""Channels over HTTPS: one request for each message, and what the answer means."""

import asyncio
import json
import ssl
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import lru_cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx
from pydantic import field_validator

from daylily_notifier.channels.base import ChannelSettings, refused

ANSWER_BYTES = 64 * 1024
"""So much of an answer is read: a wrong server may send for ever."""
_SHOWN = 300
_LONGEST_WAIT = timedelta(days=1)
"""No channel makes a message wait longer than this, whatever its Retry-After says."""

FAULTS_OF_THE_MESSAGE = frozenset({400, 413, 414, 415, 422, 431})
"""Statuses that the same message will get again whenever it is sent. Everything else, such as a
missing page, missing credentials or a server's trouble, somebody can repair while it waits."""


class HttpSettings(ChannelSettings):
    """What every channel over HTTPS can be told."""

    ca_file: Path | None = None
    """PEM file with the authorities to trust instead of the usual ones."""

    @field_validator("ca_file")
    @classmethod
    def _has_certificates(cls, value: Path | None) -> Path | None:
        if value is not None:
            try:
                ssl.create_default_context(cafile=value)
            except (OSError, ssl.SSLError) as error:
                raise ValueError(f"{value} holds no certificates: {error}") from None
        return value


def web_address(value: str) -> str:
    """`value`, if it is an http or https URL without credentials in it.

    Raises:
        ValueError: it is not; the message does not repeat it, as it may be a secret.
    """
    try:
        parts = urlsplit(value)
        parts.port  # noqa: B018 - reading it validates it
    except ValueError:
        raise ValueError("is no URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("expected a URL that begins with https:// (or http://)")
    if parts.username or parts.password:
        raise ValueError("credentials do not belong into a URL: use a header")
    return value


@dataclass(frozen=True)
class Answer:
    """What a server said."""

    status: int
    text: str
    headers: Mapping[str, str]
    latency: timedelta

    def json(self) -> Any:
        """The answer as JSON; None if it is none."""
        try:
            return json.loads(self.text)
        except ValueError:
            return None

    @property
    def shown(self) -> str:
        """In a line, for people."""
        return f"HTTP {self.status} {' '.join(self.text.split())[:_SHOWN]}".strip()

    @property
    def retry_after(self) -> timedelta | None:
        return retry_after(self.headers.get("retry-after", ""), datetime.now(UTC))


class Http:
    """Connections of one channel. Certificates are verified and redirects are not followed: a
    message goes where the file says and nowhere else.
    """

    def __init__(self, settings: HttpSettings) -> None:
        self._seconds = settings.timeout.total_seconds()
        self._ca_file = settings.ca_file
        self._limit = settings.concurrency + 1  # one more for TestChannel
        self._client: httpx.AsyncClient | None = None

    async def post(
        self, url: str, content: bytes, headers: Mapping[str, str] | None = None
    ) -> Answer:
        """Send JSON, and give any answer of 2xx to 5xx but a redirect.

        Raises:
            RefusedError: nobody answered in time, or with what is no HTTP.
        """
        return await self._request("POST", url, content, headers or {})

    async def options(self, url: str, headers: Mapping[str, str] | None = None) -> Answer:
        """Ask whether anybody is there, as `post` does."""
        return await self._request("OPTIONS", url, b"", headers or {})

    async def close(self) -> None:
        """Let go of the connections. Safe twice."""
        if self._client is not None:
            await self._client.aclose()
            self._client = None

    async def _request(
        self, method: str, url: str, content: bytes, headers: Mapping[str, str]
    ) -> Answer:
        begun = time.monotonic()
        try:
            async with (
                asyncio.timeout(self._seconds),
                self._connected().stream(
                    method,
                    url,
                    content=content,
                    headers={"Content-Type": "application/json", **headers},
                ) as response,
            ):
                text = await _read(response)
        except TimeoutError:
            raise refused(f"no answer within {self._seconds:g} s") from None
        except (httpx.HTTPError, httpx.InvalidURL, httpx.StreamError, ssl.SSLError) as error:
            # Not the URL: it may be a secret, as Slack's is.
            raise refused(f"{type(error).__name__}: {error}".replace(url, "…")) from None
        answer = Answer(
            response.status_code,
            text,
            {name.lower(): value for name, value in response.headers.items()},
            timedelta(seconds=time.monotonic() - begun),
        )
        if response.is_redirect:
            raise refused(f"{answer.shown}: redirects are not followed; name the right URL")
        return answer

    def _connected(self) -> httpx.AsyncClient:
        if self._client is None:
            self._client = httpx.AsyncClient(
                verify=_trust(self._ca_file),
                follow_redirects=False,
                timeout=self._seconds,
                limits=httpx.Limits(max_connections=self._limit),
                headers={"User-Agent": "daylily-notifier"},
            )
        return self._client


@lru_cache(maxsize=16)
def _trust(ca_file: Path | None) -> ssl.SSLContext:
    """Read once: parsing the usual authorities takes tens of milliseconds."""
    return (
        httpx.create_ssl_context()
        if ca_file is None
        else ssl.create_default_context(cafile=ca_file)
    )


async def _read(response: httpx.Response) -> str:
    data = b""
    async for chunk in response.aiter_bytes():
        data += chunk
        if len(data) >= ANSWER_BYTES:
            break
    return data[:ANSWER_BYTES].decode(errors="replace")


def expect_success(answer: Answer) -> None:
    """Return if the answer is a 2xx.

    Raises:
        RefusedError: with what the status means for the message.
    """
    if 200 <= answer.status < 300:
        return
    raise refused(
        answer.shown,
        permanent=answer.status in FAULTS_OF_THE_MESSAGE,
        retry_after=answer.retry_after,
    )


def retry_after(value: str, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for: seconds or a date (RFC 9110, 10.2.3)."""
    value = value.strip()
    try:
        wait = timedelta(seconds=float(value))
    except (ValueError, OverflowError):
        try:
            wait = parsedate_to_datetime(value).astimezone(UTC) - now
        except (ValueError, OverflowError):
            return None
    return min(max(wait, timedelta(0)), _LONGEST_WAIT)
