"""Spot prices as EC2 has them. Only a scheduler that is to ask EC2 loads AWS's libraries."""

from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from daylily_runtime import Offload, OffloadSaturatedError, OffloadTimeoutError
from daylily_scheduler.prices.spot import Quotes, QuotesError

if TYPE_CHECKING:
    from types_boto3_ec2 import EC2Client

CALL_SECONDS: Final = 60.0
PRODUCTS: Final = ("Linux/UNIX", "Linux/UNIX (Amazon VPC)")
TYPES_A_CALL: Final = 100


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
