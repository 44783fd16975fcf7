"""E-mail against a real SMTP server, also one that fails."""

import asyncio
import ssl
from contextlib import asynccontextmanager
from dataclasses import replace
from email import message_from_bytes, policy

import pytest
from aiosmtpd.smtp import SMTP, AuthResult

from daylily_notifier.channels.base import RefusedError
from daylily_notifier.channels.mail import MailSettings, compose
from daylily_notifier.domain.episodes import Act, Thread
from daylily_notifier.domain.message import render
from tests.integration.notifier.channels.test_slack import MESSAGES
from tests.support.certificates import make
from tests.support.ports import free_port
from tests.unit.notifier.events import FAILED

MESSAGE = render(FAILED, "key-1")


class Mailbox:
    """Keeps mails, and answers as told."""

    def __init__(self, answer: str = "250 OK") -> None:
        self.answer = answer
        self.refused: set[str] = set()
        self.mails = []

    async def handle_RCPT(self, server, session, envelope, address, options):
        if address in self.refused:
            return "550 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        self.mails.append(message_from_bytes(envelope.content, policy=policy.default))
        if self.answer == "drop":
            server.transport.abort()
        return self.answer


@asynccontextmanager
async def server(box: Mailbox, **options):
    loop = asyncio.get_running_loop()
    trust = options.pop("ssl_context", None)
    serving = await loop.create_server(
        lambda: SMTP(box, loop=loop, **options), "127.0.0.1", 0, ssl=trust
    )
    port = serving.sockets[0].getsockname()[1]
    try:
        yield port
    finally:
        serving.close()
        await asyncio.sleep(0)


def settings(port: int, **more):
    given = {
        "kind": "email",
        "host": "localhost",
        "port": port,
        "security": "none",
        "sender": "daylily@lab.org",
        "to": ["on-call@lab.org"],
        "timeout": "5s",
        **more,
    }
    return MailSettings.model_validate(given, context={"PASSWORD": "hush"})


async def send(port: int, message=MESSAGE, **more):
    channel = settings(port, **more).open("lab")
    try:
        return await channel.send(message)
    finally:
        await channel.close()


async def refusal(port: int, **more):
    with pytest.raises(RefusedError) as error:
        await send(port, **more)
    return error.value.refusal


async def test_a_mail_says_what_happened():
    box = Mailbox()
    async with server(box) as port:
        delivered = await send(port)
    (mail,) = box.mails
    assert mail["Subject"] == "Workset ws-1 failed"
    assert mail["To"] == "on-call@lab.org"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail.get_content().replace("\r\n", "\n") == MESSAGE.body
    assert mail["Message-ID"] == delivered.ref


async def test_a_mail_that_is_sent_again_is_the_same_mail():
    box = Mailbox()
    async with server(box) as port:
        for _ in range(2):
            await send(port)
        await send(port, render(FAILED, "key-2"))
    first, again, other = (mail["Message-ID"] for mail in box.mails)
    assert first == again != other


async def test_mails_of_one_episode_make_a_conversation():
    opened = replace(MESSAGE, thread=Thread("e" * 32, Act.OPEN))
    closed = replace(render(FAILED, "key-2"), thread=Thread("e" * 32, Act.CLOSE))
    first, second = (compose(m, "a@lab.org", ["b@lab.org"]) for m in (opened, closed))
    assert first["References"] == second["References"]


@pytest.mark.parametrize("message", MESSAGES)
def test_no_text_breaks_a_mail(message):
    hostile = replace(message, subject=f"{message.subject}\r\nBcc: all@lab.org ẞ")
    mail = message_from_bytes(
        compose(hostile, "a@lab.org", ["b@lab.org"]).as_bytes(), policy=policy.default
    )
    assert mail["Bcc"] is None
    assert len(mail["Subject"]) <= 200


@pytest.mark.parametrize(
    ("answer", "permanent"),
    [("451 later", False), ("552 too large", True), ("554 spam", True), ("drop", False)],
)
async def test_an_answer_says_whether_the_mail_ever_gets_through(answer, permanent):
    async with server(Mailbox(answer)) as port:
        assert (await refusal(port)).permanent is permanent


async def test_a_mailbox_that_is_not_there_is_named_and_the_others_get_it():
    box = Mailbox()
    box.refused = {"gone@lab.org"}
    async with server(box) as port:
        delivered = await send(port, to=["gone@lab.org", "on-call@lab.org"])
        alone = await refusal(port, to="gone@lab.org")
    assert "gone@lab.org (550)" in delivered.answer
    assert not alone.permanent


async def test_nobody_listening_is_a_passing_refusal():
    assert not (await refusal(free_port())).permanent


async def test_a_server_that_says_nothing_is_given_up_in_time():
    async def silent(reader, writer):
        await reader.read()
        writer.close()

    hanging = await asyncio.start_server(silent, "127.0.0.1", 0)
    async with hanging:
        found = await refusal(hanging.sockets[0].getsockname()[1], timeout="300ms")
    assert not found.permanent


@pytest.mark.parametrize("security", ["tls", "starttls"])
async def test_a_password_goes_over_verified_tls_only(tmp_path, security):
    authority = make("authority")
    cert, key = make("mail", authority).write(tmp_path, "mail")
    ca_file, _ = authority.write(tmp_path, "authority")
    trust = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trust.load_cert_chain(cert, key)
    seen = []

    def authenticate(server, session, envelope, mechanism, data):
        seen.append((data.login, data.password))
        return AuthResult(success=data.password == b"hush", handled=False)

    # aiosmtpd knows of a TLS that it began itself only.
    options = {"authenticator": authenticate, "auth_require_tls": security == "starttls"}
    options["ssl_context" if security == "tls" else "tls_context"] = trust
    given = {"security": security, "username": "daylily", "password": {"env": "PASSWORD"}}
    box = Mailbox()
    async with server(box, **options) as port:
        found = await refusal(port, **given)
        assert "CERTIFICATE_VERIFY_FAILED" in found.answer
        assert seen == []
        await send(port, **given, ca_file=str(ca_file))
        channel = settings(port, **given, ca_file=str(ca_file)).open("lab")
        assert "lets us in" in await channel.check()
        await channel.close()
    assert seen == [(b"daylily", b"hush")] * 2
    assert len(box.mails) == 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"sender": "nobody"},
        {"to": []},
        {"to": ["a@b\r\nBcc: c@d"]},
        {"username": "x"},
        {"username": "x", "password": {"env": "PASSWORD"}},
        {"security": "maybe"},
    ],
)
def test_wrong_settings_are_refused(wrong):
    with pytest.raises(ValueError, match="validation error"):
        settings(25, **wrong)
