"""What a run costs on a cluster, in US dollars, item by item."""

import math
from dataclasses import dataclass

from daylily_scheduler.domain.model import Cluster, Estimate, Needs

COMPUTE = "compute"


@dataclass(frozen=True, slots=True)
class CostItem:
    kind: str
    usd: float


def work_vcpu_hours(needs: Needs, estimate: Estimate) -> float:
    """The work of a run: as stated, else its vCPUs for its expected length; 0 when neither is."""
    return estimate.vcpu_hours or needs.amount.vcpus * estimate.hours


def cost_items(needs: Needs, estimate: Estimate, cluster: Cluster) -> tuple[CostItem, ...]:
    """The parts of the cost. Work that nobody stated costs its estimate, the same everywhere."""
    work = work_vcpu_hours(needs, estimate)
    compute = work * cluster.price_per_vcpu_hour_usd if work else estimate.cost_usd
    return (CostItem(COMPUTE, compute),)


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
