"""The simulator: a virtual clock, and events in the order of their times.

Arrivals, ends of runs, boots, idle shutdowns, reclaims of a cluster, changes of price. Events of the
same second happen in the order of their kinds, then of their making: the same inputs give the same
run. What may overfill a cluster is checked here and not left to the policy.
"""

import heapq
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Final

from benchmarks.scheduling.platforms import Platform, Site
from benchmarks.scheduling.policies.base import Estimator, Inside, Policy
from benchmarks.scheduling.workload import HOUR, Job

# A run has ended when less than this is left of it: clocks are sums of floats.
TOO_SHORT: Final = 1e-6


class Kind(IntEnum):
    """In this order at the same moment: room is freed before it is asked for."""

    END = 0
    RECLAIM = 1
    PRICE = 2
    BOOTED = 3
    ARRIVAL = 4
    WAKE = 5
    IDLE = 6


class OverCapacityError(RuntimeError):
    """A policy gave a cluster more than it has."""


class StuckError(RuntimeError):
    """Worksets wait and nothing will ever happen again."""


@dataclass(frozen=True, slots=True)
class Reclaim:
    """Everything that runs on the cluster is lost at this time, and waits again."""

    at: float
    cluster: str


@dataclass(frozen=True, slots=True)
class PriceChange:
    at: float
    zone: str
    usd: float


@dataclass(slots=True)
class Outcome:
    """What became of one workset. `started` is its last start, `attempts` counts them."""

    job: Job
    started: float = 0.0
    ended: float = 0.0
    cluster: str = ""
    attempts: int = 0
    # Until when it should have started, by the p90 that was estimated when it came.
    promised: float | None = None

    @property
    def delay(self) -> float:
        """Seconds that it came later than a start at once on a machine of its own would have given."""
        return max(self.ended - self.job.offer.arrival - self.job.run, 0.0)

    @property
    def slowdown(self) -> float:
        """How many times as long as it ran it took."""
        return (self.delay + self.job.run) / self.job.run


@dataclass(slots=True)
class Run:
    """A finished simulation. Money in dollars, times in seconds."""

    outcomes: list[Outcome]
    energy_usd: float
    fixed_usd: float
    overcommitted_s: float
    ended: float
    # (time, vCPUs that work, vCPUs of live clusters), at every change.
    used: list[tuple[float, int, int]]


@dataclass(slots=True)
class _Running:
    outcome: Outcome
    left: float


@dataclass(slots=True)
class _Machine:
    """A live cluster. `given` is what the policy put on it, `running` what works."""

    site: Site
    price: float
    since: float
    given: dict[str, int] = field(default_factory=dict)
    running: dict[str, _Running] = field(default_factory=dict)
    inside: deque[Outcome] = field(default_factory=deque)
    generation: int = 0
    idle_generation: int = 0
    at: float = 0.0
    energy_usd: float = 0.0
    overcommitted_s: float = 0.0

    @property
    def given_vcpus(self) -> int:
        return sum(self.given.values())

    @property
    def running_vcpus(self) -> int:
        return sum(each.outcome.job.offer.vcpus for each in self.running.values())

    @property
    def speed(self) -> float:
        running = self.running_vcpus
        return 1.0 if running <= self.site.vcpus else self.site.vcpus / running

    def catch_up(self, now: float) -> None:
        """Accounts for the time since the last change."""
        elapsed = now - self.at
        self.at = now
        if not elapsed:
            return
        progress = elapsed * self.speed
        for each in self.running.values():
            each.left -= progress
        busy = min(self.running_vcpus, self.site.vcpus)
        self.energy_usd += busy * elapsed / HOUR * self.price
        if self.given_vcpus > self.site.vcpus:
            self.overcommitted_s += elapsed


class Simulation:
    """One policy on one platform with one workload; `run` once.

    Args:
        platform: where.
        jobs: what arrives.
        policy: who decides. It is told nothing of a job but its offer.
        reclaims, price_changes: what befalls the clusters.
        estimate_every: of the worksets that have to wait, every so manieth is estimated, if the policy
            gives estimates; none by default, since a forecast costs far more than a pick.
    """

    def __init__(
        self,
        platform: Platform,
        jobs: Sequence[Job],
        policy: Policy,
        *,
        reclaims: Iterable[Reclaim] = (),
        price_changes: Iterable[PriceChange] = (),
        estimate_every: int = 0,
    ) -> None:
        self._platform = platform
        self._policy = policy
        self._estimate_every = estimate_every
        self._outcomes = {job.offer.workset_id: Outcome(job) for job in jobs}
        self._sites = {site.name: site for site in platform.sites}
        self._prices = {site.name: site.price for site in platform.sites}
        self._live: dict[str, _Machine] = {}
        self._booting: dict[str, float] = {}
        self._events: list[tuple[float, Kind, int, object]] = []
        self._made = 0
        self._waiting: set[str] = set()
        self._came: list[str] = []
        self._waited = 0
        self._unfinished = len(self._outcomes)
        self._arrivals_left = len(self._outcomes)
        self._armed: float | None = None
        self._used: list[tuple[float, int, int]] = []
        self._energy_usd = 0.0
        self._fixed_usd = 0.0
        self._overcommitted_s = 0.0
        for job in jobs:
            self._at(job.offer.arrival, Kind.ARRIVAL, job.offer.workset_id)
        for reclaim in reclaims:
            self._at(reclaim.at, Kind.RECLAIM, reclaim.cluster)
        for change in price_changes:
            self._at(change.at, Kind.PRICE, change)

    def run(self) -> Run:
        """Plays everything until the last workset has ended.

        Raises:
            OverCapacityError: the policy overfilled a cluster, which it says it never does.
            StuckError: worksets wait that the policy never starts.
        """
        now = 0.0
        if not self._platform.elastic:
            for site in self._platform.sites:
                self._up(site, now)
        while self._unfinished:
            if not self._events or (not self._arrivals_left and self._is_stuck()):
                raise StuckError(
                    f"{len(self._waiting)} worksets wait for ever at {now / HOUR:.1f} h"
                )
            now = self._events[0][0]
            while self._events and self._events[0][0] <= now:
                _, kind, _, what = heapq.heappop(self._events)
                self._happen(kind, what, now)
            self._decide(now)
        for machine in list(self._live.values()):
            self._account(machine, now)
        return Run(
            outcomes=sorted(self._outcomes.values(), key=lambda each: each.job.offer.arrival),
            energy_usd=self._energy_usd,
            fixed_usd=self._fixed_usd,
            overcommitted_s=self._overcommitted_s,
            ended=now,
            used=self._used,
        )

    # --- events ---

    def _at(self, time: float, kind: Kind, what: object) -> None:
        self._made += 1
        heapq.heappush(self._events, (time, kind, self._made, what))

    def _happen(self, kind: Kind, what: object, now: float) -> None:
        match kind, what:
            case Kind.ARRIVAL, str():
                self._arrivals_left -= 1
                self._waiting.add(what)
                self._came.append(what)
                self._policy.arrive(self._outcomes[what].job.offer, now)
            case Kind.END, (str() as name, int() as generation):
                self._end(name, generation, now)
            case Kind.BOOTED, str():
                del self._booting[what]
                self._up(self._sites[what], now)
            case Kind.IDLE, (str() as name, int() as generation):
                self._idle(name, generation, now)
            case Kind.RECLAIM, str():
                self._reclaim(what, now)
            case Kind.PRICE, PriceChange():
                self._change_price(what, now)
            case _:
                # WAKE: the policy asked to be asked.
                self._armed = None

    def _end(self, name: str, generation: int, now: float) -> None:
        machine = self._live.get(name)
        if machine is None or machine.generation != generation:
            # What runs there has changed since: the event of that time counts.
            return
        machine.catch_up(now)
        done = [key for key, each in machine.running.items() if each.left <= TOO_SHORT]
        for workset_id in done:
            machine.running.pop(workset_id).outcome.ended = now
            del machine.given[workset_id]
            self._unfinished -= 1
            self._policy.finish(workset_id, now)
        self._changed(machine, now)

    def _reclaim(self, name: str, now: float) -> None:
        machine = self._live.get(name)
        if machine is None:
            return
        machine.catch_up(now)
        lost = list(machine.given)
        machine.given.clear()
        machine.running.clear()
        machine.inside.clear()
        for workset_id in lost:
            self._policy.finish(workset_id, now)
        if self._platform.elastic:
            self._down(machine, now)
        else:
            self._changed(machine, now)
        for workset_id in lost:
            self._waiting.add(workset_id)
            self._policy.arrive(self._outcomes[workset_id].job.offer, now)

    def _change_price(self, change: PriceChange, now: float) -> None:
        for site in self._platform.sites:
            if site.zone != change.zone:
                continue
            self._prices[site.name] = change.usd
            machine = self._live.get(site.name)
            if machine is not None:
                machine.catch_up(now)
                machine.price = change.usd
                self._policy.price(site.name, change.usd, now)

    def _idle(self, name: str, generation: int, now: float) -> None:
        machine = self._live.get(name)
        if machine is not None and not machine.given and machine.idle_generation == generation:
            self._down(machine, now)

    # --- decisions ---

    def _decide(self, now: float) -> None:
        for start in self._policy.starts(now):
            self._start(start.workset_id, start.cluster, now)
        if self._estimate_every and isinstance(self._policy, Estimator):
            self._estimate(self._policy, now)
        if self._platform.elastic:
            offered = [
                self._site(name)
                for name in self._sites
                if name not in self._live and name not in self._booting
            ]
            booting = [self._site(name) for name in self._booting]
            for name in self._policy.wanted(now, offered, booting):
                self._booting[name] = now
                self._at(now + self._platform.boot, Kind.BOOTED, name)
        due = self._policy.next_due(now)
        if due is not None and due > now and (self._armed is None or due < self._armed):
            self._armed = due
            self._at(due, Kind.WAKE, None)

    def _estimate(self, policy: Estimator, now: float) -> None:
        came, self._came = self._came, []
        for workset_id in came:
            if workset_id not in self._waiting:
                continue
            self._waited += 1
            if self._waited % self._estimate_every == 0:
                wait = policy.wait_p90(workset_id, now)
                self._outcomes[workset_id].promised = None if wait is None else now + wait

    def _start(self, workset_id: str, name: str, now: float) -> None:
        outcome = self._outcomes[workset_id]
        self._waiting.remove(workset_id)
        machine = self._live[name]
        machine.catch_up(now)
        site, vcpus = machine.site, outcome.job.offer.vcpus
        if len(machine.given) >= site.slots or vcpus > site.vcpus:
            raise OverCapacityError(f"{workset_id} does not fit {name} at {now:.0f} s")
        if self._policy.inside is Inside.NEVER and machine.given_vcpus + vcpus > site.vcpus:
            raise OverCapacityError(f"{workset_id} overfills {name} at {now:.0f} s")
        machine.given[workset_id] = vcpus
        outcome.cluster = name
        if self._policy.inside is Inside.QUEUED:
            machine.inside.append(outcome)
        else:
            self._begin(machine, outcome, now)
        self._changed(machine, now)

    @staticmethod
    def _begin(machine: _Machine, outcome: Outcome, now: float) -> None:
        outcome.started = now
        outcome.attempts += 1
        workset_id = outcome.job.offer.workset_id
        machine.running[workset_id] = _Running(outcome, outcome.job.run)

    # --- clusters ---

    def _site(self, name: str) -> Site:
        """A cluster as it would be made now: at today's price."""
        site = self._sites[name]
        return Site(site.name, site.zone, site.vcpus, site.slots, self._prices[name], site.fixed)

    def _up(self, site: Site, now: float) -> None:
        # A booting head node costs as much as one that works.
        since = now - self._platform.boot if self._platform.elastic else now
        machine = _Machine(site, self._prices[site.name], since, at=now)
        self._live[site.name] = machine
        self._policy.cluster_up(self._site(site.name), now)
        self._changed(machine, now)

    def _down(self, machine: _Machine, now: float) -> None:
        self._account(machine, now)
        self._policy.cluster_down(machine.site.name, now)
        self._note_use(now)

    def _account(self, machine: _Machine, now: float) -> None:
        machine.catch_up(now)
        del self._live[machine.site.name]
        self._energy_usd += machine.energy_usd
        self._fixed_usd += (now - machine.since) / HOUR * machine.site.fixed
        self._overcommitted_s += machine.overcommitted_s

    def _changed(self, machine: _Machine, now: float) -> None:
        """What runs on the cluster has changed: lets in who waits inside, and finds the next end."""
        while machine.inside:
            if machine.running_vcpus + machine.inside[0].job.offer.vcpus > machine.site.vcpus:
                break
            self._begin(machine, machine.inside.popleft(), now)
        machine.generation += 1
        name = machine.site.name
        if machine.running:
            left = min(each.left for each in machine.running.values())
            self._at(now + max(left, 0.0) / machine.speed, Kind.END, (name, machine.generation))
        elif not machine.given and self._platform.elastic:
            machine.idle_generation += 1
            self._at(now + self._platform.idle, Kind.IDLE, (name, machine.idle_generation))
        self._note_use(now)

    def _note_use(self, now: float) -> None:
        working = sum(min(m.running_vcpus, m.site.vcpus) for m in self._live.values())
        there = sum(m.site.vcpus for m in self._live.values())
        if self._used and self._used[-1][0] == now:
            self._used.pop()
        self._used.append((now, working, there))

    def _is_stuck(self) -> bool:
        """Whether worksets wait and only what does not help them is still to come."""
        return (
            not self._booting
            and not any(machine.given for machine in self._live.values())
            and all(
                kind in {Kind.IDLE, Kind.PRICE, Kind.RECLAIM, Kind.END}
                for _, kind, _, _ in self._events
            )
        )
