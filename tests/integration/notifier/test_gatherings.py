"""What was held back or sent at once is known, however late it comes again."""

from datetime import timedelta
from types import SimpleNamespace

import pytest
from daylily.workset.v1 import delivery_pb2, event_pb2

from daylily_notifier.feed.gathering import Gatherings
from tests.integration.notifier.people import cluster

MINUTE = timedelta(minutes=1)


@pytest.fixture
def speed():
    return 1


@pytest.fixture
def gatherings(lab, state):
    """Those of a notifier that knows only what state knows."""

    return lambda: Gatherings(SimpleNamespace(state=state, clock=lab.clock))


def delivery(delivery_id, **fields):
    event = event_pb2.Event(
        event_id=f"e-{delivery_id}",
        subject=cluster(delivery_id),
        type=event_pb2.EVENT_TYPE_CLUSTER_SILENT,
    )
    return delivery_pb2.Delivery(
        delivery_id=delivery_id, channel="chat", event=event, **{"attempts": 2, **fields}
    )


async def test_the_first_of_a_window_that_is_under_way_is_known_after_any_number_of_windows(
    lab, state, gatherings
):
    await state.put_deliveries(deliveries=[delivery("slow")])
    assert await gatherings().begin("g", "slow", MINUTE) is None
    for number in range(40):
        lab.clock.skip(61)
        assert await gatherings().begin("g", f"d{number}", MINUTE) is None
    # Whoever sent it may have died before that was recorded: it is sent again, with its key.
    assert await gatherings().begin("g", "slow", MINUTE) is None
    assert await gatherings().begin("g", "another", MINUTE) is not None


async def test_what_was_counted_by_one_that_died_is_not_counted_again_after_other_digests(
    gatherings,
):
    carrier, member = delivery("carrier"), delivery("member")
    (into,) = await gatherings().count("g", [carrier, member], MINUTE, "")
    await gatherings().seal(into.digest)
    for number in range(6):
        (other,) = await gatherings().count("g", [delivery(f"d{number}")], MINUTE, "")
        await gatherings().seal(other.digest)
    (again,) = await gatherings().count("g", [delivery("member", attempts=3)], MINUTE, "")
    assert (again.digest, again.carrier) == (into.digest, "")
