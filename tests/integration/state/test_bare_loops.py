"""The bare loops of the benchmarks send what state sends: a ratio to them is one of like to like."""

import json
from datetime import timedelta

import pytest
from daylily.workset.v1 import cluster_pb2, workset_pb2

from benchmarks.bare import MEMORY_MB, VCPUS, loop_on, plain_connection
from daylily_client import AsyncStateClient, duration
from daylily_runtime import running
from daylily_state.build import state_server
from daylily_state.store.dynamodb import DynamoDBStore
from daylily_state.store.dynamodb.client import Client
from tests.support.faulty_proxy import run_faulty_proxy
from tests.support.stores import dynamodb_settings, own_prefix


class Recording:
    """What passes a proxy, as far as it does not name one workset or another."""

    def __init__(self, prefix):
        self._prefix = prefix
        self.sent = []

    def __call__(self, exchange):
        body = json.loads(exchange.body)
        if exchange.operation == "BatchGetItem":
            self.sent.append({table: reads(some) for table, some in self._tables(body)})
        elif exchange.operation == "TransactWriteItems":
            self.sent.append([self._write(*write.popitem()) for write in body["TransactItems"]])
        exchange.forward()

    def _tables(self, body):
        return sorted(
            (name.removeprefix(self._prefix), some) for name, some in body["RequestItems"].items()
        )

    def _write(self, kind, write):
        return (
            kind,
            write["TableName"].removeprefix(self._prefix),
            sorted(write.get("Item", ())),
            sorted(write.get("ExpressionAttributeNames", {}).values()),
            write.get("ConditionExpression"),
            write.get("UpdateExpression"),
        )


def reads(some):
    return some["ConsistentRead"], [sorted(key) for key in some["Keys"]]


@pytest.fixture
def proxy(dynamodb_local):
    with run_faulty_proxy(dynamodb_local.endpoint_url) as proxy:
        yield proxy


async def sent_by_state(settings, proxy, *, on_cluster):
    server = state_server(settings.model_copy(update={"dynamodb_endpoint": proxy.url}))
    async with running(server), AsyncStateClient(server.address) as state:
        for workset_id in ("ws-0", "ws-1"):
            await state.register_workset(
                workset_id=workset_id,
                bucket="lab",
                prefix="runs/",
                requirements=workset_pb2.Requirements(vcpus=VCPUS, memory_gb=MEMORY_MB / 1024),
            )
        await state.put_cluster(
            cluster_name="c1",
            region="us-west-2",
            capacity=cluster_pb2.Resources(vcpus=96, memory_gb=384, slots=4),
        )
        recording = Recording(settings.table_prefix)
        with proxy.always(recording):
            await state.acquire_lock(
                workset_id="ws-1",
                owner_id="loop",
                lease=duration(timedelta(seconds=900)),
                cluster_name="c1" if on_cluster else "",
            )
    return [sent for sent in recording.sent if not is_probe(sent)]


def is_probe(sent):
    """The feed and the health check look by themselves, whoever locks what."""
    return isinstance(sent, dict) and "worksets" not in sent


async def sent_by_a_loop(dynamodb_local, proxy, *, on_cluster):
    prefix = own_prefix()
    settings = dynamodb_settings(dynamodb_local, prefix, url=proxy.url)
    store = DynamoDBStore(settings)
    await store.create_tables()
    await store.close()
    client = Client(settings)
    loop = loop_on(client, plain_connection(settings, client), 0, on_cluster=on_cluster)
    (lock,) = loop.prepare(1)
    recording = Recording(prefix)
    with proxy.always(recording):
        loop.take(lock)
    client.close()
    return recording.sent


@pytest.mark.parametrize("on_cluster", [False, True], ids=["a lock", "a claim"])
async def test_a_bare_loop_reads_and_writes_what_state_does(
    dynamodb_local, on_dynamodb, proxy, on_cluster
):
    by_state = await sent_by_state(on_dynamodb, proxy, on_cluster=on_cluster)
    assert len(by_state) == 2
    assert await sent_by_a_loop(dynamodb_local, proxy, on_cluster=on_cluster) == by_state
