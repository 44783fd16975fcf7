"""The faults before DynamoDB, and which requests count as met."""

import asyncio
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from daylily_state.domain import registering
from daylily_state.domain.commands import Register
from daylily_state.domain.commit import Commit, Committed
from daylily_state.domain.errors import DomainError
from daylily_state.domain.model import SubjectKind, lane_of
from daylily_state.domain.moment import Moment
from daylily_state.ports import ReadSet
from daylily_state.store.dynamodb import DynamoDBStore
from tests.chaos import stores
from tests.chaos.stores import DynamoDBBackend, Met
from tests.support.faulty_proxy import run_faulty_proxy
from tests.support.stores import dynamodb_settings, own_prefix
from tests.unit.chaos.story import START

ID = "ws-1"
LOAD = ReadSet(worksets=(ID,), details=(ID,), lanes=(lane_of(SubjectKind.WORKSET, ID),))


@pytest.fixture(scope="module")
def tables(dynamodb_local) -> str:
    """Their prefix. One test alone writes."""

    async def make() -> None:
        opened = DynamoDBStore(dynamodb_settings(dynamodb_local, prefix))
        await opened.create_tables()
        await opened.close()

    prefix = own_prefix()
    with ThreadPoolExecutor(1) as thread:  # this one has pytest's loop
        thread.submit(lambda: asyncio.run(make())).result()
    return prefix


@pytest.fixture
def backend(dynamodb_local, tables, monkeypatch):
    monkeypatch.setattr(stores, "PREFIX", tables)
    with run_faulty_proxy(dynamodb_local.endpoint_url) as proxy:
        yield DynamoDBBackend(dynamodb_local, [proxy])


@pytest.fixture
async def store(backend):
    settings = dynamodb_settings(backend.local, stores.PREFIX, url=backend.proxies[0].url)
    opened = DynamoDBStore(settings)
    yield opened
    await opened.close()


def registration() -> Commit:
    command = Register(workset_id=ID, bucket="lab", prefix="runs/")
    moment = Moment(now=START, event_id=uuid.uuid4().hex, head=0, dice=0.5)
    return registering.register(None, {}, command, moment)


async def test_answers_are_dropped_after_the_commit_and_loads_pass(backend, store):
    met = Met()
    with backend.fault("store drops answers", 0, met):
        assert not (await store.read(LOAD)).worksets
        assert met.count == 0
        # No answer comes, so it looks: the event's slot says that the commit is there.
        assert await store.commit(registration(), timedelta(seconds=5)) == Committed()
    assert met.count
    assert ID in (await store.read(LOAD)).worksets


@pytest.mark.parametrize("kind", ["store throttles", "store answers 500", "store delays"])
async def test_heartbeats_and_looks_at_the_feed_do_not_count(backend, store, kind):
    met = Met()
    with backend.fault(kind, 0, met):
        for call in (store.heads(), store.heartbeat("replica")):
            try:
                await call
            except DomainError:
                continue
    assert met.count == 0


async def test_a_load_of_a_workset_counts(backend, store):
    met = Met()
    with backend.fault("store delays", 0, met):
        await store.read(LOAD)
    assert met.count == 1
