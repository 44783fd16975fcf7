"""What the follower of the feed makes of events."""

import math

import pytest
from daylily.workset.v1 import event_pb2, workset_pb2

from daylily_runtime.clock import SystemClock
from daylily_scheduler.domain.model import Customer
from daylily_scheduler.feed.follower import Follower
from daylily_scheduler.feed.refresher import SPENDING_SECONDS, Refresher
from tests.support.scheduling import book


@pytest.mark.parametrize("state", ["COMPLETE", "ERROR"])
async def test_what_a_run_has_cost_is_read_though_its_end_was_known_already(state):
    # A scheduler that lost a pick reads the workset, and may find that it has ended.
    known, clock = book(), SystemClock()
    known.set_customers([Customer("acme", budget_usd=10)])
    refresher = Refresher(None, known, clock, lambda: None)
    follower = Follower(None, None, refresher, known, clock=clock, settle=lambda: None)
    ended = event_pb2.Event(
        workset_id="w",
        version=4,
        to_state=workset_pb2.WorksetState.Value(f"WORKSET_STATE_{state}"),
        customer_id="acme",
    )
    await follower._apply([ended])
    assert min(refresher._due.values(), default=math.inf) <= clock.monotonic() + SPENDING_SECONDS
