"""Where a workset goes: the cheapest feasible cluster in dollars, the tightest fit among equals."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from daylily_scheduler.domain.cost import CostItem, cost_items, idle_item, total_usd
from daylily_scheduler.domain.feasibility import fits, rejections
from daylily_scheduler.domain.fleet import Fleet
from daylily_scheduler.domain.model import Cluster, Workset
from daylily_scheduler.domain.reasons import Reason
from daylily_scheduler.domain.rules import DEFAULT_RULES, Rules

PlacementKey = tuple[float, float, float, str]


@dataclass(frozen=True, slots=True)
class Placement:
    """A cluster as a place for one workset. `left_over` is the share of the cluster, 0 to 1, that
    would stay free beside it: the smaller, the tighter the packing.
    """

    cluster_name: str
    items: tuple[CostItem, ...]
    price_per_vcpu_hour_usd: float
    left_over: float
    rejections: tuple[Reason, ...] = ()

    @property
    def feasible(self) -> bool:
        return not self.rejections

    @property
    def cost_usd(self) -> float:
        return total_usd(self.items)

    @property
    def key(self) -> PlacementKey:
        """Smaller is better. Costs are compared to the cent, so that packing decides between equals;
        the price decides for work whose cost nobody knows; the name makes the order total.
        """
        return (
            round(self.cost_usd, 2),
            self.price_per_vcpu_hour_usd,
            self.left_over,
            self.cluster_name,
        )


def place_on(
    workset: Workset,
    cluster: Cluster,
    fleet: Fleet,
    rules: Rules = DEFAULT_RULES,
    longer_hours: float = 0.0,
) -> Placement:
    """The cluster as a place for the workset. `longer_hours`: by how much the cluster has to live
    longer for it.
    """
    return Placement(
        cluster_name=cluster.cluster_name,
        items=(
            *cost_items(workset.needs, workset.estimate, cluster, rules),
            *idle_item(cluster, rules.idle_share * longer_hours),
        ),
        price_per_vcpu_hour_usd=cluster.price_per_vcpu_hour_usd,
        left_over=share_left_over(workset, cluster, fleet),
    )


def cheapest(
    workset: Workset, clusters: Iterable[Cluster], fleet: Fleet, now: datetime
) -> Placement | None:
    """The best place among these clusters; None when the workset fits on none of them."""
    places = (
        place_on(workset, cluster, fleet)
        for cluster in clusters
        if fits(workset.needs, workset.estimate, cluster, fleet, now)
    )
    return min(places, key=lambda place: place.key, default=None)


def all_places(
    workset: Workset, fleet: Fleet, now: datetime, rules: Rules = DEFAULT_RULES
) -> list[Placement]:
    """Every cluster as a place for the workset: the feasible ones first, the best first."""
    places = [
        Placement(
            cluster_name=cluster.cluster_name,
            items=cost_items(workset.needs, workset.estimate, cluster, rules),
            price_per_vcpu_hour_usd=cluster.price_per_vcpu_hour_usd,
            left_over=share_left_over(workset, cluster, fleet),
            rejections=rejections(workset.needs, workset.estimate, cluster, fleet, now),
        )
        for cluster in fleet
    ]
    return sorted(places, key=lambda place: (len(place.rejections), place.key))


def share_left_over(workset: Workset, cluster: Cluster, fleet: Fleet) -> float:
    """The mean of the shares of vCPUs and memory that stay free."""
    free, need, capacity = (
        fleet.free(cluster.cluster_name),
        workset.needs.amount,
        cluster.capacity,
    )
    shares = []
    if capacity.vcpus:
        shares.append((free.vcpus - need.vcpus) / capacity.vcpus)
    if capacity.memory_mb:
        shares.append((free.memory_mb - need.memory_mb) / capacity.memory_mb)
    return sum(shares) / len(shares) if shares else 0.0
