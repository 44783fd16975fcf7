"""One suite for every store: `store` is each of them in turn."""

from collections.abc import AsyncIterator

import pytest

from daylily_state.ports import Store
from tests.support.stores import Replicas, emptied_replicas, sqlite_replicas


@pytest.fixture(params=["sqlite", "moto", "dynamodb_local"])
async def replicas(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[Replicas]:
    """Opens store objects on the data of this test."""
    if request.param == "sqlite":
        opened = sqlite_replicas(tmp_path)
    else:
        name = "moto_server" if request.param == "moto" else request.param
        opened = emptied_replicas(request.getfixturevalue(name))
    async with opened as replicas:
        yield replicas


@pytest.fixture
def store(replicas: Replicas) -> Store:
    return replicas.first


# Races prove nothing on moto, which is served one request at a time.
on_engines_that_race = pytest.mark.parametrize(
    "replicas", ["sqlite", "dynamodb_local"], indirect=True
)
