"""A server serves only while everything it depends on answers."""

import asyncio
import time

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from daylily_runtime import Server, ServerSettings, running
from tests.integration.runtime.echo_service import ERRORS, NAME, Echo, add_echo, connected

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN


class Store:
    """Answers, refuses or hangs, as told."""

    def __init__(self, mode="answers"):
        self.mode = mode
        self.asked = 0
        self.dependency = None

    async def ping(self):
        self.asked += 1
        if self.mode == "hangs":
            await asyncio.sleep(3600)
        if self.mode == "refuses":
            raise ConnectionRefusedError("nobody listens")


def server_on(*stores, **settings):
    async def build(server):
        server.add_service(NAME, add_echo, Echo())
        for number, store in enumerate(stores):
            store.dependency = server.depends_on(f"store {number}", store.ping)

    return Server("echo", ServerSettings.load(**settings), build, errors=ERRORS)


async def status(client, service=NAME):
    stub = health_pb2_grpc.HealthStub(client.channel)
    return (await stub.Check(health_pb2.HealthCheckRequest(service=service))).status


async def changes(client, service=NAME):
    """The statuses that a watching client is told, each with the time it came."""
    stub = health_pb2_grpc.HealthStub(client.channel)
    async for answer in stub.Watch(health_pb2.HealthCheckRequest(service=service)):
        yield answer.status, time.monotonic()


@pytest.mark.parametrize("service", ["", NAME, "grpc.health.v1.Health"])
async def test_it_serves_under_every_name_when_the_store_answers(service):
    server = server_on(Store())
    async with running(server), connected(server) as client:
        await asyncio.wait_for(server.wait_serving(), 5)
        assert await status(client, service) == SERVING


async def test_a_service_that_is_not_here_is_unknown():
    server = server_on()
    async with running(server), connected(server) as client:
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await status(client, "other.v1.Service")
        told, _ = await anext(changes(client, "other.v1.Service"))
    assert error.value.code() == grpc.StatusCode.NOT_FOUND
    assert told == SERVICE_UNKNOWN


async def test_a_server_whose_store_is_away_at_the_start_listens_and_does_not_serve():
    store = Store("refuses")
    server = server_on(store)
    async with running(server), connected(server) as client:
        assert await status(client) == NOT_SERVING
        store.mode = "answers"
        await asyncio.wait_for(server.wait_serving(), 1)
        assert await status(client) == SERVING


@pytest.mark.parametrize("way", ["hangs", "refuses"])
async def test_a_lost_store_turns_it_off_within_a_second_and_back_on(way):
    store = Store()
    server = server_on(Store(), store)
    async with running(server), connected(server) as client:
        await asyncio.wait_for(server.wait_serving(), 5)
        told = changes(client)
        assert (await anext(told))[0] == SERVING

        store.mode, lost = way, time.monotonic()
        now, when = await asyncio.wait_for(anext(told), 5)
        assert now == NOT_SERVING
        assert when - lost < 1.0
        assert await status(client) == NOT_SERVING

        store.mode, back = "answers", time.monotonic()
        now, when = await asyncio.wait_for(anext(told), 5)
        assert now == SERVING
        assert when - back < 1.0


async def test_a_reported_failure_is_checked_at_once_and_not_believed_by_itself():
    store = Store()
    server = server_on(store, health_interval_seconds=3600)
    async with running(server), connected(server) as client:
        await asyncio.wait_for(server.wait_serving(), 5)
        told = changes(client)
        assert (await anext(told))[0] == SERVING
        asked = store.asked

        store.dependency.report_failure()
        async with asyncio.timeout(5):
            while store.asked == asked:  # noqa: ASYNC110 - the store has no event
                await asyncio.sleep(0.01)
        assert server.serving

        store.mode, lost = "refuses", time.monotonic()
        store.dependency.report_failure()
        now, when = await asyncio.wait_for(anext(told), 5)
        assert now == NOT_SERVING
        assert when - lost < 0.5


async def test_a_flood_of_reports_does_not_flood_the_store():
    store = Store()
    server = server_on(store)
    async with running(server):
        await asyncio.wait_for(server.wait_serving(), 5)
        asked, end = store.asked, time.monotonic() + 0.5
        while time.monotonic() < end:
            store.dependency.report_failure()
            await asyncio.sleep(0)
        assert store.asked - asked <= 11


async def test_watching_clients_do_not_hold_up_a_stop():
    server = server_on(Store())
    async with running(server), connected(server) as client:
        await asyncio.wait_for(server.wait_serving(), 5)
        told = changes(client)
        assert (await anext(told))[0] == SERVING
        begun = time.monotonic()
        await server.stop()
        assert time.monotonic() - begun < 1.5
        assert (await anext(told))[0] == NOT_SERVING
        with pytest.raises(grpc.aio.AioRpcError) as error:
            await anext(told)
    assert error.value.code() == grpc.StatusCode.UNAVAILABLE


async def test_a_client_with_health_checking_goes_to_the_replica_that_has_its_store(tmp_path):
    stores = Store(), Store()
    servers = [server_on(store) for store in stores]
    config = (
        '{"loadBalancingConfig":[{"round_robin":{}}],'
        f'"healthCheckConfig":{{"serviceName":"{NAME}"}}}}'
    )
    async with running(*servers):
        for server in servers:
            await asyncio.wait_for(server.wait_serving(), 5)
        target = "ipv4:" + ",".join(server.address for server in servers)
        options = [("grpc.service_config", config), ("grpc.enable_retries", 0)]
        async with grpc.aio.insecure_channel(target, options=options) as channel:
            get = channel.unary_unary(f"/{NAME}/Get")

            async def peers():
                found = set()
                for _ in range(20):
                    call = get(b"x", wait_for_ready=True, timeout=5)
                    await call
                    found.add(await call.code())
                return found

            assert await peers() == {grpc.StatusCode.OK}
            stores[0].mode = "refuses"
            async with asyncio.timeout(2):
                while servers[0].serving:  # noqa: ASYNC110 - seen from outside on purpose
                    await asyncio.sleep(0.01)
            await asyncio.sleep(0.1)  # until the clients have been told
            await servers[0].stop()
            assert await peers() == {grpc.StatusCode.OK}
