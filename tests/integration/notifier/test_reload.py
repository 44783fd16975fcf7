"""The file is read again on SIGHUP: a right one is in force at once, a wrong one never."""

import asyncio
import os
import signal

import pytest

from daylily_client import AsyncStateClient
from daylily_notifier.build import Outside, build
from daylily_notifier.settings import NotifierSettings
from tests.integration.notifier.deployment import NOTIFIER, all_finished, tell, until
from tests.support.places import always, place


def text(**urls):
    channels = "".join(f"  {name}: {{kind: webhook, url: '{url}'}}\n" for name, url in urls.items())
    names = ", ".join(urls)
    return (
        f"channels:\n{channels}routes:\n  - {{channels: [{names}], match: {{event: external}}}}\n"
    )


@pytest.fixture
async def notifier(lab, tmp_path):
    file = tmp_path / "notifier.yaml"
    servers = []

    async def start(content):
        file.write_text(content)
        settings = NotifierSettings.load(
            port=0, state_address=lab.state_address, notifier_config=file, drain_seconds=0.5
        )
        outside = Outside(
            clock=lab.clock,
            owner_id="n1",
            connect=lambda given: AsyncStateClient(given.state_address, NOTIFIER),
        )
        server = build(settings, settings.load_config(os.environ), outside)
        servers.append(server)
        await server.start()
        await server.wait_serving()
        return file

    yield start
    for server in servers:
        await server.stop()


async def heard(there, count):
    async def arrived():
        return len(there.requests) >= count

    await until(arrived)


async def test_a_new_file_is_in_force_at_once_and_a_wrong_one_never(lab, state, notifier):
    async with place(always()) as first, place(always()) as second:
        file = await notifier(text(one=first.url))
        await tell(state, "a")
        await heard(first, 1)

        file.write_text("channels: {one: {kind: pigeon}}\n")
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.3)
        await tell(state, "b")
        await heard(first, 2)

        file.write_text(text(one=first.url, two=second.url))
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.3)
        await tell(state, "c")
        await heard(second, 1)
        await heard(first, 3)

        file.write_text(text(two=second.url))
        os.kill(os.getpid(), signal.SIGHUP)
        await asyncio.sleep(0.3)
        await tell(state, "d")
        await heard(second, 2)
        await all_finished(state)
    assert [request.json["subject"] for request in first.requests] == ["a", "b", "c"]
    assert [request.json["subject"] for request in second.requests] == ["c", "d"]
