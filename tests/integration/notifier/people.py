"""Channels that stand in for what people look at, and worksets that give them reasons to."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from daylily.workset.v1 import cluster_pb2, event_pb2, workset_pb2

from daylily_client import AsyncStateClient, duration
from daylily_notifier.config.load import NotifierConfig
from tests.integration.notifier.deployment import config
from tests.support.notified import KEY, PagerDuty
from tests.support.places import Place, Reply, Request, place


@dataclass
class People:
    """Who hears what: a webhook that shows all, and a pager."""

    webhook: Place
    pagerduty: PagerDuty
    config: NotifierConfig

    @property
    def subjects(self) -> list[str]:
        return [request.json["subject"] for request in self.webhook.requests]


@asynccontextmanager
async def people(
    events: str = "[error, completion, retry_scheduled, external]",
    *,
    answer: Callable[[Request], Reply] | None = None,
    **section: Any,
) -> AsyncIterator[People]:
    """Both hear of `events`, and answer as told; `section` is what both channels are told besides."""
    pagerduty = PagerDuty()
    async with (
        place(answer or (lambda _: Reply(200))) as webhook,
        place(answer or pagerduty.answer) as pager,
    ):
        more = {"retry": {"first": "1s", "longest": "2s"}, **section}
        text = {
            "channels": {
                "chat": {"kind": "webhook", "url": webhook.url, **more},
                "pager": {
                    "kind": "pagerduty",
                    "routing_key": {"env": "KEY"},
                    "url": pager.url,
                    **more,
                },
            },
            "routes": [{"channels": ["chat", "pager"], "match": {"event": "EVENTS"}}],
        }
        written = json.dumps(text).replace('"EVENTS"', events)
        yield People(webhook, pagerduty, config(written, KEY=KEY))


async def register(state: AsyncStateClient, workset_id: str, **fields: Any) -> None:
    await state.register_workset(
        workset_id=workset_id, bucket="lab", prefix=f"runs/{workset_id}/", **fields
    )


async def run(
    state: AsyncStateClient, workset_id: str, end: Any, *, on: str = "", **fields: Any
) -> None:
    """Take a READY workset, on a cluster if one is named, start it, and end it so."""
    lock = await state.acquire_lock(
        workset_id=workset_id, owner_id="m1", lease=duration(3600), cluster_name=on
    )
    token = lock.lock_token
    for to, more in ((workset_pb2.WORKSET_STATE_IN_PROGRESS, {}), (end, fields)):
        await state.update_state(workset_id=workset_id, state=to, lock_token=token, **more)


async def fail(
    state: AsyncStateClient, workset_id: str, why: str = "node lost", on: str = ""
) -> None:
    await run(
        state,
        workset_id,
        workset_pb2.WORKSET_STATE_ERROR,
        on=on,
        error_details=why,
        error_category=workset_pb2.ERROR_CATEGORY_DATA,
    )


async def complete(state: AsyncStateClient, workset_id: str) -> None:
    await run(state, workset_id, workset_pb2.WORKSET_STATE_COMPLETE)


async def retry(state: AsyncStateClient, workset_id: str) -> None:
    """An operator makes a failed workset ready again."""
    await state.update_state(workset_id=workset_id, state=workset_pb2.WORKSET_STATE_READY)


async def fail_many(state: AsyncStateClient, count: int, at_once: int = 16) -> None:
    """So many worksets fail for one cause on one cluster."""
    await state.put_cluster(
        cluster_name="c1",
        capacity=cluster_pb2.Resources(vcpus=10**5, memory_gb=10**6, storage_gb=10**6, slots=10**5),
    )
    free = asyncio.Semaphore(at_once)

    async def one(number: int) -> None:
        async with free:
            await register(state, f"ws-{number}")
            await fail(state, f"ws-{number}", on="c1")

    async with asyncio.TaskGroup() as tasks:
        for number in range(count):
            tasks.create_task(one(number))


def cluster(name: str) -> event_pb2.Subject:
    return event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_CLUSTER, id=name)
