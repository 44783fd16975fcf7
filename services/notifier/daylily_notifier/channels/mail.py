"""E-mail over SMTP."""

import hashlib
import smtplib
import ssl
import time
from collections.abc import Sequence
from datetime import timedelta
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from daylily_notifier.channels.base import ChannelSettings, Delivered, RefusedError, refused
from daylily_notifier.channels.blocking import Blocking
from daylily_notifier.config.flow import OptionalRate, Rate
from daylily_notifier.config.values import Duration, Secret, Text
from daylily_notifier.domain.message import Message

_FAULTS_OF_THE_MESSAGE = frozenset({552, 554})
"""Too large, or refused for what it says (RFC 5321, 4.2.3). Everything else, such as a mailbox or
credentials that are not there, somebody can repair while the message waits."""
_SUBJECT = 200


def _is_address(value: str) -> str:
    try:
        Address(addr_spec=value)
    except (ValueError, IndexError) as error:
        raise ValueError(f"{value!r} is no address") from error
    if "@" not in value or not value.isascii() or not value.isprintable():
        raise ValueError(f"{value!r} is no address")
    return value


def _as_list(value: Any) -> Any:
    return value if isinstance(value, list) else [value]


_Address = Annotated[Text, AfterValidator(_is_address)]


class MailSettings(ChannelSettings):
    """`kind: email`."""

    kind: Literal["email"]
    rate: OptionalRate = Rate(30, timedelta(minutes=1))
    host: Text
    port: int = Field(default=587, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Text = ""
    password: Secret | None = None
    sender: _Address
    to: Annotated[list[_Address], BeforeValidator(_as_list), Field(min_length=1)]
    ca_file: Path | None = None
    concurrency: int = Field(default=2, ge=1, le=100)
    timeout: Duration = timedelta(seconds=20)

    @model_validator(mode="after")
    def _credentials_are_whole_and_hidden(self) -> Self:
        if bool(self.username) != (self.password is not None):
            raise ValueError("username and password need each other")
        if self.username and self.security == "none":
            raise ValueError("a password goes over TLS only: security is starttls or tls")
        return self

    def open(self, name: str) -> "MailChannel":
        return MailChannel(name, self)


class MailChannel:
    """One connection for each message. Its Message-ID follows from the deduplication key, so mail
    systems that drop repeats show it once; messages of one episode make one conversation.
    """

    def __init__(self, name: str, settings: MailSettings) -> None:
        self._settings = settings
        self._blocking = Blocking(name, settings.concurrency, settings.timeout)

    async def send(self, message: Message) -> Delivered:
        begun = time.monotonic()
        mail = compose(message, self._settings.sender, self._settings.to)
        answer = await self._blocking.run(self._send, mail)
        return Delivered(
            ref=str(mail["Message-ID"]),
            answer=answer,
            latency=timedelta(seconds=time.monotonic() - begun),
        )

    async def check(self) -> str:
        return await self._blocking.run(self._look)

    async def close(self) -> None:
        await self._blocking.close()

    def _look(self) -> str:
        try:
            with self._connect() as server:
                server.noop()
        except (smtplib.SMTPException, OSError) as error:
            raise _refusal(error) from error
        return f"{self._settings.host} lets us in"

    def _send(self, mail: EmailMessage) -> str:
        """Send, and say who did not get it."""
        server = None
        try:
            server = self._connect()
            missed = server.send_message(mail, self._settings.sender, self._settings.to)
        except (smtplib.SMTPException, OSError) as error:
            raise _refusal(error) from error
        finally:
            if server is not None:
                _leave(server)
        if not missed:
            return "250 taken"
        names = ", ".join(f"{name} ({code})" for name, (code, _) in missed.items())
        return f"250 taken, but not for {names}"

    def _connect(self) -> smtplib.SMTP:
        given = self._settings
        seconds = given.timeout.total_seconds()
        trust = ssl.create_default_context(cafile=given.ca_file)
        if given.security == "tls":
            server: smtplib.SMTP = smtplib.SMTP_SSL(
                given.host, given.port, timeout=seconds, context=trust
            )
        else:
            server = smtplib.SMTP(given.host, given.port, timeout=seconds)
        try:
            if given.security == "starttls":
                server.starttls(context=trust)
            if given.password is not None:
                server.login(given.username, given.password.get_secret_value())
        except BaseException:
            server.close()
            raise
        return server


def _leave(server: smtplib.SMTP) -> None:
    """Say goodbye. The message is with the server by now, or it is not: no answer changes that."""
    try:
        server.quit()
    except (smtplib.SMTPException, OSError):
        server.close()


def compose(message: Message, sender: str, to: Sequence[str]) -> EmailMessage:
    """The mail of a message."""
    mail = EmailMessage(policy=SMTP)
    subject = " ".join("".join(c if c.isprintable() else " " for c in message.subject).split())
    mail["Subject"] = subject[:_SUBJECT]
    mail["From"] = sender
    mail["To"] = ", ".join(to)
    mail["Date"] = format_datetime(message.occurred_at)
    domain = sender.rpartition("@")[2]
    mail["Message-ID"] = f"<{_digest(message.dedup_key)}@{domain}>"
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: no absence notes, please
    mail["X-Daylily-Event"] = message.attributes.get("event_type", "NONE")
    if message.thread is not None:
        root = f"<episode-{message.thread.key}@{domain}>"
        mail["References"] = root
        mail["In-Reply-To"] = root
    mail.set_content(message.body)
    return mail


def _digest(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()[:32]


def _refusal(error: Exception) -> RefusedError:
    if isinstance(error, smtplib.SMTPDataError):
        return refused(_said(error), permanent=error.smtp_code in _FAULTS_OF_THE_MESSAGE)
    if isinstance(error, smtplib.SMTPResponseException):
        return refused(_said(error))
    return refused(f"{type(error).__name__}: {error}")


def _said(error: smtplib.SMTPResponseException) -> str:
    text = error.smtp_error
    words = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"{error.smtp_code} {words}"
