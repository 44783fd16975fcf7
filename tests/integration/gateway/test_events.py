"""The feed as server-sent events."""

import asyncio
import json
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass

import httpx
import pytest

from tests.integration.gateway.conftest import running_lab


@dataclass
class Sent:
    """One event as a browser would see it."""

    event: str
    id: str
    data: dict


async def parse(response):
    """Events of a stream, for ever."""
    fields: dict[str, str] = {}
    async for line in response.aiter_lines():
        if line:
            name, _, value = line.partition(":")
            fields[name] = value.removeprefix(" ")
        else:
            if "data" in fields:
                yield Sent(
                    fields.get("event", ""), fields.get("id", ""), json.loads(fields["data"])
                )
            fields = {}


@asynccontextmanager
async def following(lab, headers=None, **params):
    """A stream that is open: what happens from now on is on it."""
    async with lab.http.stream("GET", "/events", params=params, headers=headers) as response:
        assert response.status_code == 200, await response.aread()
        assert response.headers["content-type"].startswith("text/event-stream")
        async with aclosing(parse(response)) as stream:
            yield stream


async def next_of(stream, count=1):
    found = []
    async with asyncio.timeout(20):
        async for sent in stream:
            if sent.event != "position":
                found.append(sent)
            if len(found) == count:
                return found
    raise AssertionError(found)


async def cursor_of_now(lab):
    return (await lab.http.get("/queue/stats")).json()["cursor"]


async def test_what_happens_arrives_with_its_type_and_position(lab):
    start = await cursor_of_now(lab)
    async with following(lab, cursor=start) as stream:
        await lab.register("ws-1", priority="urgent")
        await lab.lock("ws-1")
        registered, locked = await next_of(stream, 2)

    assert (registered.event, locked.event) == ("registered", "lock_acquired")
    assert registered.data["workset_id"] == "ws-1"
    assert registered.data["priority"] == "urgent"
    assert (locked.data["from_state"], locked.data["to_state"]) == ("ready", "locked")
    assert registered.id == registered.data["cursor"]


async def test_from_now_on_is_from_the_answers_first_byte(lab):
    async with lab.http.stream("GET", "/events") as response:
        await lab.state.register_workset(workset_id="ws-1", bucket="lab", prefix="runs/ws-1/")
        async with aclosing(parse(response)) as stream:
            (sent,) = await next_of(stream)

    assert sent.data["workset_id"] == "ws-1"


async def test_a_browser_that_comes_back_misses_nothing(lab):
    start = await cursor_of_now(lab)
    async with following(lab, cursor=start) as stream:
        await lab.register("ws-1")
        (first,) = await next_of(stream)
    await lab.register("ws-2")
    await lab.register("ws-3")

    async with following(lab, headers={"last-event-id": first.id}) as stream:
        missed = await next_of(stream, 2)

    assert {sent.data["workset_id"] for sent in missed} == {"ws-2", "ws-3"}


async def test_only_what_was_asked_for_arrives(lab):
    start = await cursor_of_now(lab)
    await lab.register("ws-1")
    await lab.register("ws-2")
    await lab.lock("ws-2")

    async with following(lab, cursor=start, workset_id="ws-2", type="lock_acquired") as stream:
        (sent,) = await next_of(stream)

    assert (sent.event, sent.data["workset_id"]) == ("lock_acquired", "ws-2")


async def test_one_stream_too_many_is_told_when_to_come_back(tmp_path):
    async with running_lab(tmp_path, max_streams=1) as lab, following(lab):
        answer = await lab.http.get("/events")

        assert answer.status_code == 429
        assert answer.json()["reason"] == "OVERLOADED"
        assert int(answer.headers["retry-after"]) > 0


async def test_a_stream_that_is_closed_makes_room_for_another(tmp_path):
    async with running_lab(tmp_path, max_streams=1) as lab:
        async with following(lab):
            pass
        async with asyncio.timeout(20):
            while open_streams(lab):  # noqa: ASYNC110 - the server's own count
                await asyncio.sleep(0.02)
        async with following(lab):
            pass


def open_streams(lab):
    (gauge,) = [
        one for one in lab.gateway.metrics.instruments if one.about.name == "gateway_event_streams"
    ]
    return gauge.read()[()]


async def test_streams_end_when_the_gateway_stops(lab):
    async with lab.http.stream("GET", "/events") as response:
        assert response.status_code == 200
        stopping = asyncio.create_task(lab.gateway.stop())
        async with asyncio.timeout(20):
            try:
                async for _ in response.aiter_bytes():
                    pass
            except httpx.RemoteProtocolError:
                pytest.fail("the stream was cut off")
            await stopping
