"""Two state replicas on one DynamoDB: the notifier follows whichever is there."""

from uuid import uuid4

import pytest

from daylily_client import AsyncNotifierClient, AsyncStateClient
from daylily_notifier.build import Outside, build
from daylily_notifier.settings import NotifierSettings
from daylily_runtime import SystemClock, running
from daylily_state.build import state_server
from daylily_state.settings import StateSettings
from tests.integration.notifier.deployment import NOTIFIER, QUICK, arrived, one_channel, tell


@pytest.fixture
def replica(dynamodb_local, monkeypatch):
    """Makes state servers that share their tables."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", dynamodb_local.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", dynamodb_local.secret_access_key)
    prefix = f"{uuid4().hex[:8]}-"

    def make():
        settings = StateSettings.load(
            port=0,
            store="dynamodb",
            dynamodb_endpoint=dynamodb_local.endpoint_url,
            aws_region=dynamodb_local.region,
            table_prefix=prefix,
            create_tables=True,
            drain_seconds=0.5,
        )
        return state_server(settings, clock=SystemClock())

    return make


async def test_events_of_both_arrive_and_one_is_enough(replica, topic):
    first, second = replica(), replica()
    async with (
        running(second),
        running(first),
        AsyncStateClient(first.address, QUICK) as at_first,
        AsyncStateClient(second.address, QUICK) as at_second,
    ):
        both = f"{first.address},{second.address}"
        notifier = build(
            NotifierSettings.load(port=0, state_address=both, drain_seconds=0.5),
            one_channel(topic),
            Outside(connect=lambda given: AsyncStateClient(given.state_address, NOTIFIER)),
        )
        async with running(notifier), AsyncNotifierClient(notifier.address, QUICK) as client:
            await notifier.wait_serving()
            await tell(at_first, "by the first")
            await tell(at_second, "by the second")
            heard = {message.subject for message in await arrived(topic, 2)}
            assert heard == {"by the first", "by the second"}
            await first.stop()
            await tell(at_second, "the first is gone")
            received = await arrived(topic, 1)
            assert [message.subject for message in received] == ["the first is gone"]
            assert (await client.get_notifier_stats()).delivered == 3
