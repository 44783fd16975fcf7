from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.integration.state_app.replicas import Lab, Replica


@pytest.fixture
async def lab(tmp_path) -> AsyncIterator[Lab]:
    async with AsyncExitStack() as stack:
        yield Lab(tmp_path / "state.sqlite3", stack)


@pytest.fixture
async def one(lab: Lab) -> Replica:
    return await lab.replica("one")
