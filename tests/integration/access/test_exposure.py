"""A gateway that other machines reach, before services that ask who calls and before some that do not."""

import asyncio
from contextlib import asynccontextmanager

import pytest

from daylily_gateway.server import GatewayServer
from daylily_gateway.settings import GatewaySettings
from daylily_runtime import StartError, running
from daylily_state.build import state_server
from daylily_state.settings import StateSettings
from tests.support.certificates import make
from tests.support.ports import free_port

EVERYWHERE = "0.0.0.0"


@pytest.fixture
def exposed(tmp_path):
    cert, key = make("localhost").write(tmp_path, "gateway")
    return {"host": EVERYWHERE, "tls_cert": cert, "tls_key": key}


@asynccontextmanager
async def open_state(folder, port=0):
    server = state_server(
        StateSettings.load(port=port, sqlite_path=folder / "open.db", drain_seconds=0.2)
    )
    async with running(server):
        await server.wait_serving()
        yield server


def gateway(state_address, exposed, **settings):
    nobody = f"127.0.0.1:{free_port()}"
    return GatewayServer(
        GatewaySettings.load(
            port=0,
            state_address=state_address,
            scheduler_address=nobody,
            notifier_address=nobody,
            drain_seconds=0.5,
            **exposed,
            **settings,
        )
    )


async def test_before_services_that_ask_it_serves_everybody_by_his_token(lab, exposed):
    http = await lab.gateway("vera", **exposed)

    assert (await http.get("/queue/stats")).status_code == 200
    del http.headers["authorization"]
    assert (await http.get("/queue/stats")).status_code == 401


async def test_before_a_service_that_asks_nobody_it_does_not_start(tmp_path, exposed):
    async with open_state(tmp_path) as state:
        with pytest.raises(StartError, match="the state service asks nobody who calls"):
            await gateway(state.address, exposed).start()


async def test_where_the_network_is_trusted_it_does(tmp_path, exposed):
    async with open_state(tmp_path) as state:
        server = gateway(state.address, exposed, insecure=True)
        await server.start()
        await server.stop()


@pytest.mark.timeout(60)
async def test_a_service_that_comes_later_and_asks_nobody_ends_it(tmp_path, exposed):
    port = free_port()
    server = gateway(f"127.0.0.1:{port}", exposed)
    await server.start()
    try:
        async with open_state(tmp_path, port):
            failure = await asyncio.wait_for(server.failed(), 40)
    finally:
        await server.stop()

    assert "the state service asks nobody who calls" in str(failure)
