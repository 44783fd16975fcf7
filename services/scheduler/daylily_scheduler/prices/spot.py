"""Spot prices as a port, and what they make of offers. `ec2` has them from EC2."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Protocol

from daylily_scheduler.domain.offers import Offer

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
