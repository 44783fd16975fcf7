"""When worksets will start: the queue played forward on the clusters there are.

The play is the service's own: every cluster claims as often as it gets something, by the same `pick` on a
copy of the book, while virtual time jumps from one end of a run to the next. What nobody knows, how long
each run takes, is drawn from what was learned. Several plays give a distribution, and quantiles are read
from it.

It is bounded: of a long queue the worksets nearest to its head are played, so many starts in all, and
for one behind them the wait is the worksets before it over the pace at the end of the play. Worksets that are
still to come are not played: what they cost shows in the scores of earlier estimates, which correct the
next (scores.py).
"""

import heapq
import math
import random
from bisect import insort
from collections import Counter
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice

from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.model import Cluster, Customer, Workset
from daylily_scheduler.domain.order import CLASSES
from daylily_scheduler.domain.policy import pick
from daylily_scheduler.domain.resources import Resources
from daylily_scheduler.domain.rules import DEFAULT_RULES, Rules
from daylily_scheduler.domain.runtimes import Basis, RunTimes

HORIZON = timedelta(days=14)
# Worksets from the head of the queue that take part, and starts in all plays together; with many
# clusters fewer, because each start looks at all of them.
MOST_PLAYED = 800
MOST_STARTS = 2000
CLUSTERS_FOR_ALL_STARTS = 20
FEWEST_PLAYS, MOST_PLAYS = 8, 24
# A play makes as many plans as it has starts: each looks at less than one that is acted upon.
PLAN_LOOKS, MOST_PLANNED = 100, 4
# A run of no length would end before it began to count, and one of centuries is no date.
SHORTEST_HOURS, LONGEST_HOURS = 1e-4, 1e5
NEVER = math.inf

Step = Generator[None, None, None]


@dataclass(frozen=True, slots=True)
class Scene:
    """What a forecast begins with: the contents of a book at one moment, cheap to take.

    `starting` are clusters that are being created, with when they take work.
    """

    now: datetime
    clusters: tuple[Cluster, ...]
    customers: tuple[Customer, ...]
    active: tuple[Workset, ...]
    queued: tuple[Workset, ...]
    # Worksets that wait beyond those of `queued`.
    beyond: int
    rules: Rules = DEFAULT_RULES
    starting: tuple[tuple[datetime, Cluster], ...] = ()

    @classmethod
    def of(
        cls, book: Book, now: datetime, also: Iterable[Workset] = (), most: int = MOST_PLAYED
    ) -> "Scene":
        """The book as it is, with the head of its queue, those that wait for a time, and `also`."""
        running = book.fleet.running(now)
        heads = list(islice(_in_order(book), most))
        heads += book.queue.due_later(most // 4)
        known = {workset.workset_id for workset in heads}
        others = [workset for workset in also if workset.workset_id not in known]
        return cls(
            now=now,
            clusters=tuple(running[name] for name in sorted(running)),
            customers=tuple(book.limits),
            active=tuple(book.active.values()),
            queued=(*heads, *others),
            beyond=max(len(book.queue) - len(heads), 0),
            rules=book.rules,
        )


@dataclass(frozen=True, slots=True)
class Play:
    """One way that things may go: hours from now until each workset starts and ends. `hours` is how far
    it was played, `whole` whether nothing more could start by then, `pace` the starts an hour that the
    worksets which run then make room for.
    """

    starts: dict[str, float]
    ends: dict[str, float]
    clusters: dict[str, str]
    hours: float
    whole: bool
    pace: float


@dataclass(frozen=True, slots=True)
class Forecast:
    """Several plays of one scene."""

    made_at: datetime
    plays: tuple[Play, ...]
    played: frozenset[str]
    basis: Basis

    def wait(self, workset_id: str, ahead: int) -> "Wait":
        """How long the workset will wait, when so many go before it."""
        hours, extrapolated = [], False
        for play in self.plays:
            found = play.starts.get(workset_id)
            if found is None and not play.whole and play.pace:
                found = play.hours + max(ahead - len(play.starts), 0) / play.pace
                extrapolated = True
            hours.append(NEVER if found is None else found)
        return Wait(_quantile(hours, 0.5), _quantile(hours, 0.9), extrapolated)


@dataclass(frozen=True, slots=True)
class Wait:
    """Hours until a start, as played; NEVER beyond the horizon."""

    p50: float
    p90: float
    extrapolated: bool


def forecast(
    scene: Scene,
    times: RunTimes,
    *,
    target: str = "",
    after: frozenset[str] = frozenset(),
    seed: int = 0,
) -> Generator[None, None, Forecast]:
    """Plays the scene several times. A generator, so that whoever runs it can let others run between
    its steps; its return value is the forecast. Same scene, same learning, same seed: same forecast.

    Args:
        scene: what it begins with.
        times: what was learned of run times.
        target: play only until this workset starts; until nothing is left when empty.
        after: worksets that have to end before `target` can start.
        seed: of chance.
    """
    starts = MOST_STARTS // max(len(scene.clusters) // CLUSTERS_FOR_ALL_STARTS, 1)
    bases: Counter[Basis] = Counter()
    plays: list[Play] = []
    left = starts
    while len(plays) < FEWEST_PLAYS or (len(plays) < MOST_PLAYS and left > 0):
        dice = random.Random(f"{seed}:{len(plays)}")  # noqa: S311 - chance, not a secret
        game = _Game(scene, times, dice.random, bases, after=after)
        yield from game.set_up(target)
        yield from game.run(target, starts // FEWEST_PLAYS)
        plays.append(game.play)
        # A play costs its set-up, too.
        left -= len(game.play.starts) + len(scene.queued) // 4 + 1
    basis = max(bases, key=lambda each: (bases[each], each.value)) if bases else Basis.DEFAULT
    return Forecast(
        scene.now, tuple(plays), frozenset(each.workset_id for each in scene.queued), basis
    )


def play_once(
    scene: Scene, times: RunTimes, joining: Sequence[tuple[datetime, Cluster]] = ()
) -> Generator[None, None, Play]:
    """Plays the whole scene with the median of each run time, and clusters that join at these times."""
    game = _Game(scene, times, lambda: 0.5, Counter(), joining=joining)
    yield from game.set_up("")
    yield from game.run("", len(scene.queued) + 1)
    return game.play


class _Game:
    """One play under way. `draw` gives the share of the runs that end sooner, [0, 1)."""

    def __init__(
        self,
        scene: Scene,
        times: RunTimes,
        draw: Callable[[], float],
        bases: "Counter[Basis]",
        *,
        after: frozenset[str] = frozenset(),
        joining: Sequence[tuple[datetime, Cluster]] = (),
    ) -> None:
        self._scene = scene
        self._times = times
        self._draw = draw
        self._joining = sorted(
            (*scene.starting, *joining), key=lambda join: (join[0], join[1].cluster_name)
        )
        self._bases = bases
        self._after = set(after)
        rules = scene.rules
        self._book = Book(
            replace(
                rules,
                plan_looks=min(rules.plan_looks, PLAN_LOOKS),
                most_planned=min(rules.most_planned, MOST_PLANNED),
            )
        )
        # The cheapest first: where several could have something, it goes there.
        self._names: list[str] = []
        self._prices: dict[str, float] = {}
        self._ends: list[tuple[datetime, str]] = []
        self._target: Workset | None = None
        self._lengths: list[float] = []
        self._work = 0.0
        self._starts: dict[str, float] = {}
        self._ended: dict[str, float] = {}
        self._places: dict[str, str] = {}
        self._now = scene.now
        self._whole = False

    @property
    def play(self) -> Play:
        hours = _hours(self._now - self._scene.now)
        return Play(self._starts, self._ended, self._places, hours, self._whole, self._pace())

    def set_up(self, target: str) -> Step:
        scene, book = self._scene, self._book
        for cluster in scene.clusters:
            self._put(cluster)
        book.set_customers(list(scene.customers))
        for workset in scene.active:
            book.put(workset, scene.now)
            elapsed = _hours(scene.now - (workset.locked_at or scene.now))
            left = self._times.of(workset).left(max(elapsed, 0.0), self._draw())
            self._end_in(workset, left)
        for index, workset in enumerate(scene.queued):
            if workset.workset_id == target and self._after:
                self._target = workset
                continue
            book.put(workset, scene.now)
            if index % 100 == 99:
                yield

    def run(self, target: str, most: int) -> Step:
        horizon = self._scene.now + HORIZON
        while self._now < horizon:
            self._book.advance(self._now)
            yield from self._give_out(most)
            if target in self._starts or len(self._starts) >= most:
                return
            due = self._next()
            if due is None:
                break
            self._now = max(due, self._now)
            while self._ends and self._ends[0][0] <= self._now:
                self._end(heapq.heappop(self._ends)[1])
            while self._joining and self._joining[0][0] <= self._now:
                self._put(self._joining.pop(0)[1])
        self._whole = True

    # --- inside ---

    def _put(self, cluster: Cluster) -> None:
        # Whoever is in the running stays in it: nothing reports in virtual time.
        self._book.fleet.put(replace(cluster, heard_at=self._scene.now + 2 * HORIZON))
        self._prices[cluster.cluster_name] = cluster.price_per_vcpu_hour_usd
        insort(self._names, cluster.cluster_name, key=lambda name: (self._prices[name], name))

    def _pace(self) -> float:
        """Starts an hour at the end of the play."""
        if not self._lengths:
            return 0.0
        if self._now > self._scene.now:
            # So many run, each for the mean of these hours (Little's law).
            return len(self._ends) * len(self._lengths) / sum(self._lengths)
        # Cut while idle clusters were filled: what they can do in an hour over the work of a start.
        vcpus = sum(max(cluster.usable.vcpus, 0) for cluster in self._scene.clusters)
        return vcpus * len(self._lengths) / max(self._work, 1e-6)

    def _give_out(self, most: int) -> Step:
        """Lets every cluster with room ask until none gets anything more."""
        book, now, given = self._book, self._now, True
        while given:
            given = False
            asking = [name for name in self._names if _may_take(book.fleet.free(name))]
            for name in asking:
                book.ask(name, now)
            for name in asking:
                while len(self._starts) < most:
                    found = pick(book, name, now)
                    yield
                    if found is None:
                        break
                    given = True
                    self._start(found.workset, name)

    def _start(self, workset: Workset, cluster_name: str) -> None:
        self._starts[workset.workset_id] = _hours(self._now - self._scene.now)
        self._places[workset.workset_id] = cluster_name
        self._book.run(
            workset.workset_id, cluster_name, workset.version + 1, started=True, at=self._now
        )
        time = self._times.of(workset)
        self._bases[time.basis] += 1
        hours = max(time.at(self._draw()), SHORTEST_HOURS)
        self._lengths.append(hours)
        self._work += hours * max(workset.needs.amount.vcpus, 1)
        self._end_in(workset, hours)

    def _end_in(self, workset: Workset, hours: float) -> None:
        length = timedelta(hours=min(max(hours, SHORTEST_HOURS), LONGEST_HOURS))
        heapq.heappush(self._ends, (self._now + length, workset.workset_id))

    def _end(self, workset_id: str) -> None:
        self._book.drop(workset_id)
        self._ended[workset_id] = _hours(self._now - self._scene.now)
        if workset_id in self._after:
            self._after.discard(workset_id)
            if not self._after and self._target is not None:
                self._book.put(replace(self._target, dependencies_met=True), self._now)

    def _next(self) -> datetime | None:
        """When something happens next."""
        due = [self._ends[0][0]] if self._ends else []
        due += [self._joining[0][0]] if self._joining else []
        timer = self._book.next_due(self._now)
        # A policy that does nothing when its time has come must not hold the play up.
        if timer is not None and timer < self._scene.now + HORIZON:
            due.append(max(timer, self._now + timedelta(seconds=1)))
        return min(due, default=None)


def _in_order(book: Book) -> Iterator[Workset]:
    """The worksets that could start, the head of the queue first."""
    behind = book.behind()
    for counts_as in CLASSES:
        for _, (_, workset_id) in book.queue.in_order(counts_as, behind):
            workset = book.queue.get(workset_id)
            if workset is not None:
                yield workset


def _may_take(free: Resources) -> bool:
    return free.slots > 0 and free.vcpus > 0


def _hours(length: timedelta) -> float:
    return length / timedelta(hours=1)


def _quantile(values: list[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(max(math.ceil(len(ordered) * share) - 1, 0), len(ordered) - 1)]
