"""What a run costs on a cluster, in US dollars, item by item."""

import math
from dataclasses import dataclass

from daylily_scheduler.domain.model import Cluster, Estimate, Needs
from daylily_scheduler.domain.rules import DEFAULT_RULES, Rules

COMPUTE = "compute"
TRANSFER = "transfer"
IDLE = "idle"
# Of a cluster to create: until it takes work, and while it has some.
START = "start"
FIXED = "fixed"


@dataclass(frozen=True, slots=True)
class CostItem:
    kind: str
    usd: float


def work_vcpu_hours(needs: Needs, estimate: Estimate) -> float:
    """The work of a run: as stated, else its vCPUs for its expected length; 0 when neither is."""
    return estimate.vcpu_hours or needs.amount.vcpus * estimate.hours


def run_hours(needs: Needs, estimate: Estimate, rules: Rules = DEFAULT_RULES) -> float:
    """How long a run is expected to take: as stated, else its work over its vCPUs, else a default."""
    if estimate.hours:
        return estimate.hours
    if estimate.vcpu_hours and needs.amount.vcpus:
        return estimate.vcpu_hours / needs.amount.vcpus
    return rules.default_hours


def cost_items(
    needs: Needs, estimate: Estimate, cluster: Cluster, rules: Rules = DEFAULT_RULES
) -> tuple[CostItem, ...]:
    """What the run itself costs. Work that nobody stated costs its estimate, the same everywhere. A
    cluster that states no region is not taken to be far from the data.
    """
    work = work_vcpu_hours(needs, estimate)
    compute = work * cluster.price_per_vcpu_hour_usd if work else estimate.cost_usd
    items = [CostItem(COMPUTE, compute)]
    is_far = cluster.region and estimate.data_region not in {"", cluster.region}
    if estimate.data_gb and is_far:
        items.append(CostItem(TRANSFER, estimate.data_gb * rules.transfer_usd_per_gb))
    return tuple(items)


def idle_item(cluster: Cluster, longer_hours: float) -> tuple[CostItem, ...]:
    """What it costs that the cluster has to live longer for the run than it would without it, by so
    many hours. A run beside longer ones costs nothing here; one that keeps the cluster to itself
    costs it for all its length.
    """
    usd = cluster.fixed_cost_per_hour_usd * longer_hours
    return (CostItem(IDLE, usd),) if usd > 0 else ()


def total_usd(items: tuple[CostItem, ...]) -> float:
    return math.fsum(item.usd for item in items)


def highest_price(needs: Needs, estimate: Estimate) -> float:
    """The price of a vCPU-hour above which the run would cost more than it may: an upper bound for
    sorting worksets; whether one is affordable is decided by its cost.
    """
    if not estimate.max_cost_usd:
        return math.inf
    work = work_vcpu_hours(needs, estimate)
    if work:
        return estimate.max_cost_usd / work
    return math.inf if estimate.cost_usd <= estimate.max_cost_usd else 0.0
