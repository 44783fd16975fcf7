"""Decisions in a row, and two schedulers at once, never overfill a cluster or overspend a budget.

Two replicas of state on one store, and a scheduler beside each, which knows of the other's locks only by
the feed; on SQLite one state serves both.
"""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack

import pytest

from daylily_client import AsyncSchedulerClient, AsyncStateClient, ClientOptions, struct
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
from tests.integration.scheduler.test_decisions import codes
from tests.support.stores import dynamodb_settings, own_prefix

pytestmark = pytest.mark.timeout(120)

OPTIONS = ClientOptions(timeout=30)


@pytest.fixture(params=["sqlite", "dynamodb"])
async def pairs(request, tmp_path):
    """(state, scheduler) twice."""
    async with AsyncExitStack() as stack:
        if request.param == "dynamodb":
            where = dynamodb_settings(request.getfixturevalue("dynamodb_local"), own_prefix())
            servers = [
                state_server(
                    StateSettings.load(port=0, create_tables=True, drain_seconds=1),
                    make_store=lambda _: DynamoDBStore(where),
                )
                for _ in range(2)
            ]
        else:
            settings = StateSettings.load(
                port=0, sqlite_path=tmp_path / "state.db", drain_seconds=1
            )
            servers = [state_server(settings)]
        for server in servers:
            await stack.enter_async_context(running(server))
            await server.wait_serving()
        made = []
        for number in range(2):
            state = servers[number % len(servers)]
            scheduler = build(
                SchedulerSettings.load(port=0, state_address=state.address, drain_seconds=1)
            )
            await stack.enter_async_context(running(scheduler))
            await scheduler.wait_serving()
            made.append(
                (
                    await stack.enter_async_context(AsyncStateClient(state.address, OPTIONS)),
                    await stack.enter_async_context(
                        AsyncSchedulerClient(scheduler.address, OPTIONS)
                    ),
                )
            )
        yield made


async def taken(answers):
    """The worksets that these claims got; each once."""
    names = [answer.workset.workset_id for answer in answers if answer.HasField("workset")]
    assert max(Counter(names).values(), default=1) == 1
    return names


async def cluster_of(state):
    (cluster,) = (await state.list_clusters()).clusters
    return cluster


async def customer_of(state):
    (customer,) = (await state.list_customers()).customers
    return customer


async def test_five_decisions_in_a_row_fill_a_cluster_and_no_more(pairs):
    state, scheduler = pairs[0]
    await add_cluster(scheduler, "c1", vcpus=96, memory_gb=384, slots=10)
    for number in range(6):
        await register(state, f"w{number}", vcpus=24, memory_gb=10)
    await knows(scheduler, clusters=1, startable=6)
    # Nothing is waited for between them: the feed has not told of the first when the last is made.
    answers = [await claim(scheduler, owner=f"m{n}") for n in range(5)]
    assert await taken(answers) == [f"w{number}" for number in range(4)]
    assert codes(answers[4].reasons) == ["NOT_ENOUGH_VCPUS"]
    cluster = await cluster_of(state)
    assert (cluster.reserved.vcpus, cluster.reserved.slots) == (96, 4)


async def test_two_schedulers_at_once_fill_a_cluster_and_no_more(pairs):
    state = pairs[0][0]
    await add_cluster(pairs[0][1], "c1", vcpus=96, memory_gb=384, slots=10)
    await asyncio.gather(*(register(state, f"w{n}", vcpus=24, memory_gb=10) for n in range(12)))
    for _, scheduler in pairs:
        await knows(scheduler, clusters=1, startable=12)
    answers = await asyncio.gather(
        *(claim(pairs[n % 2][1], owner=f"m{n}", wait=0.5) for n in range(12))
    )
    assert len(await taken(answers)) == 4
    cluster = await cluster_of(state)
    assert (cluster.reserved.vcpus, cluster.reserved.slots) == (96, 4)
    for _, scheduler in pairs:
        await knows(scheduler, clusters=1, startable=8, active=4)
        (status,) = (await scheduler.list_clusters()).clusters
        assert (status.free.vcpus, status.active_worksets) == (0, 4)


async def test_two_schedulers_at_once_spend_a_budget_and_no_more(pairs):
    state = pairs[0][0]
    await state.put_customer(customer_id="acme", budget_usd=10)
    await add_cluster(pairs[0][1], "c1", slots=20)
    cost = {"customer_id": "acme", "estimated_cost_usd": 3}
    await asyncio.gather(*(register(state, f"w{n}", vcpus=1, **cost) for n in range(12)))
    for _, scheduler in pairs:
        await knows(scheduler, clusters=1, startable=12)
    answers = await asyncio.gather(
        *(claim(pairs[n % 2][1], owner=f"m{n}", wait=0.5) for n in range(12))
    )
    assert len(await taken(answers)) == 3
    customer = await customer_of(state)
    assert (customer.reserved_usd, customer.spent_usd, customer.running) == (9, 0, 3)


async def test_a_budget_is_settled_with_the_actual_cost_and_what_is_left_is_spent_again(pairs):
    (state, scheduler), (_, other) = pairs
    await state.put_customer(customer_id="acme", budget_usd=10)
    await add_cluster(scheduler, "c1", slots=20)
    for number in range(3):
        await register(state, f"w{number}", vcpus=1, customer_id="acme", estimated_cost_usd=6)
    await knows(other, clusters=1, startable=3)
    first = await claim(scheduler, wait=5)
    assert (await customer_of(state)).reserved_usd == 6
    assert not (await claim(scheduler)).HasField("workset")
    assert not (await claim(other)).HasField("workset")
    await move(state, first, IN_PROGRESS)
    await move(state, first, COMPLETE, metrics=struct({"cost_usd": 2.5}))
    customer = await customer_of(state)
    assert (customer.reserved_usd, customer.spent_usd) == (0, 2.5)
    # $7.50 are left: one more of $6 starts, through the other scheduler, and then nothing.
    second = await claim(other, wait=10)
    assert second.HasField("workset")
    await move(state, second, IN_PROGRESS)
    await move(state, second, COMPLETE)
    customer = await customer_of(state)
    # Nobody said what it cost: its estimate counts.
    assert (customer.reserved_usd, customer.spent_usd) == (0, 8.5)
    assert not (await claim(scheduler, wait=0.5)).HasField("workset")
    assert not (await claim(other, wait=0.5)).HasField("workset")


async def test_a_limit_on_worksets_at_once_holds_for_two_schedulers(pairs):
    state = pairs[0][0]
    await state.put_customer(customer_id="acme", max_concurrent=2)
    await add_cluster(pairs[0][1], "c1", slots=20)
    await asyncio.gather(*(register(state, f"w{n}", vcpus=1, customer_id="acme") for n in range(8)))
    for _, scheduler in pairs:
        await knows(scheduler, clusters=1, startable=8)
    answers = await asyncio.gather(
        *(claim(pairs[n % 2][1], owner=f"m{n}", wait=0.5) for n in range(8))
    )
    assert len(await taken(answers)) == 2
    assert (await customer_of(state)).running == 2
