"""Prices are kept at hand, and a failure keeps the last ones and says so."""

import asyncio

import pytest

from daylily_runtime.testing import ManualClock
from daylily_runtime.wire import StartError
from daylily_scheduler.domain.offers import like
from daylily_scheduler.prices.keeper import REFRESH_SECONDS, RETRY_SECONDS, PriceKeeper
from daylily_scheduler.prices.spot import QuotesError
from tests.support.scheduling import NOW, cluster

UNPRICED = "clusters: [{zone: us-west-2a, instance_types: [c7i.large], vcpus: 8, memory_gb: 16.0}]"
TYPE = frozenset({"c7i.large"})


class Market:
    """Spot prices that a test sets, or a market that is closed."""

    def __init__(self, **prices):
        self.prices = prices
        self.asked = []

    async def read(self, types_by_region):
        self.asked.append(types_by_region)
        if self.prices is None:
            raise QuotesError("us-west-2: no credentials")
        return {(zone.replace("_", "-"), "c7i.large"): p for zone, p in self.prices.items()}


@pytest.fixture
def clock():
    return ManualClock(NOW)


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "offers.yaml"
    path.write_text(UNPRICED)
    return path


def none():
    return ()


async def test_a_price_comes_from_the_market_and_follows_it(clock, table):
    market = Market(us_west_2a=0.02, us_west_2b=0.01)
    keeper = PriceKeeper(table, market, none, clock)
    assert keeper.now.offers == ()
    assert keeper.now.problem == "1 kinds have no price yet"
    task = asyncio.create_task(keeper.run())
    await clock.settle()
    assert market.asked == [{"us-west-2": TYPE}]
    assert [offer.price_per_vcpu_hour_usd for offer in keeper.now.offers] == [0.02]
    assert (keeper.now.source, keeper.now.read_at, keeper.now.problem) == ("ec2", NOW, "")
    market.prices = {"us_west_2a": 0.05}
    await clock.advance(REFRESH_SECONDS)
    assert [offer.price_per_vcpu_hour_usd for offer in keeper.now.offers] == [0.05]
    task.cancel()


async def test_a_failure_keeps_the_last_prices_and_their_age_shows(clock, table):
    market = Market(us_west_2a=0.02)
    keeper = PriceKeeper(table, market, none, clock)
    task = asyncio.create_task(keeper.run())
    await clock.settle()
    market.prices = None
    await clock.advance(REFRESH_SECONDS)
    prices = keeper.now
    assert [offer.price_per_vcpu_hour_usd for offer in prices.offers] == [0.02]
    assert (prices.read_at, prices.problem) == (NOW, "us-west-2: no credentials")
    assert keeper.age_seconds() == REFRESH_SECONDS
    market.prices = {"us_west_2a": 0.03}
    await clock.advance(RETRY_SECONDS)
    assert keeper.now.problem == ""
    assert keeper.age_seconds() == 0
    task.cancel()


async def test_a_table_that_becomes_wrong_is_left_as_it_was(clock, table):
    table.write_text(UNPRICED.replace("vcpus: 8", "vcpus: 8, price_per_vcpu_hour_usd: 0.07"))
    keeper = PriceKeeper(table, None, none, clock)
    table.write_text("clusters: nonsense")
    await keeper.refresh()
    assert [offer.price_per_vcpu_hour_usd for offer in keeper.now.offers] == [0.07]
    assert "clusters: input should be a valid list" in keeper.now.problem
    assert (keeper.now.source, keeper.now.read_at) == ("file", NOW)


def test_a_table_that_is_wrong_at_the_start_is_refused_by_its_setting(clock, table):
    with pytest.raises(StartError, match=r"DAYLILY_CLUSTER_OFFERS_FILE: .*price_per_vcpu_hour_usd"):
        PriceKeeper(table, None, none, clock)


async def test_without_a_table_the_registered_kinds_count_at_their_prices(clock):
    keeper = PriceKeeper(None, None, lambda: like([cluster("c1", price=0.04)]), clock)
    await keeper.refresh()
    assert [offer.price_per_vcpu_hour_usd for offer in keeper.now.offers] == [0.04]
    assert (keeper.now.source, keeper.now.read_at, keeper.age_seconds()) == ("clusters", None, None)


async def test_registered_kinds_take_the_market_price_where_there_is_one(clock):
    def kinds():
        return like(
            [
                cluster("c1", price=0.04, zone="us-west-2a", instance_types=TYPE),
                cluster("c2", price=0.05, zone="us-west-2b"),
            ]
        )

    keeper = PriceKeeper(None, Market(us_west_2a=0.01), kinds, clock)
    await keeper.refresh()
    # Neither says its region, so nothing is asked for.
    assert [offer.price_per_vcpu_hour_usd for offer in keeper.now.offers] == [0.04, 0.05]
