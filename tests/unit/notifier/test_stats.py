from datetime import timedelta

from daylily_notifier.feed.follower import batched
from daylily_notifier.feed.stats import Stats
from tests.unit.notifier.events import NOON


def test_latencies_are_those_that_a_share_of_deliveries_did_not_exceed():
    stats = Stats(NOON)
    assert stats.latency(0.99) == timedelta(0)
    stats.latencies.extend(timedelta(seconds=n) for n in range(100, 0, -1))
    assert stats.latency(0.5) == timedelta(seconds=51)
    assert stats.latency(0.99) == timedelta(seconds=100)


def test_only_the_last_thousand_count():
    stats = Stats(NOON)
    stats.latencies.extend(timedelta(seconds=n) for n in range(2000))
    assert stats.latency(0.0) == timedelta(seconds=1000)


def test_batches_keep_order_and_lose_nothing():
    assert list(batched([1, 2, 3, 4, 5], 2)) == [[1, 2], [3, 4], [5]]
    assert list(batched([], 2)) == []
