"""The clusters, what is free on each, and which of them are in the running.

Reservations are counted here workset by workset, as the feed tells of locks, and at once for what
this scheduler is about to lock. State counts too and has the last word: when it refuses for want of
room, `refuse` notes what it said, until something changes on that cluster.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from daylily_scheduler.domain.model import Cluster
from daylily_scheduler.domain.resources import NOTHING, UNSTATED_MB, Resources


@dataclass(frozen=True, slots=True)
class Reservation:
    """Room that a workset holds. It is expected to give it back `hours` after `since`."""

    cluster_name: str
    amount: Resources
    since: datetime | None = None
    hours: float = 0.0


class Fleet:
    def __init__(self) -> None:
        self._clusters: dict[str, Cluster] = {}
        self._reservations: dict[str, Reservation] = {}
        self._reserved: dict[str, Resources] = {}
        self._active: dict[str, int] = {}
        self._refused: dict[str, Resources] = {}
        self._free: dict[str, Resources] = {}
        self._running: dict[str, Cluster] = {}
        self._offered: frozenset[str] = frozenset()
        self._running_found = False
        self._running_until: datetime | None = None
        self._by_price: list[Cluster] = []
        self._on: dict[str, dict[str, Reservation]] = {}
        # Grows with every change that may change a decision.
        self.version = 0
        # The version that the last change of each cluster made.
        self._changed: dict[str, int] = {}

    # --- what is known ---

    def __len__(self) -> int:
        return len(self._clusters)

    def __iter__(self) -> Iterator[Cluster]:
        return iter(self._clusters.values())

    def get(self, name: str) -> Cluster | None:
        return self._clusters.get(name)

    @property
    def names(self) -> frozenset[str]:
        return frozenset(self._clusters)

    def free(self, name: str) -> Resources:
        """What a new workset could have. Below zero where others took more than there is; a cluster
        that states no storage has UNSTATED_MB of it.
        """
        return self._free.get(name, NOTHING)

    def reserved(self, name: str) -> Resources:
        return self._reserved.get(name, NOTHING)

    def active(self, name: str) -> int:
        """Worksets that are locked or running there."""
        return self._active.get(name, 0)

    def reservations(self) -> dict[str, Reservation]:
        """What each workset holds."""
        return dict(self._reservations)

    def refusals(self) -> dict[str, Resources]:
        """What state said was free, of clusters where it refused since anything changed there."""
        return dict(self._refused)

    def held_on(self, name: str) -> Iterable[Reservation]:
        """What is held there, in no order."""
        return self._on.get(name, {}).values()

    @property
    def total_vcpus(self) -> int:
        """Of all clusters, as configured."""
        return sum(cluster.capacity.vcpus for cluster in self._clusters.values())

    def changed(self, name: str) -> int:
        """The version that the last change on this cluster made, of itself or of what it holds."""
        return self._changed.get(name, 0)

    def holds(self, workset_id: str) -> bool:
        return workset_id in self._reservations

    def running(self, now: datetime) -> dict[str, Cluster]:
        """The clusters that may get work: neither draining nor silent. A cluster that was found silent
        stays so until it is heard from, also for a plan that is made as of a moment ago.
        """
        stale = not self._running_found or (
            self._running_until is not None and now >= self._running_until
        )
        if stale:
            self._find_running(now)
        return self._running

    def is_running(self, name: str, now: datetime) -> bool:
        """Whether the cluster may get work: as `running`, without a look at the others."""
        cluster = self._clusters.get(name)
        return cluster is not None and _may_run(cluster, now)

    def by_price(self, now: datetime) -> list[Cluster]:
        """The clusters that may get work, the cheapest first, then by name."""
        self.running(now)
        return self._by_price

    def offers(self, instance_types: frozenset[str], now: datetime) -> bool:
        """Whether some cluster in the running has any of these types."""
        self.running(now)
        return not self._offered.isdisjoint(instance_types)

    def next_silence(self, now: datetime) -> datetime | None:
        """When the next cluster falls silent if it is not heard from."""
        self.running(now)
        return self._running_until

    # --- what changes ---

    def put(self, cluster: Cluster) -> bool:
        """Takes a cluster as state keeps it; an older version is ignored. Says if it was news."""
        known = self._clusters.get(cluster.cluster_name)
        if known is not None and (cluster.version < known.version or cluster == known):
            return False
        if known is not None and cluster.heard_at < known.heard_at:
            cluster = replace(cluster, heard_at=known.heard_at)
        self._clusters[cluster.cluster_name] = cluster
        refused = self._refused.pop(cluster.cluster_name, None)
        if known is None or refused is not None or not _same_place(cluster, known):
            self._change(cluster.cluster_name)
        self._recount(cluster.cluster_name)
        self._running_found = False
        return True

    def remove(self, name: str) -> None:
        if self._clusters.pop(name, None) is not None:
            self._change(name)
            self._refused.pop(name, None)
            self._free.pop(name, None)
            self._running_found = False

    def hear(self, name: str, at: datetime) -> None:
        """The cluster gave a sign of life."""
        known = self._clusters.get(name)
        if known is not None and known.heard_at < at:
            self._clusters[name] = replace(known, heard_at=at)
            self._running_found = False

    def reserve(
        self,
        workset_id: str,
        name: str,
        amount: Resources,
        since: datetime | None = None,
        hours: float = 0.0,
    ) -> str | None:
        """Counts the workset's reservation; once, however often it is told. Names the cluster that
        has more room now, if the workset had a reservation elsewhere.
        """
        wanted = Reservation(name, amount, since, hours)
        held = self._reservations.get(workset_id)
        if held == wanted:
            return None
        if held is not None and (held.cluster_name, held.amount) == (name, amount):
            self._change(name)
            self._reservations[workset_id] = self._on[name][workset_id] = wanted
            return None
        freed = self.release(workset_id)
        self._change(name)
        self._reservations[workset_id] = wanted
        self._on.setdefault(name, {})[workset_id] = wanted
        self._reserved[name] = self.reserved(name) + amount
        self._active[name] = self.active(name) + 1
        self._recount(name)
        return freed

    def release(self, workset_id: str) -> str | None:
        """Drops the workset's reservation and names the cluster that has more room now."""
        held = self._reservations.pop(workset_id, None)
        if held is None:
            return None
        name = held.cluster_name
        self._change(name)
        del self._on[name][workset_id]
        self._reserved[name] = self._reserved[name] - held.amount
        self._active[name] -= 1
        self._refused.pop(name, None)
        self._recount(name)
        return name

    def refuse(self, name: str, have: Resources) -> None:
        """State said that only `have` is free there."""
        if name in self._clusters:
            self._change(name)
            self._refused[name] = self._refused.get(name, have).at_most(have)
            self._recount(name)

    def believe(self, name: str) -> None:
        """What state refused before may be possible now."""
        if self._refused.pop(name, None) is not None:
            self._change(name)
            self._recount(name)

    def _change(self, name: str) -> None:
        self.version += 1
        self._changed[name] = self.version

    def _recount(self, name: str) -> None:
        cluster = self._clusters.get(name)
        if cluster is None:
            return
        free = cluster.usable - self.reserved(name)
        if not cluster.capacity.storage_mb:
            free = replace(free, storage_mb=UNSTATED_MB)
        refused = self._refused.get(name)
        self._free[name] = free if refused is None else free.at_most(refused)

    def _find_running(self, now: datetime) -> None:
        running = {
            name: cluster for name, cluster in self._clusters.items() if _may_run(cluster, now)
        }
        if running.keys() != self._running.keys():
            self.version += 1
        self._running = running
        self._by_price = sorted(running.values(), key=_price_then_name)
        self._offered = frozenset().union(*(c.instance_types for c in self._running.values()))
        self._running_found = True
        self._running_until = min((c.silent_at for c in self._running.values()), default=None)


def _may_run(cluster: Cluster, now: datetime) -> bool:
    return not cluster.draining and now < cluster.silent_at


def _same_place(one: Cluster, other: Cluster) -> bool:
    """Whether nothing differs that a decision depends on."""
    return one == replace(other, heard_at=one.heard_at, version=one.version)


def _price_then_name(cluster: Cluster) -> tuple[float, str]:
    return (cluster.price_per_vcpu_hour_usd, cluster.cluster_name)
