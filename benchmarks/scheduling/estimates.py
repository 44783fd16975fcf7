"""How often the scheduler's p90 estimates of waits hold, on the windows of a trace.

python -m benchmarks.scheduling.estimates --trace FILE.swf.gz --prices FILE.txt

The simulator runs the service's own policy. Of the worksets that have to wait, every so many is estimated when
it comes, as the service does: the queue played forward by domain/forecast.py, with run times learned from the
worksets that ended before, corrected by how the last estimates came out. Learning and scores go on from window
to window, as those of a service do that runs for a year; `played` is what came out of the play, before that
correction. A wait is from its estimate to its start, and nothing of the future is known.
"""

import argparse
import math
import sys
from collections.abc import Generator, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import fmean, median
from typing import TypeVar

from benchmarks.scheduling import arguments
from benchmarks.scheduling.engine import Simulation
from benchmarks.scheduling.policies.base import Start
from benchmarks.scheduling.policies.daylily import Daylily, moment
from benchmarks.scheduling.scenarios import ALL, LOAD, WINDOW_DAYS, Scenario, Source, starts
from benchmarks.scheduling.workload import Offer
from daylily_scheduler.domain.forecast import Scene, forecast
from daylily_scheduler.domain.model import Priority
from daylily_scheduler.domain.runtimes import Run, RunTimes, estimate_hours, kind_of
from daylily_scheduler.domain.scores import TOLERANCE, Promise, Scores

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Test:
    """An estimate that was put to the test. Hours."""

    priority: Priority
    played_p90: float
    p50: float
    p90: float
    waited: float

    def held(self, p90: float) -> bool:
        return self.waited <= p90 + TOLERANCE / timedelta(hours=1)


@dataclass(slots=True)
class Learned:
    """What a service knows after some time."""

    times: RunTimes = field(default_factory=lambda: RunTimes(8.0))
    scores: Scores = field(default_factory=Scores)


class Estimating(Daylily):
    """The policy, with an estimate of every so many of the worksets that wait.

    Args:
        learned: what was learned before; learns on.
        every: of how many worksets that wait one is estimated.
    """

    def __init__(self, learned: Learned, every: int) -> None:
        super().__init__()
        self._learned = learned
        self._every = every
        self._new: list[str] = []
        self._waited = 0
        self._told: dict[str, tuple[Promise, float]] = {}
        self.tests: list[Test] = []

    def arrive(self, offer: Offer, now: float) -> None:
        super().arrive(offer, now)
        self._new.append(offer.workset_id)

    def finish(self, workset_id: str, now: float) -> None:
        ended = self._book.active[workset_id]
        if ended.locked_at is not None:
            hours = (moment(now) - ended.locked_at) / timedelta(hours=1)
            self._learned.times.learn(Run(kind_of(ended), hours, estimate_hours(ended)))
        super().finish(workset_id, now)

    def starts(self, now: float) -> Iterator[Start]:
        at = moment(now)
        for start in super().starts(now):
            self._started(start.workset_id, at)
            yield start
        for workset_id in self._new:
            if workset_id in self._book.queue:
                self._waited += 1
                if self._waited % self._every == 0:
                    self._estimate(workset_id, at)
        self._new.clear()

    # --- inside ---

    def _estimate(self, workset_id: str, at: datetime) -> None:
        workset, scores = self._book.queue.get(workset_id), self._learned.scores
        assert workset is not None
        scene = Scene.of(self._book, at, [workset])
        found = _finish(forecast(scene, self._learned.times, target=workset_id))
        ahead = self._book.queue.ahead_of(workset, self._book.behind())
        played = found.wait(workset_id, ahead)
        if not math.isfinite(played.p90):
            return
        p50, p90 = scores.corrected(workset.priority, played.p50, played.p90, at)
        promise = Promise(workset_id, workset.priority, at, played.p50, played.p90, p90)
        scores.promise(promise)
        self._told[workset_id] = (promise, p50)

    def _started(self, workset_id: str, at: datetime) -> None:
        told = self._told.pop(workset_id, None)
        if told is None:
            return
        made, p50 = told
        self._learned.scores.start(workset_id, at)
        waited = (at - made.made_at) / timedelta(hours=1)
        self.tests.append(Test(made.priority, made.played_p90, p50, made.p90, waited))


def _finish(steps: Generator[None, None, T]) -> T:
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result


def main() -> int:
    given = _arguments()
    source = Source(given.trace, given.prices)
    rows, prices = source.rows(), source.zone_prices()
    learned, tests = Learned(), list[Test]()
    head = f"{'window':<20}{'estimates':>10}{'held':>8}{'played':>8}{'p50 held':>10}{'wait h':>8}{'p90 h':>8}"
    print(head, flush=True)
    for seed in given.seed:
        for start in given.start or starts(rows, given.days, ALL):
            scenario = Scenario(start, given.days, given.load, seed)
            platform, jobs = scenario.build(rows, prices)
            policy = Estimating(learned, given.every)
            Simulation(platform, jobs, policy).run()
            tests += policy.tests
            print(_line(scenario.name, policy.tests), flush=True)
            # The next window is another time: what waits from this one never starts.
            for workset_id in learned.scores.open_ids:
                learned.scores.drop(workset_id)
    print(_line("all", tests))
    for priority in Priority:
        print(_line(priority.name, [test for test in tests if test.priority is priority]))
    return 0


def _line(name: str, tests: list[Test]) -> str:
    if not tests:
        return f"{name:<20}{0:>10}"
    return (
        f"{name:<20}{len(tests):>10}"
        f"{fmean(test.held(test.p90) for test in tests):>8.1%}"
        f"{fmean(test.held(test.played_p90) for test in tests):>8.1%}"
        f"{fmean(test.held(test.p50) for test in tests):>10.1%}"
        f"{median(test.waited for test in tests):>8.2f}{median(test.p90 for test in tests):>8.2f}"
    )


def _arguments() -> argparse.Namespace:
    parser = arguments.parser("benchmarks.scheduling.estimates", __doc__)
    parser.add_argument("--load", type=float, default=LOAD)
    parser.add_argument(
        "--start", type=arguments.numbers, help="days of the log on which windows begin"
    )
    parser.add_argument("--days", type=float, default=WINDOW_DAYS, help="length of a window")
    parser.add_argument("--every", type=int, default=5, help="one in so many is estimated")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
