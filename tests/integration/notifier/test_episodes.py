"""One open episode for a workset and a cause: told once, counted, and closed where it was opened."""

from daylily.workset.v1 import delivery_pb2, event_pb2, workset_pb2

from tests.integration.notifier.deployment import all_finished, tell, until
from tests.integration.notifier.people import (
    cluster,
    complete,
    fail,
    people,
    register,
    retry,
)
from tests.support.places import Reply

FOLDED = delivery_pb2.DELIVERY_STATE_FOLDED


async def test_a_failure_is_told_once_taken_up_and_over(lab, state):
    async with people(digest="off") as told, lab.running(told.config):
        await register(state, "ws-1")
        await fail(state, "ws-1")
        await all_told(state, told, 1)
        await retry(state, "ws-1")
        await complete(state, "ws-1")
        await all_told(state, told, 2)
    assert told.subjects == ["Workset ws-1 failed", "Recovered: Workset ws-1 is complete"]
    (key,) = told.pagerduty.incidents
    assert told.pagerduty.actions(key) == ["trigger", "acknowledge", "resolve"]
    assert told.webhook.requests[0].json["episode"]["act"] == "open"
    assert "error, once since" in told.webhook.requests[1].json["facts"]["Trouble"]


async def test_what_fails_again_after_somebody_took_it_up_is_told_again(lab, state):
    async with people(digest="off") as told, lab.running(told.config):
        await register(state, "ws-1")
        for _ in range(2):
            await fail(state, "ws-1")
            await all_finished(state)
            await retry(state, "ws-1")
        await complete(state, "ws-1")
        await all_told(state, told, 3)
    assert told.subjects == [
        "Workset ws-1 failed",
        "Again: Workset ws-1 failed",
        "Recovered: Workset ws-1 is complete",
    ]
    (key,) = told.pagerduty.incidents
    assert told.pagerduty.actions(key) == [
        "trigger",
        "acknowledge",
        "trigger",
        "acknowledge",
        "resolve",
    ]


async def test_repeats_are_counted_and_not_sent(lab, state):
    async with people("[cluster_silent]", digest="off") as told, lab.running(told.config):
        for _ in range(4):
            await tell(
                state,
                "no report",
                subject=cluster("c1"),
                type=event_pb2.EVENT_TYPE_CLUSTER_SILENT,
            )
        await tell(
            state, "back", subject=cluster("c1"), type=event_pb2.EVENT_TYPE_CLUSTER_RECOVERED
        )
        await all_told(state, told, 2)
        counted = await state.list_deliveries(channel="chat", states=[FOLDED])
    assert told.subjects == ["Cluster c1 is silent", "Recovered: Cluster c1 reports again"]
    assert len(counted.deliveries) == 3
    assert "4 times since" in told.webhook.requests[1].json["facts"]["Trouble"]
    (key,) = told.pagerduty.incidents
    assert told.pagerduty.actions(key) == ["trigger", "resolve"]


async def test_a_new_trouble_after_a_recovery_is_another_episode(lab, state):
    silent, back = event_pb2.EVENT_TYPE_CLUSTER_SILENT, event_pb2.EVENT_TYPE_CLUSTER_RECOVERED
    async with people("[cluster_silent]", digest="off") as told, lab.running(told.config):
        for type_ in (silent, back, silent, back):
            await tell(state, "x", subject=cluster("c1"), type=type_)
        await all_told(state, told, 4)
    assert len(told.pagerduty.incidents) == 2
    assert all(
        told.pagerduty.actions(key) == ["trigger", "resolve"] for key in told.pagerduty.incidents
    )


async def test_a_pager_hears_nothing_of_what_is_no_trouble(lab, state):
    async with people("[state_change, external]", digest="off") as told, lab.running(told.config):
        await register(state, "ws-1")
        await complete(state, "ws-1")
        await tell(state, "from outside")
        await all_told(state, told, 5)
    assert told.subjects[-1] == "from outside"
    (key,) = told.pagerduty.incidents
    assert told.pagerduty.incidents[key][0]["payload"]["summary"] == "from outside"


async def test_a_cancelled_workset_closes_its_trouble(lab, state):
    async with people("[error]", digest="off") as told, lab.running(told.config):
        await register(state, "ws-1")
        await fail(state, "ws-1")
        await all_told(state, told, 1)
        await state.update_state(workset_id="ws-1", state=workset_pb2.WORKSET_STATE_IGNORED)
        await all_told(state, told, 2)
    assert told.subjects[1] == "Closed: Workset ws-1 was cancelled"
    (key,) = told.pagerduty.incidents
    assert told.pagerduty.actions(key) == ["trigger", "resolve"]


async def test_a_channel_that_heard_nothing_of_the_failure_hears_nothing_of_its_end(lab, state):
    async with people("[lock_timeout]", digest="off") as told, lab.running(told.config):
        await register(state, "ws-1")
        await fail(state, "ws-1")
        await retry(state, "ws-1")
        await complete(state, "ws-1")
        await tell(state, "x", type=event_pb2.EVENT_TYPE_QUEUE_BACKLOG)
        await all_finished(state)
    assert told.subjects == []
    assert told.pagerduty.incidents == {}


async def all_told(state, told, messages):
    async def there():
        return len(told.webhook.requests) >= messages

    await until(there)
    await all_finished(state)


async def test_a_recovery_does_not_overtake_a_failure_that_was_refused_for_a_while(lab, state):
    """A pager that is told of the failure after its end would ring, and nobody would resolve it."""
    refusals = 3

    def moody(request):
        nonlocal refusals
        if "Again:" in request.body.decode() and refusals:
            refusals -= 1
            return Reply(503)
        pagerduty = told.pagerduty.answer
        return pagerduty(request) if "event_action" in request.json else Reply(200)

    async with people(digest="off", answer=moody) as told, lab.running(told.config):
        await register(state, "ws-1")
        for _ in range(2):
            await fail(state, "ws-1")
            await retry(state, "ws-1")
        await complete(state, "ws-1")

        async def recorded():
            return len((await state.list_deliveries()).deliveries) == 3 + 5

        await until(recorded)
        await all_finished(state)
    (key,) = told.pagerduty.incidents
    assert told.pagerduty.actions(key)[-1] == "resolve"
    assert told.subjects[-1] == "Recovered: Workset ws-1 is complete"
