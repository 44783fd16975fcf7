"""Which clusters are worth creating now, and which are safe to delete.

A cluster is worth its money when what it saves, waiting and dearer places, is more than what it costs beyond
the work: the hours that it exists, from its start to its shutdown. Both come from a play of the queue with
it and without it, everything else the same, with the median of each run time. Kinds are tried one more
cluster at a time, the best is kept, until none is worth it any more.
"""

import math
from collections import Counter
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta

from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.cost import COMPUTE, FIXED, IDLE, START, CostItem, total_usd
from daylily_scheduler.domain.forecast import Forecast, Play, Scene, play_once
from daylily_scheduler.domain.model import Cluster, Workset
from daylily_scheduler.domain.offers import Offer, order
from daylily_scheduler.domain.resources import NOTHING
from daylily_scheduler.domain.runtimes import RunTimes

# A workset that would not start at all counts as one that waits so long.
NEVER_HOURS = 7 * 24.0
# Less than that is noise: run times are guesses.
LEAST_SAVING_USD = 1.0
MOST_CREATIONS = 20
MOST_KINDS = 10
# Worksets from the head of the queue that are planned for.
MOST_PLANNED = 400
# A cluster on which something may start so soon is no idle one.
DUE_SOON_HOURS = 1.0


@dataclass(frozen=True, slots=True)
class Creation:
    """So many clusters of a kind, and what they would do.

    Dollars of all of them together: `items` of what they cost, `cost_usd` in all, of which `fixed_usd` is
    beyond the work; `saving_usd` is what is saved after that. `wait_saved_hours` is the sum over all worksets that wait.
    """

    offer: Offer
    count: int
    workset_ids: tuple[str, ...]
    items: tuple[CostItem, ...]
    saving_usd: float
    wait_saved_hours: float
    reason: str

    @property
    def cost_usd(self) -> float:
        return total_usd(self.items)

    @property
    def fixed_usd(self) -> float:
        return math.fsum(item.usd for item in self.items if item.kind != COMPUTE)


@dataclass(frozen=True, slots=True)
class Deletion:
    """A cluster that nobody needs now."""

    cluster_name: str
    saving_usd_per_hour: float
    reason: str


@dataclass(frozen=True, slots=True)
class _Account:
    """What a play comes to, in US dollars and hours. `work_usd` is the same work in each play."""

    waiting_usd: float
    work_usd: float
    fixed_usd: float
    waited_hours: float

    @property
    def total_usd(self) -> float:
        return self.waiting_usd + self.work_usd + self.fixed_usd


@dataclass(frozen=True, slots=True)
class _Plan:
    """Clusters to create, by name, in the order in which they were found worth it."""

    made: tuple[tuple[str, Offer], ...] = ()

    def with_one_more(self, offer: Offer) -> "_Plan":
        # The name sorts behind the clusters that exist.
        return _Plan((*self.made, (f"~new-{len(self.made) + 1}", offer)))

    def count(self, offer: Offer) -> int:
        return sum(other == offer for _, other in self.made)


def creations(
    scene: Scene, times: RunTimes, offers: Sequence[Offer], crowding: float = 1.0
) -> Generator[None, None, tuple[Creation, ...]]:
    """The clusters worth creating now. A generator, as `forecast`: its return value is the advice.

    Args:
        scene: what it begins with; clusters that are being created are among its `starting`.
        times: what was learned of run times.
        offers: what can be created.
        crowding: how many worksets' waiting that of one stands for. 1 counts those that wait now, for
            advice to people. Who creates whatever is advised, at every change, does better with the
            plan's own (`Rules.crowding`): those that come later find the cluster there.
    """
    wanted = _worth_trying(scene, offers)
    plan = _Plan()
    play = yield from _played(scene, times, plan)
    before = account = _account(scene, times, plan, play, crowding)
    while wanted and len(plan.made) < MOST_CREATIONS:
        best: tuple[float, _Plan, Play, _Account] | None = None
        # One that is not worth it now hardly is beside more of another: it is tried no more.
        tried, wanted = wanted, []
        for offer in tried:
            if offer.most and plan.count(offer) >= offer.most:
                continue
            larger = plan.with_one_more(offer)
            found = yield from _played(scene, times, larger)
            cost = _account(scene, times, larger, found, crowding)
            saving = account.total_usd - cost.total_usd
            # One that runs nothing may still change what goes where, by chance: that is no advice.
            runs_something = larger.made[-1][0] in found.clusters.values()
            if saving < LEAST_SAVING_USD or not runs_something:
                continue
            wanted.append(offer)
            if best is None or saving > best[0]:
                best = (saving, larger, found, cost)
        if best is None:
            break
        _, plan, play, account = best
    return tuple(_creations(scene, times, plan, play, before=before, after=account))


def deletions(book: Book, found: Forecast) -> tuple[Deletion, ...]:
    """The clusters that are safe to delete: no lock on them, nobody else's work, nothing that asks for
    them, and nothing that starts there soon in any play of the queue. One that is silent is not among
    them: nobody knows what runs there.
    """
    now = found.made_at
    due = {
        name
        for play in found.plays
        for workset_id, name in play.clusters.items()
        if play.starts[workset_id] <= DUE_SOON_HOURS
    }
    safe = [
        Deletion(
            cluster.cluster_name,
            cluster.fixed_cost_per_hour_usd,
            _why_safe(cluster),
        )
        for cluster in book.fleet
        if now < cluster.silent_at
        and not book.fleet.active(cluster.cluster_name)
        and cluster.foreign == NOTHING
        and cluster.cluster_name not in due
        and not book.queue.asks_for(cluster.cluster_name)
    ]
    return tuple(sorted(safe, key=lambda each: (-each.saving_usd_per_hour, each.cluster_name)))


# --- inside ---


def _worth_trying(scene: Scene, offers: Iterable[Offer]) -> list[Offer]:
    """Offers that suit something that waits, the cheapest kinds of each size first."""
    kinds = {workset.needs for workset in scene.queued}
    suitable = [offer for offer in offers if any(offer.suits(needs) for needs in kinds)]
    return sorted(suitable, key=order)[:MOST_KINDS]


def _played(scene: Scene, times: RunTimes, plan: _Plan) -> Generator[None, None, Play]:
    joining = [
        (scene.now + offer.start, offer.as_cluster(name, scene.now)) for name, offer in plan.made
    ]
    return (yield from play_once(scene, times, joining))


def _account(scene: Scene, times: RunTimes, plan: _Plan, play: Play, crowding: float) -> _Account:
    there = (*scene.clusters, *(cluster for _, cluster in scene.starting))
    prices = {cluster.cluster_name: cluster.price_per_vcpu_hour_usd for cluster in there}
    prices.update((name, offer.price_per_vcpu_hour_usd) for name, offer in plan.made)
    cheapest = min(prices.values(), default=0.0)
    waiting = work = waited = 0.0
    for workset in scene.queued:
        start = play.starts.get(workset.workset_id)
        hours = NEVER_HOURS if start is None else min(start, NEVER_HOURS)
        waited += hours
        waiting += hours * scene.rules.delay_usd_per_hour[workset.priority]
        # Where it does not start, it will cost what it costs one day.
        name = play.clusters.get(workset.workset_id)
        price = prices[name] if name is not None else cheapest
        work += price * _vcpu_hours(workset, times)
    fixed = math.fsum(
        offer.fixed_cost_per_hour_usd * exists
        for (_, offer), exists in zip(plan.made, _hours_of_new(plan, play), strict=True)
    )
    return _Account(crowding * waiting, work, fixed, waited)


def _hours_of_new(plan: _Plan, play: Play) -> list[float]:
    """How long each new cluster exists: from now to the end of its last run and its shutdown."""
    last: dict[str, float] = {}
    for workset_id, name in play.clusters.items():
        end = play.ends.get(workset_id, play.hours)
        last[name] = max(last.get(name, 0.0), end)
    hour = timedelta(hours=1)
    return [
        max(last.get(name, 0.0), offer.start / hour) + offer.idle_shutdown / hour
        for name, offer in plan.made
    ]


def _vcpu_hours(workset: Workset, times: RunTimes) -> float:
    return workset.needs.amount.vcpus * times.of(workset).at(0.5)


def _creations(
    scene: Scene, times: RunTimes, plan: _Plan, play: Play, *, before: _Account, after: _Account
) -> list[Creation]:
    """A kind at a time. What all of them save together is told apart by what each kind runs."""
    by_id = {workset.workset_id: workset for workset in scene.queued}
    exists = dict(zip((name for name, _ in plan.made), _hours_of_new(plan, play), strict=True))
    offers: Counter[Offer] = Counter(offer for _, offer in plan.made)
    work_of: dict[Offer, float] = {}
    ids_of: dict[Offer, tuple[str, ...]] = {}
    for offer in offers:
        names = {name for name, other in plan.made if other == offer}
        ids = [
            workset_id
            for workset_id in sorted(play.starts, key=lambda each: (play.starts[each], each))
            if play.clusters[workset_id] in names
        ]
        ids_of[offer] = tuple(ids)
        work_of[offer] = math.fsum(_vcpu_hours(by_id[each], times) for each in ids)
    whole = math.fsum(work_of.values()) or 1.0
    saved, sooner = before.total_usd - after.total_usd, before.waited_hours - after.waited_hours
    found = []
    for offer, count in offers.items():
        share = work_of[offer] / whole
        hours = math.fsum(exists[name] for name, other in plan.made if other == offer)
        items = _items(offer, count, hours, work_of[offer])
        fixed = math.fsum(item.usd for item in items if item.kind != COMPUTE)
        found.append(
            Creation(
                offer=offer,
                count=count,
                workset_ids=ids_of[offer],
                items=items,
                saving_usd=saved * share,
                wait_saved_hours=sooner * share,
                reason=_why(offer, count, len(ids_of[offer]), sooner * share, fixed),
            )
        )
    return found


def _items(offer: Offer, count: int, hours: float, vcpu_hours: float) -> tuple[CostItem, ...]:
    """What so many clusters cost that exist for so many hours together and do this work."""
    hour = timedelta(hours=1)
    starting, idle = count * offer.start / hour, count * offer.idle_shutdown / hour
    usd = offer.fixed_cost_per_hour_usd
    return (
        CostItem(COMPUTE, vcpu_hours * offer.price_per_vcpu_hour_usd),
        CostItem(START, usd * starting),
        CostItem(FIXED, usd * max(hours - starting - idle, 0.0)),
        CostItem(IDLE, usd * idle),
    )


def _why(offer: Offer, count: int, worksets: int, sooner: float, fixed: float) -> str:
    clusters = "cluster" if count == 1 else "clusters"
    things = "1 workset" if worksets == 1 else f"{worksets} worksets"
    return (
        f"{count} more {clusters} of {offer.words()} at ${offer.price_per_vcpu_hour_usd:g} a "
        f"vCPU-hour would run {things}; all that wait start {sooner:.1f} h sooner together, "
        f"for ${fixed:.2f} beyond the work"
    )


def _why_safe(cluster: Cluster) -> str:
    draining = "it takes no new work, " if cluster.draining else ""
    return (
        f"{draining}no workset holds a part of it, nobody else uses it, and nothing that waits "
        f"would start there within {DUE_SOON_HOURS:g} h"
    )
