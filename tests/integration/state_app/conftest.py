from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.integration.state_app.replicas import Lab, Replica
from tests.support.stores import dynamodb_replicas, sqlite_replicas


@pytest.fixture(params=["sqlite", "dynamodb_local"])
async def lab(request: pytest.FixtureRequest, tmp_path) -> AsyncIterator[Lab]:
    if request.param == "sqlite":
        opened = sqlite_replicas(tmp_path)
    else:
        opened = dynamodb_replicas(request.getfixturevalue("dynamodb_local"))
    async with opened as stores, AsyncExitStack() as stack:
        yield Lab(stores.open_another, stack)


@pytest.fixture
async def one(lab: Lab) -> Replica:
    return await lab.replica("one")
