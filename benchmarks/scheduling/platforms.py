"""The clusters of a simulation, and the prices of their zones."""

import random
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.scheduling.workload import HOUR

# (vCPUs, slots): 1,728 vCPUs in all.
STATIC_SIZES: Final = ((192, 8), (384, 16)) * 3
VCPUS_OF_PRICED_INSTANCE: Final = 192
# A head node and a small file system of scratch space.
FIXED_USD_PER_HOUR: Final = 1.0
BOOT_SECONDS: Final = 0.25 * HOUR
IDLE_SECONDS: Final = 0.5 * HOUR
ELASTIC_MOST_CLUSTERS: Final = 12

# Dollars for a vCPU-hour in zones that look like those of the price file, for runs without one.
SYNTHETIC_PRICES: Final = {
    "zone-a": 0.0078,
    "zone-b": 0.0102,
    "zone-c": 0.0133,
    "zone-d": 0.0164,
    "zone-e": 0.0189,
    "zone-f": 0.0215,
    "zone-g": 0.0240,
    "zone-h": 0.0272,
}

_PRICE_LINE = re.compile(
    r"^(?P<zone>[a-z]{2}(?:-[a-z]+)+-\d[a-z])\s+\d+\s+\d+\s+(?P<usd>\d+\.\d+)\s"
)


class PricesError(ValueError):
    """A file of prices that holds none."""


@dataclass(frozen=True, slots=True)
class Site:
    """A cluster that exists or can be made.

    Attributes:
        price: dollars for a vCPU-hour at the start.
        fixed: dollars for every hour that it lives.
    """

    name: str
    zone: str
    vcpus: int
    slots: int
    price: float
    fixed: float = FIXED_USD_PER_HOUR


@dataclass(frozen=True, slots=True)
class Platform:
    """Where a simulation runs.

    Attributes:
        sites: the clusters.
        elastic: they are made when needed and go when idle; otherwise all live throughout.
        boot, idle: seconds until a new cluster takes work, and until an idle one is shut down.
    """

    sites: tuple[Site, ...]
    elastic: bool = False
    boot: float = BOOT_SECONDS
    idle: float = IDLE_SECONDS

    @property
    def vcpus(self) -> int:
        return sum(site.vcpus for site in self.sites)


def read_prices(path: Path) -> dict[str, float]:
    """Dollars for a vCPU-hour by zone: the median column of a table of spot prices for instances of
    192 vCPUs.

    Raises:
        PricesError: the file cannot be read or holds no row of the table.
    """
    try:
        lines = path.read_text().splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PricesError(f"{path}: {error}") from error
    found = {
        match["zone"]: float(match["usd"]) / VCPUS_OF_PRICED_INSTANCE
        for match in map(_PRICE_LINE.match, lines)
        if match
    }
    if not found:
        raise PricesError(f"{path}: no line holds a zone and its spot price")
    return found


def static(prices: dict[str, float], seed: str) -> Platform:
    """Six clusters of 192 and 384 vCPUs, 1,728 in all, each in a zone of its own."""
    zones = _zones(prices, len(STATIC_SIZES), seed)
    return Platform(
        tuple(
            Site(f"c{number}", zone, vcpus, slots, prices[zone])
            for number, (zone, (vcpus, slots)) in enumerate(
                zip(zones, STATIC_SIZES, strict=True), start=1
            )
        )
    )


def elastic(prices: dict[str, float], seed: str) -> Platform:
    """At most twelve clusters, of the sizes of the static platform and in six zones: its six and as
    many again.
    """
    zones = _zones(prices, len(STATIC_SIZES), seed)
    sizes = STATIC_SIZES * (ELASTIC_MOST_CLUSTERS // len(STATIC_SIZES))
    return Platform(
        tuple(
            Site(f"c{number + 1}", zones[number % len(zones)], vcpus, slots, prices[zone])
            for number, (vcpus, slots) in enumerate(sizes)
            for zone in (zones[number % len(zones)],)
        ),
        elastic=True,
    )


def _zones(prices: dict[str, float], count: int, seed: str) -> Sequence[str]:
    """Drawn from the cheaper half: whoever makes a cluster looks at the price of the zone."""
    if len(prices) < count:
        raise PricesError(f"prices of {count} zones are needed, there are {len(prices)}")
    by_price = sorted(prices, key=lambda zone: (prices[zone], zone))
    return random.Random(seed).sample(by_price[: max(len(by_price) // 2, count)], count)
