"""Spot prices, as a port and as EC2 has them."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final, Protocol

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from daylily_runtime import Offload, OffloadSaturatedError, OffloadTimeoutError
from daylily_scheduler.domain.offers import Offer

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

CALL_SECONDS: Final = 60.0
PRODUCTS: Final = ("Linux/UNIX", "Linux/UNIX (Amazon VPC)")
TYPES_A_CALL: Final = 100

# US dollars per vCPU-hour, by zone and instance type.
Quotes = Mapping[tuple[str, str], float]


class QuotesError(Exception):
    """Spot prices could not be read; says why."""


class SpotPrices(Protocol):
    """Where spot prices come from."""

    async def read(self, types_by_region: Mapping[str, frozenset[str]]) -> Quotes:
        """Today's prices of these instance types. One that is not offered is left out.

        Raises:
            QuotesError: they cannot be had.
        """
        ...


class Ec2SpotPrices:
    """Spot prices by DescribeSpotPriceHistory, and the vCPUs of a type by DescribeInstanceTypes.

    Credentials come from where boto3 finds them; they need ec2:DescribeSpotPriceHistory and
    ec2:DescribeInstanceTypes.

    Args:
        offload: where its calls block.
        now: the time.
    """

    def __init__(self, offload: Offload, now: Callable[[], datetime] | None = None) -> None:
        self._offload = offload
        self._now = now or (lambda: datetime.now(UTC))
        self._clients: dict[str, EC2Client] = {}
        self._vcpus: dict[str, int] = {}

    async def read(self, types_by_region: Mapping[str, frozenset[str]]) -> Quotes:
        found: dict[tuple[str, str], float] = {}
        for region, types in sorted(types_by_region.items()):
            try:
                found |= await self._offload.run_within(CALL_SECONDS, self._quotes, region, types)
            except (BotoCoreError, ClientError) as error:
                raise QuotesError(f"{region}: {error}") from error
            except (OffloadTimeoutError, OffloadSaturatedError) as error:
                raise QuotesError(f"{region}: EC2 did not answer in time") from error
            except (KeyError, TypeError, ValueError) as error:
                # A proxy's page, say, or a price that is no number.
                raise QuotesError(f"{region}: EC2 answered something else: {error!r}") from error
        return found

    # --- in a thread ---

    def _quotes(self, region: str, types: frozenset[str]) -> dict[tuple[str, str], float]:
        client = self._client(region)
        self._learn_vcpus(client, types - set(self._vcpus))
        # With the same start and end, EC2 gives the price of that moment alone.
        at = self._now()
        latest: dict[tuple[str, str], tuple[datetime, float]] = {}
        pages = client.get_paginator("describe_spot_price_history").paginate(
            InstanceTypes=sorted(types),  # type: ignore[arg-type]
            ProductDescriptions=list(PRODUCTS),
            StartTime=at,
            EndTime=at,
        )
        for page in pages:
            for row in page["SpotPriceHistory"]:
                key = (row["AvailabilityZone"], str(row["InstanceType"]))
                vcpus = self._vcpus.get(key[1])
                since = row["Timestamp"]
                if vcpus and (key not in latest or latest[key][0] < since):
                    latest[key] = (since, float(row["SpotPrice"]) / vcpus)
        return {key: price for key, (_, price) in latest.items()}

    def _learn_vcpus(self, client: "EC2Client", types: Iterable[str]) -> None:
        wanted = sorted(types)
        for start in range(0, len(wanted), TYPES_A_CALL):
            # By a filter: a type that does not exist would fail the whole call.
            pages = client.get_paginator("describe_instance_types").paginate(
                Filters=[{"Name": "instance-type", "Values": wanted[start : start + TYPES_A_CALL]}]
            )
            for page in pages:
                for row in page["InstanceTypes"]:
                    self._vcpus[str(row["InstanceType"])] = row["VCpuInfo"]["DefaultVCpus"]

    def _client(self, region: str) -> "EC2Client":
        if region not in self._clients:
            limits = Config(
                connect_timeout=5,
                read_timeout=15,
                retries={"total_max_attempts": 3, "mode": "standard"},
            )
            self._clients[region] = boto3.session.Session().client(
                "ec2", region_name=region, config=limits
            )
        return self._clients[region]


def wanted(offers: Iterable[Offer]) -> dict[str, frozenset[str]]:
    """The instance types that these offers need prices of, by region."""
    found: dict[str, set[str]] = {}
    for offer in offers:
        if offer.region and offer.instance_types:
            found.setdefault(offer.region, set()).update(offer.instance_types)
    return {region: frozenset(types) for region, types in found.items()}


def quoted(offer: Offer, quotes: Quotes) -> Offer | None:
    """The offer at the price of the cheapest of its types in its zone; None when none is quoted."""
    prices = [
        price
        for (zone, kind), price in quotes.items()
        if kind in offer.instance_types and (zone == offer.zone or not offer.zone)
    ]
    return replace(offer, price_per_vcpu_hour_usd=min(prices)) if prices else None
