"""Many troubles of one cause become few messages, in which every one of them is counted."""

from datetime import timedelta

import pytest
from daylily.workset.v1 import delivery_pb2

from daylily_client import async_pages
from tests.integration.notifier.deployment import all_finished, tell, until
from tests.integration.notifier.people import complete, fail, fail_many, people, register, retry

FOLDED = delivery_pb2.DELIVERY_STATE_FOLDED
DELIVERED = delivery_pb2.DELIVERY_STATE_DELIVERED
MANY = 120


async def every_delivery(state, channel):
    return [
        delivery
        async for page in async_pages(state.list_deliveries, channel=channel, page_size=500)
        for delivery in page.deliveries
    ]


async def recorded(state, channel, count):
    async def there():
        return len(await every_delivery(state, channel)) >= count

    await until(there)


async def four_failed(state):
    """ws-0 to ws-3 fail, and the pager has been told."""
    for number in range(4):
        await register(state, f"ws-{number}")
        await fail(state, f"ws-{number}")
    await recorded(state, "pager", 4)
    await all_finished(state, 40)


def counted(requests):
    """How many troubles the messages of a channel account for."""
    return sum(int(request.json["attributes"].get("count", "1")) for request in requests)


@pytest.mark.parametrize("speed", [5])
async def test_a_cluster_that_dies_is_three_messages_at_most_and_none_is_left_out(lab, state):
    async with people("[error]", digest="60m") as told, lab.running(told.config):
        await fail_many(state, MANY)
        for channel in ("chat", "pager"):
            await recorded(state, channel, MANY)
        lab.clock.skip(3600)
        await all_finished(state, 40)
        chat, pager = [await every_delivery(state, name) for name in ("chat", "pager")]
    assert len(told.webhook.requests) <= 3
    assert told.pagerduty.opened <= 3
    assert counted(told.webhook.requests) == MANY
    (digest, *_) = [
        request.json for request in told.webhook.requests if "digest" in request.json["attributes"]
    ]
    assert digest["subject"].endswith("more worksets failed on cluster c1 (DATA)")
    assert digest["attributes"]["count"] in digest["facts"]["Count"]
    assert digest["facts"]["Examples"].count("node lost") == 10
    for deliveries in (chat, pager):
        assert {delivery.state for delivery in deliveries} == {DELIVERED, FOLDED}
        assert len({delivery.event.workset_id for delivery in deliveries}) == MANY
        assert all(delivery.digest_id for delivery in deliveries if delivery.state == FOLDED)


async def test_the_incident_of_a_digest_is_resolved_with_the_last_of_its_troubles(lab, state):
    async with people("[error]", digest="1m") as told, lab.running(told.config):
        await four_failed(state)
        assert told.pagerduty.opened == 2
        first, digest = told.pagerduty.incidents
        assert "3 more worksets failed" in str(told.pagerduty.incidents[digest])
        for number in range(4):
            await retry(state, f"ws-{number}")
            await complete(state, f"ws-{number}")
            if number == 2:
                await recorded(state, "pager", 4 + 2 * 3)
                await all_finished(state, 40)
                assert told.pagerduty.actions(digest) == ["trigger"]
        await recorded(state, "pager", 4 + 2 * 4)
        await all_finished(state, 40)
    assert told.pagerduty.actions(first) == ["trigger", "acknowledge", "resolve"]
    assert told.pagerduty.actions(digest) == ["trigger", "resolve"]
    # The webhook heard of the recoveries in two messages as well: the first, and the others.
    assert counted(told.webhook.requests) == 8
    assert len(told.webhook.requests) <= 5


async def test_those_of_a_digest_that_fail_again_are_told_once_and_it_is_resolved_in_the_end(
    lab, state
):
    async with people("[error]", digest="1m") as told, lab.running(told.config):
        await four_failed(state)
        for number in range(4):
            await retry(state, f"ws-{number}")
            await fail(state, f"ws-{number}")
        await recorded(state, "pager", 4 * 3)
        await all_finished(state, 40)
        assert told.pagerduty.opened == 2
        first, digest = told.pagerduty.incidents
        assert told.pagerduty.actions(first) == ["trigger", "acknowledge", "trigger"]
        assert told.pagerduty.actions(digest) == ["trigger", "trigger"]
        for number in range(4):
            await retry(state, f"ws-{number}")
            await complete(state, f"ws-{number}")
        await recorded(state, "pager", 4 * 5)
        await all_finished(state, 40)
    assert told.pagerduty.opened == 2
    assert told.pagerduty.actions(first)[-1] == "resolve"
    assert told.pagerduty.actions(digest) == ["trigger", "trigger", "resolve"]


async def test_two_causes_are_two_stories(lab, state):
    async with people("[error]", digest="1m") as told, lab.running(told.config):
        for number in range(3):
            await register(state, f"ws-{number}")
            await fail(state, f"ws-{number}")
        await register(state, "odd")
        await fail(state, "odd", why="bad sheet")
        await recorded(state, "chat", 4)
        await all_finished(state, 40)
    assert counted(told.webhook.requests) == 4


async def test_more_than_the_rate_comes_after_as_one_message(lab, state):
    async with people("[external]", rate="5/1m") as told, lab.running(told.config):
        for number in range(30):
            await tell(state, f"message {number}")
        await recorded(state, "chat", 30)
        await all_finished(state, 40)
    subjects = told.subjects
    assert len(subjects) <= 6
    assert counted(told.webhook.requests) == 30
    assert any("messages were held back: more than 5 in 60 s" in each for each in subjects)


async def test_the_rate_holds_across_a_takeover(lab, state):
    async with people("[external]", rate="5/60m") as told:
        for life in range(3):
            async with lab.running(told.config, owner_id=f"n{life}"):
                for number in range(4):
                    await tell(state, f"message {life}.{number}")
                await recorded(state, "chat", 4 * (life + 1))

                async def all_decided():
                    return all(
                        each.state == DELIVERED or each.digest_id
                        for each in await every_delivery(state, "chat")
                    )

                await until(all_decided)
                assert len(told.webhook.requests) <= 5
                if life == 2:
                    lab.clock.skip(3600)
                    await all_finished(state, 40)
    assert counted(told.webhook.requests) == 12
    assert len(told.webhook.requests) <= 6


async def test_in_quiet_hours_only_what_is_urgent_gets_through(lab, state):
    now = lab.clock.now()
    quiet = {
        "from": f"{now - timedelta(minutes=1):%H:%M}",
        "to": f"{now + timedelta(minutes=4):%H:%M}",
        "time_zone": "UTC",
    }
    async with people("[external]", quiet_hours=quiet) as told, lab.running(told.config):
        await tell(state, "one")
        await tell(state, "fire", priority=1)
        await tell(state, "two")

        async def heard():
            return bool(told.subjects)

        await until(heard)
        assert told.subjects == ["URGENT: fire"]
        await all_finished(state, 40)
    assert told.subjects[1].startswith("2 messages were held back: quiet hours")
    assert "one" in told.webhook.requests[1].json["facts"]["Examples"]


async def test_a_single_one_that_was_held_back_is_told_as_itself(lab, state):
    async with people("[error]", digest="30s") as told, lab.running(told.config):
        for number in range(2):
            await register(state, f"ws-{number}")
            await fail(state, f"ws-{number}")
        await recorded(state, "chat", 2)
        await all_finished(state, 40)
        await retry(state, "ws-1")
        await complete(state, "ws-1")
        await recorded(state, "pager", 4)
        await all_finished(state, 40)
    assert told.subjects[:2] == ["Workset ws-0 failed", "Workset ws-1 failed"]
    _, second = told.pagerduty.incidents
    assert told.pagerduty.actions(second) == ["trigger", "acknowledge", "resolve"]
