import os

import pytest

from daylily_runtime.testing import ManualClock
from tests.integration.state.faulty_store import Faults
from tests.integration.state.replicas import replica, settings_on_dynamodb, settings_on_file
from tests.support.stores import own_prefix


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in list(os.environ):
        if name.startswith("DAYLILY_"):
            monkeypatch.delenv(name)


@pytest.fixture
def faults():
    return Faults()


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture
def file(tmp_path):
    return tmp_path / "state.db"


@pytest.fixture
async def state(file):
    """A replica that lives in the time of the machine."""
    async with replica(settings_on_file(file)) as made:
        yield made


@pytest.fixture
async def stub(state):
    return state.stub


@pytest.fixture
async def still(file, clock):
    """The stub of a replica whose time stands still until the test's `clock` moves on."""
    async with replica(settings_on_file(file), clock) as made:
        yield made.stub


@pytest.fixture
def on_dynamodb(dynamodb_local, monkeypatch):
    """Settings of replicas on tables of this test."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", dynamodb_local.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", dynamodb_local.secret_access_key)
    return settings_on_dynamodb(dynamodb_local, own_prefix())


@pytest.fixture(params=["sqlite", "dynamodb"])
def shared(request, tmp_path):
    """Settings of replicas that share one store, over each store that can be shared."""
    if request.param == "sqlite":
        return settings_on_file(tmp_path / "state.db")
    return request.getfixturevalue("on_dynamodb")


@pytest.fixture
async def pair(shared):
    """Two replicas of one deployment, in the time of the machine."""
    async with replica(shared) as first, replica(shared) as second:
        yield first, second
