"""Picks by the policy alone: 50,000 worksets waiting, 1,000 clusters, no service and no network.

The clusters are full and each has a claim waiting. A run ends, and what its room makes possible is given
out, as the service does after each event; then a cluster asks by itself. Every measured step follows a
change, so that nothing that was computed before can be used again.
"""

import argparse
import gc
import random
import tracemalloc
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from benchmarks.measure import Measurements
from benchmarks.report import Figure, at_most
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.matching import WaitingClaims, match
from daylily_scheduler.domain.model import Cluster, Estimate, Needs, Priority, Workset
from daylily_scheduler.domain.policy import pick
from daylily_scheduler.domain.resources import MB_PER_GB, Resources
from daylily_scheduler.feed.long_lived import LongLived

SMALL = ("--queued", "300", "--clusters", "10", "--picks", "20", "--cold", "500")

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
PRICES = (0.0078, 0.0102, 0.0133, 0.0164, 0.0189, 0.0215)
SIZES = ((192, 8), (384, 16))
MOST_MS = 50
TRIES_TO_FILL = 40
PICK = "a pick after a change, p99"
END = "an end and what it gives out, p99"


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--queued", type=int, default=50_000, help="worksets that wait")
    parser.add_argument("--clusters", type=int, default=1000, help="each with a claim waiting")
    parser.add_argument("--picks", type=int, default=300, help="that are measured, of each kind")
    parser.add_argument("--cold", type=int, default=100_000, help="worksets of the cold start")


def measure(given: argparse.Namespace) -> Iterator[Figure]:
    crowd = _Crowd(given.clusters, given.queued)
    measured = Measurements()
    for _ in range(given.picks):
        crowd.end_and_match(measured)
        crowd.ask(measured)
    yield Figure(PICK, measured.percentile(PICK, 99), "ms", to_reach=at_most(MOST_MS))
    yield Figure("a pick after a change, p50", measured.percentile(PICK, 50), "ms")
    seconds = [took for _, took in measured.taken[PICK]]
    yield Figure("picks", len(seconds) / sum(seconds), "/s", more_is_better=True)
    yield Figure(END, measured.percentile(END, 99), "ms", to_reach=at_most(MOST_MS))
    yield Figure("an end and what it gives out, p50", measured.percentile(END, 50), "ms")
    yield Figure("memory of a queued workset", _memory(given.queued), "bytes")
    yield from _cold_start(given)


class _Crowd:
    """A system with more work than room."""

    def __init__(self, clusters: int, queued: int) -> None:
        self._chance = random.Random(1)
        self._book = Book()
        self._claims = WaitingClaims()
        self._now = BEGIN + timedelta(days=1)
        self._number = 0
        for number in range(clusters):
            self._book.put_cluster(cluster(number, self._now), self._now)
            self._fill(f"c{number}")
            self._claims.add(number, f"c{number}")
        self._claim = clusters
        # As the service does with what it reads.
        kept = LongLived()
        while len(self._book.queue) < queued:
            self._put()
            kept.took()
        self._start_what_can()

    def _fill(self, name: str) -> None:
        """Runs on the cluster what comes, until hardly anything fits there any more."""
        for _ in range(TRIES_TO_FILL):
            self._number += 1
            running = workset(self._number, self._chance)
            if self._book.fleet.free(name).covers(running.needs.amount):
                self._book.put(running, self._now)
                self._book.run(running.workset_id, name, 3, started=True, at=self._now)

    def end_and_match(self, measured: Measurements) -> None:
        """A run ends somewhere; its room is given out to the claims that wait."""
        running = self._chance.choice(list(self._book.active.values()))
        self._later()
        with measured.timed(END):
            self._book.forget(running.workset_id, running.version + 1, running.cluster_name)
            self._book.advance(self._now)
            found = match(self._book, self._claims, self._now)
        for each in found:
            self._run(each.pick.workset, each.pick.placement.cluster_name)
        self._put()

    def ask(self, measured: Measurements) -> None:
        """A cluster asks for work, a moment after something changed."""
        running = self._chance.choice(list(self._book.active.values()))
        self._later()
        self._book.forget(running.workset_id, running.version + 1, running.cluster_name)
        with measured.timed(PICK):
            found = pick(self._book, running.cluster_name, self._now)
        if found is not None:
            self._book.assign(found.workset, running.cluster_name)
            for claim in self._claims.of(running.cluster_name):
                self._claims.discard(claim)
            self._run(found.workset, running.cluster_name)
        self._start_what_can()
        self._put()

    def _put(self) -> None:
        self._number += 1
        self._book.put(workset(self._number, self._chance), self._now)

    def _later(self) -> None:
        self._now += timedelta(seconds=1)
        self._book.advance(self._now)

    def _start_what_can(self) -> None:
        while found := match(self._book, self._claims, self._now):
            for each in found:
                self._run(each.pick.workset, each.pick.placement.cluster_name)

    def _run(self, started: Workset, name: str) -> None:
        """Locked and started; the monitor claims again."""
        for version, is_started in ((2, False), (3, True)):
            self._book.run(started.workset_id, name, version, started=is_started, at=self._now)
        self._claim += 1
        self._claims.add(self._claim, name)
        self._book.look_again(name)


def workset(number: int, chance: random.Random) -> Workset:
    """One of many kinds: vCPUs, memory, customer, priority, length."""
    vcpus = chance.choice((8, 16, 32, 48, 64, 96, 128, 192))
    hours = chance.choice((1.0, 2.0, 4.0, 8.0, 12.0, 24.0))
    dated = chance.random() < 0.4
    created = BEGIN + timedelta(seconds=number)
    return Workset(
        workset_id=f"ws-{number:07d}",
        created_at=created,
        priority=chance.choices(list(Priority), (12, 63, 25))[0],
        customer_id=f"customer-{int(chance.paretovariate(0.7)) % 60}",
        needs=Needs(amount=Resources(vcpus, 4 * vcpus * MB_PER_GB, slots=1)),
        estimate=Estimate(hours=hours),
        deadline=created + timedelta(hours=hours + 1 + 12 * chance.random()) if dated else None,
    )


def cluster(number: int, now: datetime) -> Cluster:
    vcpus, slots = SIZES[number % len(SIZES)]
    return Cluster(
        cluster_name=f"c{number}",
        capacity=Resources(vcpus, 4 * vcpus * MB_PER_GB, slots=slots),
        heard_at=now,
        zone=f"zone-{number % len(PRICES)}",
        price_per_vcpu_hour_usd=PRICES[number % len(PRICES)],
        fixed_cost_per_hour_usd=1.0,
        report_interval=timedelta(days=365),
    )


def _memory(queued: int) -> float:
    """Bytes that a workset takes in the book while it waits, its own record included."""
    chance = random.Random(2)
    gc.collect()
    tracemalloc.start()
    book = Book()
    for number in range(queued):
        book.put(workset(number, chance), BEGIN)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return held / len(book.queue)


def _cold_start(given: argparse.Namespace) -> Iterator[Figure]:
    """From nothing to the first pick, without reading the rows from state."""
    chance = random.Random(3)
    rows = [workset(number, chance) for number in range(given.cold)]
    clusters = [cluster(number, BEGIN) for number in range(given.clusters)]
    measured = Measurements()
    gc.unfreeze()
    gc.collect()
    with measured.timed("cold start"):
        book, kept = Book(), LongLived()
        book.set_clusters(clusters, frozenset(), BEGIN)
        for row in rows:
            book.put(row, BEGIN)
            kept.took()
        pick(book, "c0", BEGIN)
    took = measured.percentile("cold start", 50) / 1000
    yield Figure(f"cold start with {given.cold:,} waiting, to the first pick", took, "s")
