"""What is remembered of episodes does not grow with what is read."""

from datetime import UTC, datetime

from daylily_client import AsyncStateClient
from daylily_notifier.domain.event import Event
from daylily_notifier.feed.ledger import SUBJECTS, Ledger

NOW = datetime(2026, 5, 1, tzinfo=UTC)


def registered(number):
    return Event(
        event_id=f"e{number}",
        subject_kind="WORKSET",
        subject_id=f"ws-{number}",
        type="REGISTERED",
        occurred_at=NOW,
        version=1,
    )


async def test_events_that_open_no_trouble_are_forgotten_beyond_a_bound():
    """It never asks state: nobody listens there."""
    async with AsyncStateClient("127.0.0.1:1") as nobody:
        ledger = Ledger(nobody)
        for first in range(0, 2 * SUBJECTS, 500):
            await ledger.learn([registered(number) for number in range(first, first + 500)])
        assert len(ledger._known) <= SUBJECTS + 500


async def test_events_that_no_trouble_can_follow_from_are_not_remembered():
    async with AsyncStateClient("127.0.0.1:1") as nobody:
        ledger = Ledger(nobody)
        report = Event("e", "CLUSTER", "c1", "CLUSTER_REPORTED", NOW)
        await ledger.learn([report])
        assert not ledger._known
        assert not ledger.of(report)
