"""What people hear of a workset's life."""

import pytest
from daylily.workset.v1 import workset_pb2

from daylily_notifier.config.load import one_topic
from tests.integration.notifier.deployment import arrived, config, handled, until

IN_PROGRESS = workset_pb2.WORKSET_STATE_IN_PROGRESS
COMPLETE = workset_pb2.WORKSET_STATE_COMPLETE
ERROR = workset_pb2.WORKSET_STATE_ERROR


@pytest.fixture
async def run(state):
    """Registers a workset and brings it IN_PROGRESS; gives its token."""

    async def begin(workset_id, **fields):
        await state.register_workset(
            workset_id=workset_id, bucket="lab", prefix=f"runs/{workset_id}/", **fields
        )
        token = (await state.acquire_lock(workset_id=workset_id, owner_id="m1")).lock_token
        await state.update_state(workset_id=workset_id, state=IN_PROGRESS, lock_token=token)
        return token

    return begin


def routed(topic, match):
    return config(f"""\
    channels: {{lab: {{kind: sns, topic_arn: '{topic.arn}', endpoint_url: '{topic.aws.endpoint_url}'}}}}
    routes: [{{match: {match}, channels: lab}}]
    """)


async def test_a_topic_alone_hears_what_ended_and_what_is_wrong(lab, state, topic, run):
    async with lab.running(one_topic(topic.arn, topic.aws.endpoint_url)):
        done = await run("ws-done")
        await state.update_state(workset_id="ws-done", state=COMPLETE, lock_token=done)
        bad = await run("ws-bad", priority=workset_pb2.PRIORITY_URGENT, customer_id="acme")
        await state.update_state(
            workset_id="ws-bad",
            state=ERROR,
            lock_token=bad,
            error_category=workset_pb2.ERROR_CATEGORY_DATA,
            error_details="HG003 has no reads",
            reason="exit code 65",
        )
        again = await run("ws-again")
        await state.update_state(
            workset_id="ws-again",
            state=ERROR,
            lock_token=again,
            error_category=workset_pb2.ERROR_CATEGORY_TRANSIENT,
            error_details="S3 was busy",
        )
        received = {
            message.attributes["workset_id"]: message for message in await arrived(topic, 3)
        }
    assert received["ws-done"].subject == "Workset ws-done is complete"
    assert received["ws-bad"].subject == "URGENT: Workset ws-bad failed"
    assert "FAILED (IN_PROGRESS to ERROR), attempt 1" in received["ws-bad"].body
    assert "DATA: exit code 65: HG003 has no reads" in received["ws-bad"].body
    assert "Customer:  acme" in received["ws-bad"].body
    assert "worksets retry ws-bad" in received["ws-bad"].body
    assert received["ws-again"].subject == "Workset ws-again failed and will be tried again"
    assert "Again at:  20" in received["ws-again"].body


async def test_the_changes_of_a_workset_arrive_in_order_on_fifo(lab, state, fifo_topic, run):
    async with lab.running(routed(fifo_topic, "{event: state_change}")):
        token = await run("ws-1")
        await state.update_state(workset_id="ws-1", state=COMPLETE, lock_token=token)
        received = await arrived(fifo_topic, 4)
    assert [message.attributes["event_type"] for message in received] == [
        "REGISTERED",
        "LOCK_ACQUIRED",
        "STARTED",
        "COMPLETED",
    ]


@pytest.mark.parametrize(
    ("match", "heard"),
    [
        ("{event: completion}", {"ws-1"}),
        ("{event: completion, priority: low}", set()),
        ("{event: completion, label: {team: wgs}}", {"ws-1"}),
        ("{event: completion, label: {team: rna}}", set()),
        ("{state: complete, customer: acme}", {"ws-1"}),
    ],
)
async def test_a_route_filters_worksets(lab, state, topic, run, match, heard):
    text_for_all = routed(topic, match)
    async with lab.running(text_for_all) as notifier:
        token = await run("ws-1", customer_id="acme", labels={"team": "wgs"})
        await state.update_state(workset_id="ws-1", state=COMPLETE, lock_token=token)
        if heard:
            received = await arrived(topic, 1)
            assert {message.attributes["workset_id"] for message in received} == heard
        await until(lambda: handled(notifier, 4))
        assert len((await state.list_deliveries()).deliveries) == len(heard)
