"""The plan: who starts where now, and who holds what from when on.

The first worksets in order are placed one after the other, each where it costs least: the dollars of
the run there, and the dollars of its delay until it could start there by the estimates. What a workset
gets, now or later, is taken out of what is free there for those behind it, so nobody delays anybody
before him, as far as estimates hold (conservative backfilling: Mu'alem and Feitelson, Utilization,
predictability, workloads, and user runtime estimates, 2001). Whoever comes behind the planned ones may
start where that leaves room.

A dearer cluster now or a cheaper one later is the same comparison. Only clusters that ask for work are
expected to take some now; one that is full need not ask.

The same book, time and clusters that ask give the same plan.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from daylily_scheduler.domain.cost import run_hours, work_vcpu_hours
from daylily_scheduler.domain.feasibility import affordable, lacks_instance_types
from daylily_scheduler.domain.model import Cluster, Needs, Priority, Workset
from daylily_scheduler.domain.order import CLASSES
from daylily_scheduler.domain.placement import Placement, place_on
from daylily_scheduler.domain.profile import Amount, Profile, need
from daylily_scheduler.domain.queue import Lane

if TYPE_CHECKING:
    from daylily_scheduler.domain.book import Book

# A plan is made for the last full step of time, so that claims of one moment share it.
STEP_SECONDS = 10
# A run that takes longer than expected is expected to take that much longer, and a while at least.
OVERDUE_SHARE = 0.25
OVERDUE_LEAST_HOURS = 0.25

ScoreKey = tuple[float, float, float, str]
WantedLane = Callable[[Lane], bool]


@dataclass(frozen=True, slots=True)
class Option:
    """A cluster for a workset: what it costs there, and when it could start, in hours from now.
    `delay_usd` is what waiting until then is reckoned at.
    """

    placement: Placement
    hours: float
    delay_usd: float

    @property
    def cluster_name(self) -> str:
        return self.placement.cluster_name

    @property
    def score_usd(self) -> float:
        return self.placement.cost_usd + self.delay_usd

    @property
    def key(self) -> ScoreKey:
        """Smaller is better. As for placements, to the cent; then price, packing, name."""
        return (round(self.score_usd, 2), *self.placement.key[1:])


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a workset goes, and what else was weighed. Clusters on which it would cost more than
    `best` even if it started at once are not among the options.
    """

    workset: Workset
    counts_as: Priority
    length: float
    best: Option
    options: tuple[Option, ...]

    @property
    def starts_now(self) -> bool:
        return self.best.hours <= 0


class Plan:
    """A plan for one moment.

    Args:
        book: what is known; it is only looked at, and must not change while the plan is used.
        now: the moment.
        asking: the clusters that take work now.
    """

    def __init__(self, book: "Book", now: datetime, asking: frozenset[str]) -> None:
        self._book = book
        self._rules = book.rules
        self._now = now
        self._asking = asking
        self._running = book.fleet.running(now)
        self._clusters = sorted(self._running.values(), key=_price_then_name)
        self._profiles: dict[str, Profile] = {}
        self._lives: dict[str, float] = {}
        self._behind = book.behind()
        self._could_ever: dict[Needs, bool] = {}
        self._looks = self._rules.plan_looks
        self._backfills: dict[str, Choice | None] = {}
        self._started: dict[str, int] = {}
        self._spent: dict[str, float] = {}
        self.choices: dict[str, Choice] = {}
        """The planned worksets, in order."""
        for choice in self._first():
            self.choices[choice.workset.workset_id] = choice
            self._take(choice)

    # --- what it says ---

    @property
    def starts(self) -> Iterator[Choice]:
        """Those that start now, in order."""
        return (choice for choice in self.choices.values() if choice.starts_now)

    def start_on(self, name: str) -> Choice | None:
        """What starts on this cluster now: the first that is planned to, or else the first behind
        the planned ones that may and that does not better elsewhere.
        """
        for choice in self.starts:
            if choice.best.cluster_name == name:
                return choice
        if name not in self._backfills:
            # Each cluster's search may look at as much as the plan did.
            self._looks = self._rules.plan_looks
            self._backfills[name] = self._backfill(self._running[name])
        return self._backfills[name]

    def choose(self, workset: Workset, counts_as: Priority) -> Choice | None:
        """Where the workset goes, planned or not; None when nothing that runs could ever take it."""
        known = self.choices.get(workset.workset_id)
        if known is not None and known.workset == workset:
            return known
        return self._choose(workset, counts_as)

    def customer_may(self, workset: Workset) -> bool:
        """Whether its customer may start it, with all that is planned for that customer."""
        customer, limits = workset.customer_id, self._book.limits
        return not limits.over_budget(
            customer, workset.estimate.cost_usd + self._spent.get(customer, 0.0)
        ) and not limits.at_limit(customer, self._started.get(customer, 0))

    def in_the_way(self, workset: Workset, name: str, length: float) -> Choice | None:
        """The first planned workset on this cluster, of those before this one, that holds something
        within so many hours from now.
        """
        for choice in self.choices.values():
            if choice.workset.workset_id == workset.workset_id:
                return None
            if choice.best.cluster_name == name and choice.best.hours < length:
                return choice
        return None

    # --- making it ---

    def _first(self) -> Iterator[Choice]:
        for counts_as in CLASSES:
            for workset in self._in_order(counts_as, self._may_ever):
                if len(self.choices) >= self._rules.most_planned or self._looks <= 0:
                    return
                choice = self._choose(workset, counts_as)
                if choice is not None:
                    yield choice

    def _in_order(self, counts_as: Priority, wanted: WantedLane) -> Iterator[Workset]:
        queue = self._book.queue
        for _, (_, workset_id) in queue.in_order(counts_as, self._behind, wanted):
            workset = queue.get(workset_id)
            if workset is not None and self.customer_may(workset):
                yield workset

    def _may_ever(self, lane: Lane) -> bool:
        """Whether its customer may start something and some cluster could take it. Says no only for
        all of the lane.
        """
        limits = self._book.limits
        if limits.at_limit(lane.customer_id) or limits.over_budget(
            lane.customer_id, lane.least_cost_usd
        ):
            return False
        found = self._could_ever.get(lane.needs)
        if found is None:
            found = self._could_ever[lane.needs] = any(
                _could_ever(lane.needs, cluster) for cluster in self._clusters
            )
        return found

    def _choose(self, workset: Workset, counts_as: Priority) -> Choice | None:
        needs, estimate = workset.needs, workset.estimate
        length = run_hours(needs, estimate, self._rules)
        usd_per_hour = self._rules.delay_usd_per_hour[counts_as] * self._rules.crowding
        work = work_vcpu_hours(needs, estimate)
        wanted = need(needs.amount)
        options: list[Option] = []
        best: Option | None = None
        for cluster in self._clusters:
            if best is not None and work * cluster.price_per_vcpu_hour_usd > best.score_usd + 0.01:
                break
            hours = self._earliest(workset, cluster, wanted, length)
            if hours is None:
                continue
            longer = hours + length - max(self._life(cluster.cluster_name), hours)
            place = place_on(workset, cluster, self._book.fleet, self._rules, longer)
            option = Option(place, hours, usd_per_hour * hours)
            options.append(option)
            if best is None or option.key < best.key:
                best = option
        if best is None:
            return None
        return Choice(workset, counts_as, length, best, tuple(options))

    def _earliest(
        self, workset: Workset, cluster: Cluster, wanted: Amount, length: float
    ) -> float | None:
        """Hours until the workset could start there; None where it cannot or will not."""
        hours = self._room_in(workset, cluster, wanted, length)
        if hours != 0:
            return hours
        if cluster.cluster_name not in self._asking:
            # It could, and does not ask: nobody knows when it will.
            return None
        wish = workset.needs.cluster
        preferred = self._running.get(wish) if wish != cluster.cluster_name else None
        if preferred is not None and self._room_in(workset, preferred, wanted, length) == 0:
            return None
        return hours

    def _room_in(
        self, workset: Workset, cluster: Cluster, wanted: Amount, length: float
    ) -> float | None:
        """Hours until there is room for the workset; None where it may never go."""
        if (
            not _could_ever(workset.needs, cluster)
            or lacks_instance_types(workset.needs, cluster, self._book.fleet, self._now)
            or not affordable(workset.needs, workset.estimate, cluster, self._rules)
        ):
            return None
        self._looks -= 1
        return self._profile(cluster).earliest(wanted, length)

    def _take(self, choice: Choice) -> None:
        name, best = choice.best.cluster_name, choice.best
        workset = choice.workset
        self._profile(self._running[name]).take(best.hours, choice.length, workset.needs.amount)
        self._lives[name] = max(self._life(name), best.hours + choice.length)
        customer = workset.customer_id
        self._started[customer] = self._started.get(customer, 0) + 1
        self._spent[customer] = self._spent.get(customer, 0.0) + workset.estimate.cost_usd

    def _backfill(self, cluster: Cluster) -> Choice | None:
        """The first behind the planned ones that may start there now."""
        free, queue = self._book.fleet.free(cluster.cluster_name), self._book.queue
        for counts_as in CLASSES:
            least = queue.least_need(counts_as)
            if least is None or not free.covers(least):
                continue
            for workset in self._in_order(counts_as, lambda lane: self._lane_fits(lane, cluster)):
                if workset.workset_id in self.choices:
                    continue
                length = run_hours(workset.needs, workset.estimate, self._rules)
                wanted = need(workset.needs.amount)
                if self._earliest(workset, cluster, wanted, length) != 0:
                    continue
                choice = self._choose_if_cheap(workset, counts_as, cluster, length)
                if choice is not None:
                    return choice
        return None

    def _choose_if_cheap(
        self, workset: Workset, counts_as: Priority, cluster: Cluster, length: float
    ) -> Choice | None:
        """The cluster for a workset that fits it now, unless it does better elsewhere; without
        looking elsewhere once enough has been looked at.
        """
        if self._looks > 0:
            choice = self._choose(workset, counts_as)
            if choice is None or choice.best.cluster_name != cluster.cluster_name:
                return None
            return choice
        longer = length - self._life(cluster.cluster_name)
        place = place_on(workset, cluster, self._book.fleet, self._rules, longer)
        option = Option(place, 0.0, 0.0)
        return Choice(workset, counts_as, length, option, (option,))

    def _lane_fits(self, lane: Lane, cluster: Cluster) -> bool:
        """Whether the cluster can take anything of the lane now. Says no only for all of it."""
        fleet, needs = self._book.fleet, lane.needs
        return (
            fleet.free(cluster.cluster_name).covers(needs.amount)
            and self._may_ever(lane)
            and (not needs.zone or needs.zone == cluster.zone)
            and cluster.price_per_vcpu_hour_usd <= lane.dearest_price
            and not lacks_instance_types(needs, cluster, fleet, self._now)
        )

    # --- clusters over time ---

    def _profile(self, cluster: Cluster) -> Profile:
        name = cluster.cluster_name
        known = self._profiles.get(name)
        if known is None:
            held = self._book.fleet.held_on(name)
            known = self._profiles[name] = Profile(
                self._book.fleet.free(name),
                [(self._left(each.since, each.hours), each.amount) for each in held],
            )
        return known

    def _life(self, name: str) -> float:
        """Hours for which the cluster has work, with what is planned there."""
        known = self._lives.get(name)
        if known is None:
            held = self._book.fleet.held_on(name)
            known = max((self._left(each.since, each.hours) for each in held), default=0.0)
            self._lives[name] = known
        return known

    def _left(self, since: datetime | None, hours: float) -> float:
        """Hours until a run is expected to end."""
        if since is None:
            return hours
        elapsed = (self._now - since) / timedelta(hours=1)
        if elapsed < hours:
            return hours - elapsed
        return max(OVERDUE_SHARE * elapsed, OVERDUE_LEAST_HOURS)


def plan_of(book: "Book", now: datetime, asking: Iterable[str]) -> Plan:
    """The plan for now, as it was made for others if nothing has changed since."""
    # Who is in the running is found first: it counts as a change.
    book.fleet.running(now)
    at = now - timedelta(seconds=now.second % STEP_SECONDS, microseconds=now.microsecond)
    key = (at, frozenset(asking), book.version)
    if book.plan is None or book.plan[0] != key:
        book.plan = (key, Plan(book, at, key[1]))
    return book.plan[1]


def _could_ever(needs: Needs, cluster: Cluster) -> bool:
    """Whether the cluster could take it with nothing else of ours on it."""
    usable, wanted = cluster.usable, needs.amount
    return (
        (not needs.zone or needs.zone == cluster.zone)
        and wanted.vcpus <= max(usable.vcpus, 0)
        and wanted.memory_mb <= max(usable.memory_mb, 0)
        and (not cluster.capacity.storage_mb or wanted.storage_mb <= max(usable.storage_mb, 0))
        and wanted.slots <= max(usable.slots, 0)
    )


def _price_then_name(cluster: Cluster) -> tuple[float, str]:
    return (cluster.price_per_vcpu_hour_usd, cluster.cluster_name)
