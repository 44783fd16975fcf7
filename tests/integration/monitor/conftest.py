"""A state service in process, a bucket on moto, and a lab between the two."""

import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from daylily_client import AsyncStateClient, ClientOptions
from tests.integration.monitor.lab import Lab, Log, StateProcess
from tests.support.moto_server import MotoServer


@pytest.fixture
async def state_process(tmp_path: Path) -> AsyncIterator[StateProcess]:
    process = StateProcess(tmp_path / "state.db")
    await process.start()
    yield process
    await process.stop()


@pytest.fixture
async def state(state_process: StateProcess) -> AsyncIterator[AsyncStateClient]:
    options = ClientOptions(actor="test", timeout=5)
    async with AsyncStateClient(state_process.address, options) as client:
        yield client


@pytest.fixture
def s3(moto_server: MotoServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[object]:
    for name, value in moto_server.environment.items():
        monkeypatch.setenv(name, value)
    client = moto_server.client("s3")
    yield client
    client.close()


@pytest.fixture
def bucket(s3) -> str:
    name = f"lab-{uuid.uuid4().hex[:12]}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture
async def lab(state, s3, bucket, tmp_path, event_log) -> Lab:
    lab = Lab(state, s3, bucket, tmp_path / "monitor", event_log)
    await lab.register()
    return lab


@pytest.fixture
def event_log() -> Log:
    return Log([])
