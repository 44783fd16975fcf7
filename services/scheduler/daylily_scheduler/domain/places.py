"""The clusters as a plan sees them: what each has, what will be free on it, and until when it works.

A plan may look at a thousand of them several times, so each is asked for no more than it takes.
"""

from datetime import datetime

from daylily_scheduler.domain.feasibility import affordable, lacks_instance_types
from daylily_scheduler.domain.fleet import Fleet, Reservation
from daylily_scheduler.domain.model import Cluster, Needs, Workset
from daylily_scheduler.domain.profile import Profile
from daylily_scheduler.domain.resources import Resources
from daylily_scheduler.domain.rules import Rules

# A run that takes longer than expected is expected to take a part of what it took on top, and a
# while at least.
OVERDUE_SHARE = 0.25
OVERDUE_LEAST_HOURS = 0.25


class Place:
    """A cluster in the running, before anything is planned there.

    Args:
        cluster: which.
        fleet: what is free there and who holds the rest.
        now: the moment.
        rules: the constants.
    """

    __slots__ = (
        "_fleet",
        "_life",
        "_now",
        "_profile",
        "_rules",
        "_usable",
        "as_of",
        "cluster",
        "name",
        "price",
    )

    def __init__(self, cluster: Cluster, fleet: Fleet, now: datetime, rules: Rules) -> None:
        self.cluster = cluster
        self.name = cluster.cluster_name
        self.price = cluster.price_per_vcpu_hour_usd
        self.as_of = (now, fleet.changed(self.name))
        """The moment, and what had changed on the cluster by then."""
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

    @property
    def profile(self) -> Profile:
        """What is free there now and will be by the ends of what runs."""
        if self._profile is None:
            ends = [(self._left(each), each.amount) for each in self._fleet.held_on(self.name)]
            self._life = max((left for left, _ in ends), default=0.0)
            self._profile = Profile(self._fleet.free(self.name), ends)
        return self._profile

    @property
    def life(self) -> float:
        """Hours until the last of what runs there is expected to end."""
        _ = self.profile
        return self._life

    # --- inside ---

    def _left(self, held: Reservation) -> float:
        """Hours until a run is expected to end."""
        if held.since is None:
            return held.hours
        elapsed = (self._now - held.since).total_seconds() / 3600
        if elapsed < held.hours:
            return held.hours - elapsed
        return max(OVERDUE_SHARE * elapsed, OVERDUE_LEAST_HOURS)


class Places:
    """The places of a fleet, kept from plan to plan: little changes from one to the next.

    Args:
        fleet: the clusters.
        rules: the constants.
    """

    def __init__(self, fleet: Fleet, rules: Rules) -> None:
        self._fleet = fleet
        self._rules = rules
        self._known: dict[str, Place] = {}

    def at(self, now: datetime) -> list[Place]:
        """Every cluster in the running as it is now, the cheapest first, then by name."""
        fleet, known = self._fleet, self._known
        places = []
        for cluster in fleet.by_price(now):
            name = cluster.cluster_name
            place = known.get(name)
            if place is None or place.as_of != (now, fleet.changed(name)):
                place = Place(cluster, fleet, now, self._rules)
            places.append(place)
        self._known = {place.name: place for place in places}
        return places
