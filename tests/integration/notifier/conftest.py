import pytest

from daylily_client import AsyncStateClient
from tests.integration.notifier.deployment import QUICK, deployment
from tests.integration.notifier.topics import make_topic
from tests.support.fast_clock import FastClock


@pytest.fixture(autouse=True)
def aws_credentials(monkeypatch):
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")


@pytest.fixture
def speed():
    """How many seconds pass in one."""
    return 20


@pytest.fixture
async def lab(tmp_path, speed):
    """A deployment whose time runs fast."""
    async with deployment(tmp_path, FastClock(speed)) as deployed:
        yield deployed


@pytest.fixture
async def state(lab):
    async with AsyncStateClient(lab.state_address, QUICK) as client:
        yield client


@pytest.fixture
def topic(empty_aws):
    return make_topic(empty_aws)


@pytest.fixture
def fifo_topic(empty_aws):
    return make_topic(empty_aws, fifo=True)
