"""How good the estimates of waits were, and what that says of the next ones.

An estimate is put to the test when its workset starts. The share of p90 estimates that held is what
people are told. The same past corrects the next: the played wait is stretched by the factor with which
the last ones would have held nine times in ten (conformal prediction; Vovk et al., Algorithmic Learning
in a Random World, 2005). So whatever the play leaves out, such as worksets still to come, is in the
answer as far as it showed.
"""

import math
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from daylily_scheduler.domain.model import Priority

SCORES_KEPT = 200
OPEN_KEPT = 500
# Before so many were put to the test, estimates are given as they were played.
FEWEST_SCORES = 20
# What a monitor may take to ask again is no fault of an estimate, and keeps ratios of short waits sane.
TOLERANCE = timedelta(minutes=1)
OFFSET_HOURS = 1 / 12
HIGHEST_FACTOR = 50.0
P50, P90 = 0.5, 0.9


@dataclass(frozen=True, slots=True)
class Promise:
    """An estimate that waits to be put to the test. Hours from `made_at`; `played` as they came out of
    the play, `p90` as it was told.
    """

    workset_id: str
    priority: Priority
    made_at: datetime
    played_p50: float
    played_p90: float
    p90: float

    def held(self, started_at: datetime) -> bool:
        return started_at <= self.made_at + timedelta(hours=self.p90) + TOLERANCE

    def ratios(self, started_at: datetime) -> tuple[float, float]:
        """The actual wait over the played p50 and p90, both longer by an offset."""
        waited = max((started_at - self.made_at).total_seconds() / 3600, 0.0) + OFFSET_HOURS
        return waited / (self.played_p50 + OFFSET_HOURS), waited / (self.played_p90 + OFFSET_HOURS)


@dataclass(frozen=True, slots=True)
class Score:
    """A promise that was put to the test."""

    held: bool
    of_p50: float
    of_p90: float


class Scores:
    def __init__(self) -> None:
        self._open: dict[str, Promise] = {}
        self._done: dict[Priority, deque[Score]] = {
            priority: deque(maxlen=SCORES_KEPT) for priority in Priority
        }
        self.scored = 0
        """Promises put to the test, ever."""

    def __contains__(self, workset_id: str) -> bool:
        return workset_id in self._open

    @property
    def room(self) -> int:
        """How many more promises are taken now."""
        return OPEN_KEPT - len(self._open)

    def promise(self, made: Promise) -> None:
        """Keeps an estimate for its test; the first of a workset counts, as long as there is room."""
        if self.room > 0:
            self._open.setdefault(made.workset_id, made)

    def start(self, workset_id: str, at: datetime) -> None:
        """The workset started: its estimate is put to the test."""
        made = self._open.pop(workset_id, None)
        if made is not None:
            self._done[made.priority].append(_score(made, at))
            self.scored += 1

    def drop(self, workset_id: str) -> None:
        """The workset will not start: there is nothing to test."""
        self._open.pop(workset_id, None)

    def coverage(self, now: datetime) -> tuple[float, int]:
        """The share of the last p90 estimates that held, and how many that counts. One whose time is
        over while its workset still waits did not hold.
        """
        found = [score for priority in Priority for score in self._tested(priority, now)]
        return (sum(score.held for score in found) / len(found) if found else 0.0, len(found))

    def corrected(
        self, priority: Priority, p50: float, p90: float, now: datetime
    ) -> tuple[float, float]:
        """The hours to tell for what was played."""
        found = self._tested(priority, now)
        if len(found) < FEWEST_SCORES:
            found = [score for each in Priority for score in self._tested(each, now)]
        if len(found) < FEWEST_SCORES:
            return p50, p90
        of_p50 = _quantile((score.of_p50 for score in found), P50)
        of_p90 = _quantile((score.of_p90 for score in found), P90)
        middle = max((p50 + OFFSET_HOURS) * of_p50 - OFFSET_HOURS, 0.0)
        high = max((p90 + OFFSET_HOURS) * of_p90 - OFFSET_HOURS, 0.0)
        return min(middle, high), high

    def _tested(self, priority: Priority, now: datetime) -> list[Score]:
        late = [
            _score(made, now)
            for made in self._open.values()
            if made.priority is priority and not made.held(now)
        ]
        return [*self._done[priority], *late]

    # --- to keep it ---

    def to_record(self) -> dict[str, object]:
        """All of it, for `restore`: strings, numbers, lists."""
        return {
            "scored": self.scored,
            "done": {
                priority.name: [
                    [int(score.held), round(score.of_p50, 4), round(score.of_p90, 4)]
                    for score in scores
                ]
                for priority, scores in self._done.items()
            },
            "open": [
                [
                    made.workset_id,
                    made.priority.name,
                    made.made_at.isoformat(),
                    round(made.played_p50, 4),
                    round(made.played_p90, 4),
                    round(made.p90, 4),
                ]
                for made in self._open.values()
            ],
        }

    def restore(self, record: dict[str, object]) -> None:
        """Takes what `to_record` gave.

        Raises:
            ValueError, TypeError, KeyError: it is not such a record.
        """
        done, made = record["done"], record["open"]
        if not isinstance(done, dict) or not isinstance(made, list):
            raise TypeError("not a record of scores")
        for name, scores in done.items():
            for held, of_p50, of_p90 in scores:
                self._done[Priority[name]].append(Score(bool(held), float(of_p50), float(of_p90)))
        for workset_id, name, at, p50, p90, told in made[:OPEN_KEPT]:
            self._open[str(workset_id)] = Promise(
                str(workset_id),
                Priority[name],
                datetime.fromisoformat(at),
                float(p50),
                float(p90),
                float(told),
            )
        self.scored = int(str(record["scored"]))

    @property
    def open_ids(self) -> Iterable[str]:
        return tuple(self._open)


def _score(made: Promise, at: datetime) -> Score:
    return Score(made.held(at), *made.ratios(at))


def _quantile(values: Iterable[float], share: float) -> float:
    """The conformal quantile: of n values the one at ceil((n + 1) * share)."""
    ordered = sorted(values)
    place = min(math.ceil((len(ordered) + 1) * share), len(ordered)) - 1
    return min(ordered[place], HIGHEST_FACTOR)
