"""The operator's table of clusters that can be created: a YAML file, checked key by key.

start_minutes: 15
clusters:
- zone: us-west-2a
instance_types: [c7i.48xlarge]
vcpus: 192
memory_gb: 384
slots: 8
price_per_vcpu_hour_usd: 0.02
fixed_cost_per_hour_usd: 1.2
"""

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic_core import ErrorDetails

from daylily_scheduler.domain.offers import IDLE_SHUTDOWN, START, Offer
from daylily_scheduler.domain.resources import MB_PER_GB, Resources

MINUTE = timedelta(minutes=1)
MOST_CLUSTERS = 200

Usd = Annotated[float, Field(ge=0, le=1000, allow_inf_nan=False)]
Minutes = Annotated[float, Field(ge=0, le=1440, allow_inf_nan=False)]
Word = Annotated[str, Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]


class TableError(Exception):
    """The table cannot be used: a line for each fault, which names the key."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A line of the table. `priced` is false where the price is left to EC2."""

    offer: Offer
    priced: bool


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class _Cluster(_Section):
    zone: Word
    region: Word | None = None
    instance_types: Annotated[list[Word], Field(max_length=16)] = Field(default_factory=list)
    vcpus: Annotated[int, Field(ge=1, le=100_000)]
    memory_gb: Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
    storage_gb: Annotated[float, Field(ge=0, le=100_000_000, allow_inf_nan=False)] = 0.0
    slots: Annotated[int, Field(ge=1, le=100_000)] = 1
    price_per_vcpu_hour_usd: Usd | None = None
    fixed_cost_per_hour_usd: Usd | None = None
    most: Annotated[int, Field(ge=0, le=1000)] = 0


class _Table(_Section):
    start_minutes: Minutes = START / MINUTE
    idle_shutdown_minutes: Minutes = IDLE_SHUTDOWN / MINUTE
    fixed_cost_per_hour_usd: Usd = 0.0
    clusters: Annotated[list[_Cluster], Field(min_length=1, max_length=MOST_CLUSTERS)]


def read_table(path: Path, *, spot: bool) -> tuple[Listed, ...]:
    """The table in a file.

    Args:
        path: of the file.
        spot: whether a cluster without a price gets that of EC2.

    Raises:
        TableError: it cannot be read, or is wrong; every fault names its key.
    """
    try:
        data = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise TableError(f"{path}: cannot be read: {error}") from error
    try:
        table = _Table.model_validate({} if data is None else data)
    except ValidationError as error:
        faults = error.errors(include_url=False, include_input=False)
        raise TableError("\n".join(f"{path}: {_sentence(fault)}" for fault in faults)) from None
    missing = [
        f"{path}: clusters[{index}].price_per_vcpu_hour_usd is missing; spot prices are not asked for"
        if not spot
        else f"{path}: clusters[{index}] needs price_per_vcpu_hour_usd or instance_types"
        for index, cluster in enumerate(table.clusters)
        if cluster.price_per_vcpu_hour_usd is None and not (spot and cluster.instance_types)
    ]
    if missing:
        raise TableError("\n".join(missing))
    return tuple(_listed(table, cluster) for cluster in table.clusters)


def _listed(table: _Table, cluster: _Cluster) -> Listed:
    fixed = cluster.fixed_cost_per_hour_usd
    offer = Offer(
        region=cluster.region or region_of(cluster.zone),
        zone=cluster.zone,
        instance_types=frozenset(cluster.instance_types),
        size=Resources(
            cluster.vcpus,
            round(cluster.memory_gb * MB_PER_GB),
            round(cluster.storage_gb * MB_PER_GB),
            cluster.slots,
        ),
        price_per_vcpu_hour_usd=cluster.price_per_vcpu_hour_usd or 0.0,
        fixed_cost_per_hour_usd=table.fixed_cost_per_hour_usd if fixed is None else fixed,
        start=table.start_minutes * MINUTE,
        idle_shutdown=table.idle_shutdown_minutes * MINUTE,
        most=cluster.most,
    )
    return Listed(offer, cluster.price_per_vcpu_hour_usd is not None)


def region_of(zone: str) -> str:
    """us-west-2 of us-west-2a; as it is where it ends in no letter."""
    return zone[:-1] if zone[-1:].isalpha() and zone[-2:-1].isdigit() else zone


def _sentence(fault: ErrorDetails) -> str:
    key = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in fault["loc"]
    ).lstrip(".")
    if fault["type"] == "extra_forbidden":
        return f"{key}: there is no such key"
    if fault["type"] == "missing":
        return f"{key} is missing"
    return f"{key or 'the file'}: {fault['msg'][0].lower()}{fault['msg'][1:]}"
