"""Several servers: calls go to those that say they are healthy."""

import asyncio

from daylily.state.v1 import state_pb2

from daylily_client import AsyncStateClient
from tests.support.scripted_server import QUICK, ScriptedServer, answers, scripted_server

STATE = state_pb2.DESCRIPTOR.services_by_name["StateService"]
SCRIPT = {"GetWorkset": [answers(state_pb2.GetWorksetResponse())]}


async def spread(client: AsyncStateClient, calls: int) -> None:
    for _ in range(calls):
        await client.get_workset(workset_id="ws-1")


async def until_both_are_used(client: AsyncStateClient, *servers: ScriptedServer) -> None:
    for server in servers:
        server.seen.clear()
    while not all(server.seen for server in servers):
        await spread(client, 2)
        await asyncio.sleep(0.01)


async def test_calls_go_round_all_servers():
    async with (
        scripted_server(STATE, SCRIPT) as one,
        scripted_server(STATE, SCRIPT) as two,
        AsyncStateClient([one.address, two.address], QUICK) as client,
    ):
        await until_both_are_used(client, one, two)


async def test_a_server_that_is_not_serving_gets_no_call_from_the_start():
    async with (
        scripted_server(STATE, SCRIPT) as ill,
        scripted_server(STATE, SCRIPT) as well,
        AsyncStateClient([ill.address, well.address], QUICK) as client,
    ):
        await ill.turn(serving=False)
        await spread(client, 20)
        assert (len(ill.seen), len(well.seen)) == (0, 20)


async def test_a_server_that_falls_ill_loses_its_calls_and_gets_them_back():
    async with (
        scripted_server(STATE, SCRIPT) as one,
        scripted_server(STATE, SCRIPT) as two,
        AsyncStateClient([one.address, two.address], QUICK) as client,
    ):
        await until_both_are_used(client, one, two)
        await one.turn(serving=False)
        await asyncio.sleep(0.3)  # the news has to cross the connection
        one.seen.clear()
        await spread(client, 20)
        assert one.seen == []
        await one.turn(serving=True)
        await until_both_are_used(client, one, two)


async def test_a_server_that_dies_fails_no_call_beside_a_healthy_one():
    async with (
        scripted_server(STATE, SCRIPT) as one,
        scripted_server(STATE, SCRIPT) as two,
        AsyncStateClient([one.address, two.address], QUICK) as client,
    ):
        await until_both_are_used(client, one, two)
        await one.stop()
        await spread(client, 20)


async def test_a_server_that_comes_back_is_used_again():
    async with (
        scripted_server(STATE, SCRIPT) as server,
        AsyncStateClient(server.address, QUICK) as client,
    ):
        await spread(client, 1)
        await server.stop()
        await server.start()
        await spread(client, 1)
