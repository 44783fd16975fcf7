"""The clusters as a plan sees them: what each has, what will be free on it, and until when it works.

A plan may look at a thousand of them several times, so each is asked for no more than it takes.
"""

from datetime import datetime

from daylily_scheduler.domain.feasibility import affordable, lacks_instance_types
from daylily_scheduler.domain.fleet import Fleet, Reservation
from daylily_scheduler.domain.model import Cluster, Needs, Workset
from daylily_scheduler.domain.profile import Amount, Profile
from daylily_scheduler.domain.resources import Resources
from daylily_scheduler.domain.rules import Rules

# A run that takes longer than expected is expected to take a part of what it took on top, and a
# while at least.
OVERDUE_SHARE = 0.25
OVERDUE_LEAST_HOURS = 0.25


class Place:
    """A cluster in the running.

    Args:
        cluster: which.
        fleet: what is free there and who holds the rest.
        now: the moment.
        asks: whether it takes work now.
        rules: the constants.
    """

    __slots__ = (
        "_fleet",
        "_life",
        "_now",
        "_profile",
        "_rules",
        "_usable",
        "asks",
        "cluster",
        "name",
        "price",
    )

    def __init__(
        self, cluster: Cluster, fleet: Fleet, now: datetime, *, asks: bool, rules: Rules
    ) -> None:
        self.cluster = cluster
        self.name = cluster.cluster_name
        self.price = cluster.price_per_vcpu_hour_usd
        self.asks = asks
        self._fleet = fleet
        self._now = now
        self._rules = rules
        self._usable: Resources | None = None
        self._profile: Profile | None = None
        self._life = 0.0

    def could_ever(self, needs: Needs) -> bool:
        """Whether it could take it with nothing else of ours on it."""
        if needs.zone and needs.zone != self.cluster.zone:
            return False
        usable = self._usable
        if usable is None:
            usable = self._usable = self.cluster.usable.at_least_zero()
        wanted = needs.amount
        return (
            wanted.vcpus <= usable.vcpus
            and wanted.memory_mb <= usable.memory_mb
            and wanted.slots <= usable.slots
            and (wanted.storage_mb <= usable.storage_mb or not self.cluster.capacity.storage_mb)
        )

    def may_take(self, workset: Workset) -> bool:
        """Whether the workset may go there, whenever there is room."""
        needs, estimate = workset.needs, workset.estimate
        return (
            self.could_ever(needs)
            and (
                not needs.instance_types
                or not lacks_instance_types(needs, self.cluster, self._fleet, self._now)
            )
            and (
                not estimate.max_cost_usd or affordable(needs, estimate, self.cluster, self._rules)
            )
        )

    def earliest(self, wanted: Amount, length: float) -> float | None:
        """Hours until so much is free for so long; None for never."""
        return self._over_time().earliest(wanted, length)

    def free_for(self, wanted: Amount) -> float:
        """For how many hours from now on so much is free; 0 when it is not now."""
        return self._over_time().free_for(wanted)

    def take(self, hours: float, length: float, amount: Resources) -> None:
        """Reserves it from then on."""
        self._over_time().take(hours, length, amount)
        self._life = max(self._life, hours + length)

    def longer(self, hours: float, length: float) -> float:
        """By how many hours it has to live longer for a run that starts then."""
        self._over_time()
        return hours + length - max(self._life, hours)

    # --- inside ---

    def _over_time(self) -> Profile:
        if self._profile is None:
            ends = [(self._left(each), each.amount) for each in self._fleet.held_on(self.name)]
            self._life = max((left for left, _ in ends), default=0.0)
            self._profile = Profile(self._fleet.free(self.name), ends)
        return self._profile

    def _left(self, held: Reservation) -> float:
        """Hours until a run is expected to end."""
        if held.since is None:
            return held.hours
        elapsed = (self._now - held.since).total_seconds() / 3600
        if elapsed < held.hours:
            return held.hours - elapsed
        return max(OVERDUE_SHARE * elapsed, OVERDUE_LEAST_HOURS)
