"""Ten thousand events at once are a few messages, in which every one of them is accounted for."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from daylily.workset.v1 import delivery_pb2

from daylily_client import async_pages
from daylily_notifier.domain.deliveries import episode_id
from daylily_state.domain.commands import Publish
from daylily_state.domain.events import EventType
from daylily_state.domain.model import LANES, SubjectKind, lane_of
from daylily_state.domain.moment import Moment
from daylily_state.domain.publishing import publish
from daylily_state.store.sqlite import commits, schema
from tests.integration.notifier.deployment import until
from tests.integration.notifier.people import people

EVENTS = 10_000
CLUSTERS = 100
WAITS = [delivery_pb2.DELIVERY_STATE_PENDING, delivery_pb2.DELIVERY_STATE_CLAIMED]


@pytest.fixture
def speed():
    """As on the wall: so much work at once is not done in a lease that runs faster."""
    return 1


def burst(path):
    """As that many calls of PublishEvent would leave them: clusters that fall silent, over and over."""
    heads = [0] * LANES
    db = schema.connect(path)
    db.execute("BEGIN IMMEDIATE")
    for number in range(EVENTS):
        command = Publish(
            subject_kind=SubjectKind.CLUSTER,
            subject_id=f"c{number % CLUSTERS}",
            type=EventType.CLUSTER_SILENT,
            reason=f"not heard since {number}",
            actor="scheduler",
        )
        lane = lane_of(command.subject_kind, command.subject_id)
        now = datetime.now(UTC) + timedelta(microseconds=number)
        commits.apply(db, publish(None, command, Moment(now, uuid4().hex, heads[lane], 0.5)))
        heads[lane] += 1
    db.execute("COMMIT")
    db.close()


async def listed(state, **filters):
    pages = async_pages(state.list_deliveries, page_size=500, **filters)
    return [delivery async for page in pages for delivery in page.deliveries]


async def test_ten_thousand_events_are_two_messages_and_all_are_accounted_for(lab, state):
    await lab.stop_state()
    burst(lab.folder / "state.db")
    await lab.start_state()
    async with people("[cluster_silent]", digest="60m") as told, lab.running(told.config) as asked:

        async def decided():
            handled = (await asked.get_notifier_stats()).events_handled
            return handled >= EVENTS and all(
                each.digest_id for each in await listed(state, states=WAITS)
            )

        async def over():
            return not await listed(state, states=WAITS)

        await until(decided, 60, every=0.2)
        lab.clock.skip(3600)
        await until(over, 60, every=0.2)
        deliveries = await listed(state)
        counted = [
            (await state.get_episode(episode_id=episode_id("CLUSTER", f"c{number}", "silent")))
            for number in range(CLUSTERS)
        ]
    assert sum(answer.episode.occurrences for answer in counted) == EVENTS
    assert Counter(each.channel for each in deliveries) == {"chat": EVENTS, "pager": EVENTS}
    assert len({(each.channel, each.event.event_id) for each in deliveries}) == 2 * EVENTS
    assert len(told.webhook.requests) == told.pagerduty.opened == 2
    assert sum(
        int(each.json["attributes"].get("count", "1")) for each in told.webhook.requests
    ) == (CLUSTERS)
