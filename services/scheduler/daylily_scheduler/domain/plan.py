"""The plan: who starts where now, and who holds what from when on.

The first worksets in order are placed one after the other, each where it costs least: the dollars of
the run there, and the dollars of its delay until it could start there by the estimates. What a workset
gets, now or later, is taken out of what is free there for those behind it, so nobody delays anybody
before him, as far as estimates hold (conservative backfilling: Mu'alem and Feitelson, Utilization,
predictability, workloads, and user runtime estimates, 2001). Whoever comes behind the planned ones may
start where that leaves room.

A dearer cluster now or a cheaper one later is the same comparison. Only clusters that ask for work are
expected to take some now; one that is full need not ask. Among clusters where a workset costs the same,
the tightest fit is planned; but where no fixed costs can be saved by packing, whoever asks gets it.

The same book, time and clusters that ask give the same plan. It is made as far as somebody asks: who
comes first in the queue is placed first, and most claims are served by the first few.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from daylily_scheduler.domain.cost import (
    CostItem,
    cost_items,
    idle_item,
    run_hours,
    total_usd,
    work_vcpu_hours,
)
from daylily_scheduler.domain.feasibility import lacks_instance_types
from daylily_scheduler.domain.model import Estimate, Needs, Priority, Workset
from daylily_scheduler.domain.order import CLASSES
from daylily_scheduler.domain.placement import Placement, share_left_over
from daylily_scheduler.domain.places import Place
from daylily_scheduler.domain.profile import TOO_SHORT, Amount, Profile, need
from daylily_scheduler.domain.queue import Lane

if TYPE_CHECKING:
    from daylily_scheduler.domain.book import Book

# A plan is made for the last full step of time, so that claims of one moment share it.
STEP_SECONDS = 10

WantedLane = Callable[[Lane], bool]
Kind = tuple[Needs, Estimate, Priority]


@dataclass(frozen=True, slots=True)
class Option:
    """A cluster for a workset: what it costs there, and when it could start, in hours from now.
    `delay_usd` is what waiting until then is reckoned at.
    """

    cluster_name: str
    hours: float
    cost_usd: float
    delay_usd: float

    @property
    def score_usd(self) -> float:
        return self.cost_usd + self.delay_usd


@dataclass(frozen=True, slots=True)
class Choice:
    """Where a workset goes, and what else was weighed. Clusters on which it would cost more than
    `best` even if it started at once are not among the options.
    """

    workset: Workset
    counts_as: Priority
    length: float
    best: Option
    placement: Placement
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
        self._places = book.places.at(now)
        self._by_name = {place.name: place for place in self._places}
        # What this plan has reserved, cluster by cluster, and how long they have to live for it.
        self._profiles: dict[str, Profile] = {}
        self._lives: dict[str, float] = {}
        self._behind = book.behind()
        self._could_ever: dict[Needs, bool] = {}
        self._looks = self._rules.plan_looks
        # The choice for a kind of workset, and how many were planned when it was made.
        self._of_kind: dict[Kind, tuple[int, Choice | None]] = {}
        self._backfills: dict[str, Choice | None] = {}
        self._started: dict[str, int] = {}
        self._spent: dict[str, float] = {}
        self._choices: dict[str, Choice] = {}
        self._made: list[Choice] = []
        self._rest = self._first()

    # --- what it says ---

    @property
    def choices(self) -> Mapping[str, Choice]:
        """The planned worksets, in order."""
        for _ in self._planned():
            pass
        return self._choices

    @property
    def starts(self) -> Iterator[Choice]:
        """Those that start now, in order."""
        return (choice for choice in self._planned() if choice.starts_now)

    def start_on(self, name: str) -> Choice | None:
        """What starts on this cluster now: the first that is planned to or may as well, or else the
        first behind the planned ones that may and that does not better elsewhere.
        """
        for choice in self.starts:
            here = self.start_here(choice, name)
            if here is not None:
                return here
        if name not in self._backfills:
            # Each cluster's search may look at as much as the plan did.
            self._looks = self._rules.plan_looks
            self._backfills[name] = self._backfill(self._by_name[name])
        return self._backfills[name]

    def start_here(self, choice: Choice, name: str) -> Choice | None:
        """The choice with this cluster in place of the one it names, if it starts there now: it is
        the one, or it costs the same there and nothing is saved by packing.
        """
        if not choice.starts_now:
            return None
        if choice.best.cluster_name == name:
            return choice
        place, best = self._by_name[name], choice.best
        if place.cluster.fixed_cost_per_hour_usd:
            return None
        for option in choice.options:
            if option.cluster_name == name:
                same = (round(option.score_usd, 2), place.price) == (
                    round(best.score_usd, 2),
                    self._by_name[best.cluster_name].price,
                )
                if option.hours > 0 or not same:
                    return None
                return self._chosen(
                    choice.workset, choice.counts_as, choice.length, option, choice.options
                )
        return None

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
        for choice in self._planned():
            if choice.workset.workset_id == workset.workset_id:
                return None
            if choice.best.cluster_name == name and choice.best.hours < length:
                return choice
        return None

    # --- making it ---

    def _planned(self) -> Iterator[Choice]:
        """The planned worksets in order, each placed when somebody comes to it."""
        index = 0
        while index < len(self._made) or self._plan_one():
            yield self._made[index]
            index += 1

    def _plan_one(self) -> bool:
        """Places the next workset; False when there is none or enough are placed."""
        choice = next(self._rest, None)
        if choice is None:
            return False
        self._choices[choice.workset.workset_id] = choice
        self._made.append(choice)
        self._take(choice)
        return True

    def _first(self) -> Iterator[Choice]:
        for counts_as in CLASSES:
            for workset in self._waiting(counts_as, self._may_ever):
                if len(self._made) >= self._rules.most_planned or self._looks <= 0:
                    return
                choice = self._choose(workset, counts_as)
                if choice is not None:
                    yield choice

    def _waiting(self, counts_as: Priority, wanted: WantedLane) -> Iterator[Workset]:
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
                place.could_ever(lane.needs) for place in self._places
            )
        return found

    def _choose(self, workset: Workset, counts_as: Priority) -> Choice | None:
        """As `choose`. Worksets of one kind have the same choice as long as nothing more is planned."""
        kind = (workset.needs, workset.estimate, counts_as)
        planned, same = self._of_kind.get(kind, (-1, None))
        if planned != len(self._made):
            same = self._choose_anew(workset, counts_as)
            self._of_kind[kind] = (len(self._made), same)
        return same if same is None else replace(same, workset=workset)

    def _choose_anew(self, workset: Workset, counts_as: Priority) -> Choice | None:
        needs, estimate, rules = workset.needs, workset.estimate, self._rules
        length = run_hours(needs, estimate, rules)
        usd_per_hour = rules.delay_usd_per_hour[counts_as] * rules.crowding
        work = work_vcpu_hours(needs, estimate)
        wanted = need(needs.amount)
        options: list[Option] = []
        best: tuple[float, float, float, str] | None = None
        chosen: Option | None = None
        for place in self._places:
            compute = work * place.price
            if best is not None and work and (round(compute, 2), place.price) > best[:2]:
                # From here on they are dearer even without any delay.
                break
            hours = self._earliest(workset, place, wanted, length)
            if hours is None:
                continue
            items = self._items(workset, place, hours, length)
            option = Option(place.name, hours, total_usd(items), usd_per_hour * hours)
            options.append(option)
            # As for placements: to the cent, then price, packing, name.
            key = (round(option.score_usd, 2), place.price)
            if best is not None and key > best[:2]:
                continue
            left_over = share_left_over(workset, place.cluster, self._book.fleet)
            whole = (*key, left_over, place.name)
            if best is None or whole < best:
                best, chosen = whole, option
        if chosen is None:
            return None
        return self._chosen(workset, counts_as, length, chosen, options)

    def _items(
        self, workset: Workset, place: Place, hours: float, length: float
    ) -> tuple[CostItem, ...]:
        items = cost_items(workset.needs, workset.estimate, place.cluster, self._rules)
        if not self._rules.idle_share or not place.cluster.fixed_cost_per_hour_usd:
            return items
        longer = self._rules.idle_share * self._lives_longer(place, hours, length)
        return (*items, *idle_item(place.cluster, longer))

    def _chosen(
        self,
        workset: Workset,
        counts_as: Priority,
        length: float,
        option: Option,
        options: Iterable[Option],
    ) -> Choice:
        place = self._by_name[option.cluster_name]
        placement = Placement(
            cluster_name=place.name,
            items=self._items(workset, place, option.hours, length),
            price_per_vcpu_hour_usd=place.price,
            left_over=share_left_over(workset, place.cluster, self._book.fleet),
        )
        return Choice(workset, counts_as, length, option, placement, tuple(options))

    def _earliest(
        self, workset: Workset, place: Place, wanted: Amount, length: float
    ) -> float | None:
        """Hours until the workset could start there; None where it cannot or will not."""
        if not place.may_take(workset):
            return None
        self._looks -= 1
        hours = self._profile(place).earliest(wanted, length)
        if hours is None or hours > 0:
            return hours
        if place.name not in self._asking:
            # It could, and does not ask: nobody knows when it will.
            return None
        wish = workset.needs.cluster
        preferred = self._by_name.get(wish) if wish != place.name else None
        if (
            preferred is not None
            and preferred.may_take(workset)
            and self._profile(preferred).earliest(wanted, length) == 0
        ):
            return None
        return hours

    def _take(self, choice: Choice) -> None:
        workset = choice.workset
        place = self._by_name[choice.best.cluster_name]
        hours, length = choice.best.hours, choice.length
        profile = self._profiles.get(place.name)
        if profile is None:
            profile = self._profiles[place.name] = place.profile.copy()
        profile.take(hours, length, workset.needs.amount)
        self._lives[place.name] = max(self._life(place), hours + length)
        customer = workset.customer_id
        self._started[customer] = self._started.get(customer, 0) + 1
        self._spent[customer] = self._spent.get(customer, 0.0) + workset.estimate.cost_usd

    def _profile(self, place: Place) -> Profile:
        """What will be free there, with all that is planned."""
        return self._profiles.get(place.name) or place.profile

    def _life(self, place: Place) -> float:
        """Hours for which the cluster has to live for what runs there and for all that is planned."""
        return self._lives.get(place.name, place.life)

    def _lives_longer(self, place: Place, hours: float, length: float) -> float:
        """By how many hours it has to live longer for a run that starts then."""
        return hours + length - max(self._life(place), hours)

    def _backfill(self, place: Place) -> Choice | None:
        """The first behind the planned ones that may start there now."""
        free, queue = self._book.fleet.free(place.name), self._book.queue
        looked_through = 0
        for counts_as in CLASSES:
            least = queue.least_need(counts_as)
            if least is None or not free.covers(least):
                continue
            for workset in self._waiting(counts_as, lambda lane: self._lane_fits(lane, place)):
                looked_through += 1
                if looked_through > self._rules.most_looked_through:
                    return None
                length = run_hours(workset.needs, workset.estimate, self._rules)
                wanted = need(workset.needs.amount)
                if (
                    workset.workset_id in self.choices
                    or length > self._profile(place).free_for(wanted) + TOO_SHORT
                    or self._earliest(workset, place, wanted, length) != 0
                ):
                    continue
                choice = self._choose_if_cheap(workset, counts_as, place, length)
                if choice is not None:
                    return choice
        return None

    def _choose_if_cheap(
        self, workset: Workset, counts_as: Priority, place: Place, length: float
    ) -> Choice | None:
        """The cluster for a workset that fits it now, unless it does better elsewhere; without
        looking elsewhere once enough has been looked at.
        """
        if self._looks > 0:
            choice = self._choose(workset, counts_as)
            return None if choice is None else self.start_here(choice, place.name)
        usd = total_usd(self._items(workset, place, 0.0, length))
        option = Option(place.name, 0.0, usd, 0.0)
        return self._chosen(workset, counts_as, length, option, (option,))

    def _lane_fits(self, lane: Lane, place: Place) -> bool:
        """Whether the cluster can take anything of the lane now. Says no only for all of it."""
        fleet, needs = self._book.fleet, lane.needs
        return (
            fleet.free(place.name).covers(needs.amount)
            and self._may_ever(lane)
            and place.could_ever(needs)
            and place.price <= lane.dearest_price
            and not lacks_instance_types(needs, place.cluster, fleet, self._now)
            and lane.least_hours <= self._profile(place).free_for(need(needs.amount)) + TOO_SHORT
        )


def plan_of(book: "Book", now: datetime, asking: Iterable[str]) -> Plan:
    """The plan for now, as it was made for others if nothing has changed since."""
    # Who is in the running is found first: it counts as a change.
    book.fleet.running(now)
    at = now - timedelta(seconds=now.second % STEP_SECONDS, microseconds=now.microsecond)
    key = (at, frozenset(asking), book.version)
    if book.plan is None or book.plan[0] != key:
        book.plan = (key, Plan(book, at, key[1]))
    return book.plan[1]
