import os

import pytest

from daylily_runtime.testing import ManualClock
from tests.integration.state.replicas import replica, settings_on_file


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch):
    for name in list(os.environ):
        if name.startswith("DAYLILY_"):
            monkeypatch.delenv(name)


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
