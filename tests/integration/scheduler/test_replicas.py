"""Several schedulers over several replicas of state, on one DynamoDB."""

import asyncio
from contextlib import AsyncExitStack

import pytest

from daylily_client import AsyncSchedulerClient, AsyncStateClient, ClientOptions
from daylily_runtime.server import running
from daylily_scheduler.build import build
from daylily_scheduler.settings import SchedulerSettings
from daylily_state.build import state_server
from daylily_state.settings import StateSettings
from daylily_state.store.dynamodb import DynamoDBStore
from tests.integration.scheduler.asking import (
    COMPLETE,
    IN_PROGRESS,
    add_cluster,
    claim,
    knows,
    move,
    register,
)
from tests.support.stores import dynamodb_settings, own_prefix

pytestmark = pytest.mark.timeout(180)

MONITORS = 16
BACKLOG = 48
SLOTS = 10


@pytest.fixture
async def pairs(dynamodb_local):
    """Two replicas of state, and a scheduler beside each."""
    where = dynamodb_settings(dynamodb_local, own_prefix())
    async with AsyncExitStack() as stack:
        made = []
        for _ in range(2):
            state = state_server(
                StateSettings.load(port=0, create_tables=True, drain_seconds=1),
                make_store=lambda _: DynamoDBStore(where),
            )
            await stack.enter_async_context(running(state))
            await state.wait_serving()
            scheduler = build(
                SchedulerSettings.load(port=0, state_address=state.address, drain_seconds=1)
            )
            await stack.enter_async_context(running(scheduler))
            await scheduler.wait_serving()
            options = ClientOptions(timeout=30)
            made.append(
                (
                    await stack.enter_async_context(AsyncStateClient(state.address, options)),
                    await stack.enter_async_context(
                        AsyncSchedulerClient(scheduler.address, options)
                    ),
                )
            )
        yield made


async def test_monitors_race_for_one_backlog_and_no_workset_is_locked_twice(pairs):
    state = pairs[0][0]
    await add_cluster(pairs[0][1], "c1", slots=SLOTS)
    await asyncio.gather(*(register(state, f"w{number}") for number in range(BACKLOG)))
    for _, scheduler in pairs:
        await knows(scheduler, clusters=1, startable=BACKLOG)
    grants, running_now, most = [], set(), 0

    async def monitor(number):
        nonlocal most
        mine, through = pairs[number % len(pairs)]
        while (grant := await claim(through, wait=4, owner=f"m{number}")).HasField("workset"):
            name = grant.workset.workset_id
            assert name not in running_now
            grants.append(name)
            running_now.add(name)
            most = max(most, len(running_now))
            await move(mine, grant, IN_PROGRESS)
            running_now.discard(name)
            await move(mine, grant, COMPLETE)

    await asyncio.gather(*(monitor(number) for number in range(MONITORS)))
    assert sorted(grants) == sorted(f"w{number}" for number in range(BACKLOG))
    assert 1 < most <= SLOTS
    for _, scheduler in pairs:
        await knows(scheduler, clusters=1)
        assert (await scheduler.list_clusters()).clusters[0].free.slots == SLOTS
