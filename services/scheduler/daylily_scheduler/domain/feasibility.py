"""Whether a cluster can take a workset, and if not, why.

`fits` decides for a pick, quickly; `rejections` says everything for people. A property test holds
the two together.

The zone binds. Instance types bind as long as some cluster in the running has one of them, and a
preferred cluster as long as it can take the workset now: a wish that nobody can grant makes no
workset wait.
"""

from datetime import datetime

from daylily_scheduler.domain import reasons
from daylily_scheduler.domain.cost import cost_items, total_usd
from daylily_scheduler.domain.fleet import Fleet
from daylily_scheduler.domain.model import Cluster, Estimate, Needs
from daylily_scheduler.domain.reasons import Reason
from daylily_scheduler.domain.rules import DEFAULT_RULES, Rules


def has_room(needs: Needs, cluster: Cluster, fleet: Fleet, now: datetime) -> bool:
    """Whether a cluster in the running grants zone and instance types and has enough free."""
    return (
        fleet.free(cluster.cluster_name).covers(needs.amount)
        and (not needs.zone or needs.zone == cluster.zone)
        and not lacks_instance_types(needs, cluster, fleet, now)
    )


def lacks_instance_types(needs: Needs, cluster: Cluster, fleet: Fleet, now: datetime) -> bool:
    """Whether it asks for other instance types, and some cluster in the running has them."""
    wanted = needs.instance_types
    return bool(wanted) and wanted.isdisjoint(cluster.instance_types) and fleet.offers(wanted, now)


def affordable(
    needs: Needs, estimate: Estimate, cluster: Cluster, rules: Rules = DEFAULT_RULES
) -> bool:
    """Whether the run itself costs no more there than it may. What it costs that the cluster lives
    longer is not the run's.
    """
    limit = estimate.max_cost_usd
    return not limit or total_usd(cost_items(needs, estimate, cluster, rules)) <= limit


def preferred_elsewhere(
    needs: Needs, estimate: Estimate, cluster: Cluster, fleet: Fleet, now: datetime
) -> bool:
    """Whether the workset asks for another cluster, which can take it now."""
    if not needs.cluster or needs.cluster == cluster.cluster_name:
        return False
    preferred = fleet.running(now).get(needs.cluster)
    return (
        preferred is not None
        and has_room(needs, preferred, fleet, now)
        and affordable(needs, estimate, preferred)
    )


def fits(needs: Needs, estimate: Estimate, cluster: Cluster, fleet: Fleet, now: datetime) -> bool:
    """Whether the cluster can take the workset now."""
    return (
        cluster.cluster_name in fleet.running(now)
        and has_room(needs, cluster, fleet, now)
        and affordable(needs, estimate, cluster)
        and not preferred_elsewhere(needs, estimate, cluster, fleet, now)
    )


def rejections(
    needs: Needs, estimate: Estimate, cluster: Cluster, fleet: Fleet, now: datetime
) -> tuple[Reason, ...]:
    """Every reason why the cluster cannot take the workset now; none when it can."""
    name = cluster.cluster_name
    found = [*cluster_rejections(cluster, now), *_amount_rejections(needs, cluster, fleet)]
    if needs.zone and needs.zone != cluster.zone:
        found.append(reasons.wrong_zone(name, needs.zone, cluster.zone))
    if lacks_instance_types(needs, cluster, fleet, now):
        found.append(
            reasons.wrong_instance_type(name, needs.instance_types, cluster.instance_types)
        )
    if not affordable(needs, estimate, cluster):
        cost = total_usd(cost_items(needs, estimate, cluster))
        found.append(reasons.over_max_cost(name, cost, estimate.max_cost_usd))
    if preferred_elsewhere(needs, estimate, cluster, fleet, now):
        found.append(reasons.other_cluster_preferred(name, needs.cluster))
    return tuple(found)


def cluster_rejections(cluster: Cluster, now: datetime) -> tuple[Reason, ...]:
    """Why the cluster takes nothing at all at the moment."""
    found = []
    if cluster.draining:
        found.append(reasons.cluster_draining(cluster.cluster_name))
    if now >= cluster.silent_at:
        found.append(reasons.cluster_silent(cluster.cluster_name, cluster.heard_at))
    return tuple(found)


def _amount_rejections(needs: Needs, cluster: Cluster, fleet: Fleet) -> list[Reason]:
    name = cluster.cluster_name
    need, free = needs.amount, fleet.free(cluster.cluster_name).at_least_zero()
    found = []
    if need.vcpus > free.vcpus:
        found.append(reasons.not_enough_vcpus(name, need.vcpus, free.vcpus))
    if need.memory_mb > free.memory_mb:
        found.append(reasons.not_enough_memory(name, need.memory_mb, free.memory_mb))
    if need.storage_mb > free.storage_mb:
        found.append(reasons.not_enough_storage(name, need.storage_mb, free.storage_mb))
    if need.slots > free.slots:
        found.append(reasons.no_free_slot(name, need.slots, free.slots))
    return found
