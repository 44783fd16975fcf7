"""Spot prices as EC2 gives them, from moto."""

import boto3
import pytest

from daylily_runtime import Offload
from daylily_scheduler.domain.offers import like
from daylily_scheduler.prices.ec2 import Ec2SpotPrices
from daylily_scheduler.prices.spot import QuotesError, quoted, wanted
from tests.support.scheduling import NOW, cluster

pytestmark = pytest.mark.timeout(120)

TYPES = frozenset({"c5.24xlarge", "m5.8xlarge"})


@pytest.fixture
def aws(empty_aws, monkeypatch):
    for name, value in empty_aws.environment.items():
        monkeypatch.setenv(name, value)
    return empty_aws


@pytest.fixture
async def market(aws):
    threads = Offload(workers=1, waiting=1, name="ec2")
    yield Ec2SpotPrices(threads)
    await threads.close()


async def test_a_price_is_that_of_a_vcpu(market):
    quotes = await market.read({"us-west-2": TYPES})
    vcpus = {"c5.24xlarge": 96, "m5.8xlarge": 32}
    assert {kind for _, kind in quotes} == TYPES
    assert all(zone.startswith("us-west-2") for zone, _ in quotes)
    for (_, kind), price in quotes.items():
        # moto sells everything for the same.
        assert price == pytest.approx(0.00001 / vcpus[kind])


async def test_each_region_is_asked_for_its_own(market):
    quotes = await market.read({"us-west-2": TYPES, "eu-central-1": TYPES})
    assert {zone[:-1] for zone, _ in quotes} == {"us-west-2", "eu-central-1"}


async def test_a_type_that_does_not_exist_has_no_price_and_the_others_have(market):
    quotes = await market.read({"us-west-2": frozenset({"c5.24xlarge", "c5.of-nobody"})})
    assert {kind for _, kind in quotes} == {"c5.24xlarge"}


async def test_an_offer_takes_the_cheapest_of_its_types_in_its_zone(market):
    (offer,) = like([cluster("c1", zone="us-west-2a", instance_types=TYPES)])
    quotes = {
        ("us-west-2a", "c5.24xlarge"): 0.02,
        ("us-west-2a", "m5.8xlarge"): 0.03,
        ("us-west-2b", "m5.8xlarge"): 0.01,
        ("us-west-2a", "r5.large"): 0.001,
    }
    assert quoted(offer, quotes).price_per_vcpu_hour_usd == 0.02
    assert quoted(offer, {}) is None
    assert wanted([offer]) == {}


async def test_without_an_answer_it_says_why(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")
    threads = Offload(workers=1, waiting=1, name="ec2")
    with pytest.raises(QuotesError, match="us-west-2: "):
        await Ec2SpotPrices(threads).read({"us-west-2": TYPES})
    await threads.close()


async def test_what_is_no_price_is_refused(market, monkeypatch):
    class Page:
        def paginate(self, **_):
            return [
                {
                    "SpotPriceHistory": [
                        {
                            "AvailabilityZone": "us-west-2a",
                            "InstanceType": "c5.24xlarge",
                            "SpotPrice": "cheap",
                            "Timestamp": NOW,
                        }
                    ]
                }
            ]

    client = boto3.client("ec2", region_name="us-west-2")
    paginator = client.get_paginator
    client.get_paginator = lambda name: Page() if "spot" in name else paginator(name)
    monkeypatch.setattr(market, "_client", lambda _: client)
    with pytest.raises(QuotesError, match="answered something else"):
        await market.read({"us-west-2": frozenset({"c5.24xlarge"})})
