"""The project's own policy, as it runs in the service.

The book is told what the feed would tell it, in the order in which it would, and every cluster has a
claim waiting, as a monitor with free slots does. Nothing of the policy is written again here.
"""

import math
from collections.abc import Generator, Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Final, TypeVar

from benchmarks.scheduling.platforms import Site
from benchmarks.scheduling.policies.base import Inside, Start
from benchmarks.scheduling.workload import HOUR, Offer
from daylily_scheduler.domain.advice import creations
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.forecast import Scene, forecast
from daylily_scheduler.domain.matching import WaitingClaims, match
from daylily_scheduler.domain.model import Cluster, Estimate, Needs, Workset
from daylily_scheduler.domain.offers import START
from daylily_scheduler.domain.offers import Offer as CreatedCluster
from daylily_scheduler.domain.resources import Resources
from daylily_scheduler.domain.rules import DEFAULT_RULES, Rules
from daylily_scheduler.domain.runtimes import Run, RunTimes, estimate_hours, kind_of
from daylily_scheduler.domain.scores import Promise, Scores

T = TypeVar("T")
Kind = tuple[str, int, int, float, float]
"""Of a site: zone, vCPUs, slots, dollars for a vCPU-hour and for an hour."""

EPOCH: Final = datetime(2026, 1, 1, tzinfo=UTC)
# Clusters here report whenever they should: none falls silent.
REPORT_INTERVAL: Final = timedelta(days=36500)
# As the service is set by default.
DEFAULT_RUN_HOURS: Final = 8.0
# How often advice on clusters is asked for while something waits.
ADVICE_SECONDS: Final = 300.0


def moment(seconds: float) -> datetime:
    return EPOCH + timedelta(seconds=seconds)


def seconds(at: datetime) -> float:
    return (at - EPOCH).total_seconds()


class Daylily:
    """The policy of `daylily_scheduler.domain`.

    Args:
        rules: its constants, where they are not the service's defaults.
    """

    inside = Inside.NEVER

    def __init__(self, rules: Rules = DEFAULT_RULES) -> None:
        self._book = Book(rules)
        self._times = RunTimes(DEFAULT_RUN_HOURS)
        self._scores = Scores()
        self._claims = WaitingClaims()
        self._numbers = count(1)
        self._versions: dict[str, int] = {}
        self._offers: dict[str, Offer] = {}
        self._clusters: dict[str, int] = {}
        self._booting: dict[str, datetime] = {}
        self._advice_due = 0.0
        self._elastic = False

    def arrive(self, offer: Offer, now: float) -> None:
        workset_id = offer.workset_id
        self._offers[workset_id] = offer
        self._book.put(
            Workset(
                workset_id=workset_id,
                created_at=moment(offer.arrival),
                priority=offer.priority,
                customer_id=offer.customer,
                needs=Needs(amount=Resources(vcpus=offer.vcpus, slots=1)),
                estimate=Estimate(hours=offer.estimate / HOUR),
                deadline=moment(offer.deadline) if offer.deadline is not None else None,
                version=self._version(workset_id),
            ),
            moment(now),
        )

    def finish(self, workset_id: str, now: float) -> None:
        running = self._book.active[workset_id]
        if running.locked_at is not None:
            took = (moment(now) - running.locked_at).total_seconds() / HOUR
            self._times.learn(Run(kind_of(running), took, estimate_hours(running)))
        self._book.forget(workset_id, self._version(workset_id), running.cluster_name)

    def cluster_up(self, site: Site, now: float) -> None:
        self._put_cluster(site, now)
        self._claim(site.name)

    def cluster_down(self, name: str, now: float) -> None:
        del now
        for claim in self._claims.of(name):
            self._claims.discard(claim)
        self._book.remove_cluster(name)

    def price(self, name: str, usd: float, now: float) -> None:
        known = self._book.fleet.get(name)
        assert known is not None
        capacity = known.capacity
        self._put_cluster(
            Site(
                name,
                known.zone,
                capacity.vcpus,
                capacity.slots,
                usd,
                known.fixed_cost_per_hour_usd,
            ),
            now,
        )

    def starts(self, now: float) -> Iterator[Start]:
        at = moment(now)
        self._book.advance(at)
        while True:
            # As the waiting room of the service does after every change of the book.
            matches = match(self._book, self._claims, at)
            if not matches:
                return
            for found in matches:
                workset_id = found.pick.workset.workset_id
                name = found.pick.placement.cluster_name
                # Locked, then started; the monitor claims again at once.
                for started in (False, True):
                    version = self._version(workset_id)
                    self._book.run(workset_id, name, version, started=started, at=at)
                self._scores.start(workset_id, at)
                del self._offers[workset_id]
                self._claim(name)
                yield Start(workset_id, name)

    def next_due(self, now: float) -> float | None:
        due = self._book.next_due(moment(now))
        times = [] if due is None else [seconds(due)]
        if self._elastic and self._offers:
            times.append(self._advice_due)
        return min(times, default=None)

    def wanted(self, now: float, offered: Iterable[Site], booting: Iterable[Site]) -> list[str]:
        """What the service's own advice would create, asked now and then by whoever acts on it."""
        if not self._offers or now < self._advice_due:
            return []
        self._elastic = True
        self._advice_due = now + ADVICE_SECONDS
        at = moment(now)
        on_their_way = {site.name: site for site in booting}
        self._booting = {
            name: since for name, since in self._booting.items() if name in on_their_way
        }
        by_offer: dict[Kind, list[str]] = {}
        for site in offered:
            by_offer.setdefault(
                (site.zone, site.vcpus, site.slots, site.price, site.fixed), []
            ).append(site.name)
        if not by_offer:
            return []
        scene = replace(
            Scene.of(self._book, at),
            starting=tuple(
                (self._booting[name] + START, _cluster(site, at))
                for name, site in sorted(on_their_way.items())
            ),
        )
        offers = {_offer(kind, len(names)): names for kind, names in by_offer.items()}
        chosen: list[str] = []
        for creation in _result(
            creations(scene, self._times, tuple(offers), self._book.rules.crowding)
        ):
            chosen += offers[creation.offer][: creation.count]
        self._booting |= dict.fromkeys(chosen, at)
        return chosen

    def wait_p90(self, workset_id: str, now: float) -> float | None:
        """As `EstimateWait` of the service answers, and kept for its test as there."""
        at = moment(now)
        workset = self._book.queue.get(workset_id)
        assert workset is not None
        played = _result(forecast(Scene.of(self._book, at), self._times, target=workset_id)).wait(
            workset_id, self._book.queue.ahead_of(workset)
        )
        if not math.isfinite(played.p90):
            return None
        _, p90 = self._scores.corrected(workset.priority, played.p50, played.p90, at)
        self._scores.promise(Promise(workset_id, workset.priority, at, played.p50, played.p90, p90))
        return p90 * HOUR

    def _put_cluster(self, site: Site, now: float) -> None:
        version = self._clusters[site.name] = self._clusters.get(site.name, 0) + 1
        self._book.put_cluster(_cluster(site, moment(now), version), moment(now))

    def _claim(self, name: str) -> None:
        self._claims.add(next(self._numbers), name)
        self._book.look_again(name)

    def _version(self, workset_id: str) -> int:
        version = self._versions[workset_id] = self._versions.get(workset_id, 0) + 1
        return version


def _cluster(site: Site, at: datetime, version: int = 1) -> Cluster:
    return Cluster(
        cluster_name=site.name,
        capacity=Resources(vcpus=site.vcpus, slots=site.slots),
        heard_at=at,
        zone=site.zone,
        price_per_vcpu_hour_usd=site.price,
        fixed_cost_per_hour_usd=site.fixed,
        report_interval=REPORT_INTERVAL,
        version=version,
    )


def _offer(kind: Kind, most: int) -> CreatedCluster:
    zone, vcpus, slots, price, fixed = kind
    return CreatedCluster(
        region="",
        zone=zone,
        instance_types=frozenset(),
        size=Resources(vcpus=vcpus, slots=slots),
        price_per_vcpu_hour_usd=price,
        fixed_cost_per_hour_usd=fixed,
        most=most,
    )


def _result(steps: Generator[None, None, T]) -> T:
    """Runs a computation to its end; nobody else waits for a turn here."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
