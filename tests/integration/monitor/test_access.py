"""A monitor that has to prove who it is, and may work for its own cluster alone."""

import asyncio
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest
import yaml
from daylily.workset.v1 import workset_pb2

from daylily_client import (
    AsyncSchedulerClient,
    AsyncStateClient,
    ClientOptions,
    PermissionDenied,
    TokenFile,
)
from daylily_client.monitor.monitor import Monitor
from daylily_runtime import running
from daylily_runtime.access.tokens import hash_of, new_token
from daylily_scheduler.build import build
from daylily_scheduler.settings import SchedulerSettings
from daylily_standalone.demo.worksets import PREFIX, demo_worksets, put_workset
from daylily_state.build import state_server
from daylily_state.settings import StateSettings
from tests.integration.monitor.lab import NOW, Lab, until

COMPLETE = workset_pb2.WORKSET_STATE_COMPLETE
IDS = [workset.workset_id for workset in demo_worksets("d")]


@pytest.fixture
async def guarded(tmp_path, s3, bucket, event_log):
    """A lab whose callers are the monitor c1, with the scheduler it claims through."""
    tokens = {"c1": new_token(), "scheduler": new_token()}
    for name, token in tokens.items():
        (tmp_path / f"{name}.token").write_text(token)
    file = tmp_path / "identities.yaml"
    monitor = {"name": "c1", "role": "monitor", "tokens": [hash_of(tokens["c1"])]}
    limits = {"clusters": ["c1"], "owners": ["monitor@c1-"]}
    service = {
        "name": "scheduler",
        "role": "service",
        "tokens": [hash_of(tokens["scheduler"])],
    }
    file.write_text(yaml.safe_dump({"identities": [{**monitor, "limits": limits}, service]}))
    for workset in demo_worksets("d"):
        put_workset(s3, bucket, workset, NOW)
    options = ClientOptions(actor="c1", timeout=10, token=TokenFile(tmp_path / "c1.token"))
    async with AsyncExitStack() as stack:
        state = state_server(
            StateSettings.load(port=0, sqlite_path=tmp_path / "state.db", identities=file)
        )
        await stack.enter_async_context(running(state))
        await state.wait_serving()
        server = build(
            SchedulerSettings.load(
                port=0,
                state_address=state.address,
                state_token_file=tmp_path / "scheduler.token",
                identities=file,
            )
        )
        await stack.enter_async_context(running(server))
        await server.wait_serving()
        client = await stack.enter_async_context(AsyncStateClient(state.address, options))
        scheduler = await stack.enter_async_context(AsyncSchedulerClient(server.address, options))
        yield Lab(client, s3, bucket, tmp_path / "monitor", event_log), scheduler


def make(lab, scheduler, *, cluster, owner_id):
    context = lab.context("true")
    shape = replace(context.settings.cluster, name=cluster, slots=2, storage_gb=1200)
    settings = replace(context.settings, prefix=PREFIX, cluster=shape, owner_id=owner_id)
    return Monitor(replace(context, settings=settings), scheduler)


async def test_it_does_all_its_work_as_a_monitor_of_its_cluster(guarded):
    lab, scheduler = guarded
    monitor = make(lab, scheduler, cluster="c1", owner_id="monitor@c1-head")
    task = asyncio.ensure_future(monitor.run())

    async def all_complete():
        answer = await lab.state.batch_get_worksets(workset_ids=IDS)
        return [workset.state for workset in answer.worksets] == [COMPLETE] * len(IDS)

    await until(all_complete, 30)
    monitor.stop()
    await asyncio.wait_for(task, 10)
    for workset_id in IDS:
        events = (await lab.state.list_events(workset_id=workset_id)).events
        assert {event.actor for event in events} == {"c1", "scheduler/c1"}
    told = [fields for _, fields in lab.log.events]
    assert not any("PERMISSION_DENIED" in str(fields) for fields in told)


async def test_it_cannot_be_the_monitor_of_another_cluster(guarded):
    lab, scheduler = guarded
    monitor = make(lab, scheduler, cluster="c2", owner_id="monitor@c1-head")
    with pytest.raises(PermissionDenied, match="not a cluster of its own"):
        await monitor.run()
