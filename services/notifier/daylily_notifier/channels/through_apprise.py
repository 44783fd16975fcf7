"""The hundred other services that Apprise knows, each by its URL (https://appriseit.com/services/)."""

import time
from datetime import timedelta
from typing import Annotated, Literal

import apprise
from pydantic import AfterValidator, SecretStr

from daylily_notifier.channels.base import ChannelSettings, Delivered, refused
from daylily_notifier.channels.blocking import Blocking
from daylily_notifier.config.flow import OptionalRate, Rate
from daylily_notifier.config.values import Secret
from daylily_notifier.domain.episodes import Act
from daylily_notifier.domain.message import Message
from daylily_notifier.domain.severity import Severity

_KINDS = {
    Severity.CRITICAL: apprise.NotifyType.FAILURE,
    Severity.ERROR: apprise.NotifyType.FAILURE,
    Severity.WARNING: apprise.NotifyType.WARNING,
    Severity.INFO: apprise.NotifyType.INFO,
}
_SHOWN = 500


def _is_known(value: SecretStr) -> SecretStr:
    if apprise.Apprise.instantiate(value.get_secret_value()) is None:
        raise ValueError("Apprise knows no service of this URL, or something is missing in it")
    return value


class AppriseSettings(ChannelSettings):
    """`kind: apprise`. The URL carries credentials."""

    kind: Literal["apprise"]
    rate: OptionalRate = Rate(30, timedelta(minutes=1))
    url: Annotated[Secret, AfterValidator(_is_known)]

    def open(self, name: str) -> "AppriseChannel":
        return AppriseChannel(name, self)


class AppriseChannel:
    """Hands each message to Apprise. It says whether the service took it and not why not, so every
    refusal counts as passing.
    """

    def __init__(self, name: str, settings: AppriseSettings) -> None:
        self._url = settings.url.get_secret_value()
        self._seconds = settings.timeout.total_seconds()
        self._blocking = Blocking(name, settings.concurrency, settings.timeout)

    async def send(self, message: Message) -> Delivered:
        begun = time.monotonic()
        service = await self._blocking.run(self._notify, message)
        return Delivered(
            ref="",
            answer=f"{service} took it",
            latency=timedelta(seconds=time.monotonic() - begun),
        )

    async def check(self) -> str:
        """Apprise can try a URL by a message alone: TestChannel does."""
        return "the URL is one of Apprise's; only TestChannel shows whether the service takes it"

    async def close(self) -> None:
        await self._blocking.close()

    def _notify(self, message: Message) -> str:
        said: list[str] = []
        service = apprise.Apprise.instantiate(self._url)
        if service is None:  # it was known when the file was read
            raise refused("Apprise knows no service of this URL")
        service.socket_connect_timeout = service.socket_read_timeout = self._seconds
        sender = apprise.Apprise()
        sender.add(service)
        closes = message.thread is not None and message.thread.act is Act.CLOSE
        done = sender.notify(
            body=message.body,
            title=message.subject,
            notify_type=apprise.NotifyType.SUCCESS if closes else _KINDS[message.severity],
            body_format=apprise.NotifyFormat.TEXT.value,
            log_callback=lambda entry, _: said.append(str(entry.message)),
        )
        name = str(service.service_name)
        if not done:
            raise refused(f"{name} did not take it. {' '.join(said)[:_SHOWN]}".strip())
        return name
