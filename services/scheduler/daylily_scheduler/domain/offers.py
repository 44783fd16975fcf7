"""Clusters that could be created, and what they cost."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from daylily_scheduler.domain.model import Cluster, Needs, Workset
from daylily_scheduler.domain.resources import Resources

START = timedelta(minutes=15)
IDLE_SHUTDOWN = timedelta(minutes=30)


@dataclass(frozen=True, slots=True)
class Offer:
    """A kind of cluster that can be created.

    `start` is the time from asking to the first workset, `idle_shutdown` how long it exists with nothing to
    do; both are paid for by the fixed cost. `most` is how many there may be at once, those that exist not
    counted; 0 means no limit.
    """

    region: str
    zone: str
    instance_types: frozenset[str]
    size: Resources
    price_per_vcpu_hour_usd: float
    fixed_cost_per_hour_usd: float = 0.0
    start: timedelta = START
    idle_shutdown: timedelta = IDLE_SHUTDOWN
    most: int = 0

    def as_cluster(self, name: str, now: datetime) -> Cluster:
        """A cluster of this kind, as it would be known."""
        return Cluster(
            cluster_name=name,
            capacity=self.size,
            heard_at=now,
            region=self.region,
            zone=self.zone,
            instance_types=self.instance_types,
            price_per_vcpu_hour_usd=self.price_per_vcpu_hour_usd,
            fixed_cost_per_hour_usd=self.fixed_cost_per_hour_usd,
        )

    def suits(self, needs: Needs) -> bool:
        """Whether a cluster of this kind, empty, could take such work."""
        amount = needs.amount
        if not self.size.storage_mb:
            amount = Resources(amount.vcpus, amount.memory_mb, 0, amount.slots)
        return (
            self.size.covers(amount)
            and needs.zone in {"", self.zone}
            and (
                not needs.instance_types or not needs.instance_types.isdisjoint(self.instance_types)
            )
        )

    def run_usd(self, vcpus: int, hours: float) -> float:
        """What one more cluster costs for a single run: the work, and its fixed cost from the start to
        its shutdown.
        """
        exists = hours + (self.start + self.idle_shutdown) / timedelta(hours=1)
        return vcpus * hours * self.price_per_vcpu_hour_usd + exists * self.fixed_cost_per_hour_usd

    def words(self) -> str:
        """The kind, for people: "192 vCPUs (c7i.48xlarge, us-west-2a)"."""
        kinds = "/".join(sorted(self.instance_types))
        where = ", ".join(part for part in (kinds, self.zone or self.region) if part)
        return f"{self.size.vcpus} vCPUs ({where})" if where else f"{self.size.vcpus} vCPUs"


def like(clusters: Iterable[Cluster]) -> tuple[Offer, ...]:
    """Offers of more clusters of the kinds that there are, for operators who state none."""
    kinds = {
        Offer(
            region=cluster.region,
            zone=cluster.zone,
            instance_types=cluster.instance_types,
            size=cluster.capacity,
            price_per_vcpu_hour_usd=cluster.price_per_vcpu_hour_usd,
            fixed_cost_per_hour_usd=cluster.fixed_cost_per_hour_usd,
        )
        for cluster in clusters
    }
    return tuple(sorted(kinds, key=order))


@dataclass(frozen=True, slots=True)
class OneMore:
    """One more cluster for a single workset, and what its run costs there, all told."""

    offer: Offer
    usd: float


def one_more_for(workset: Workset, offers: Iterable[Offer], hours: float) -> OneMore | None:
    """The cheapest kind of cluster for a workset that runs for so long; None when none suits it, or
    costs less than it may.
    """
    vcpus, limit = workset.needs.amount.vcpus, workset.estimate.max_cost_usd
    found = [
        OneMore(offer, offer.run_usd(vcpus, hours))
        for offer in offers
        if offer.suits(workset.needs)
        and (not limit or vcpus * hours * offer.price_per_vcpu_hour_usd <= limit)
    ]
    return min(found, key=lambda each: (each.usd, order(each.offer)), default=None)


def order(offer: Offer) -> tuple[float, int, str, str, list[str], float]:
    """The cheapest first; total, so that the same offers always come in the same order."""
    return (
        offer.price_per_vcpu_hour_usd,
        offer.size.vcpus,
        offer.region,
        offer.zone,
        sorted(offer.instance_types),
        offer.fixed_cost_per_hour_usd,
    )
