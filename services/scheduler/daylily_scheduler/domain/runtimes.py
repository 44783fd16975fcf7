"""How long worksets hold their place, learned from those that finished.

Hours are those of the lock, from its grant to its end: that is what keeps the place from others. Of
each kind of work the last runs are kept, so that what is learned follows a pipeline that changes, and
quantiles are read from them as they are: no distribution is assumed where there are runs.

From the most to the least that is known of a workset: runs of its kind (pipeline, samples, vCPUs), where it
states its samples or has no estimate; runs of its pipeline against what was estimated for them; runs of
its pipeline by work for each sample; the estimate given; runs of its pipeline at all; the default.
"""

import math
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum
from statistics import NormalDist
from typing import Generic, TypeVar

from daylily_scheduler.domain.model import Workset

Key = TypeVar("Key")

# Fewer runs say little about a tenth quantile, and one says nothing at all.
FEWEST_RUNS = 5
RUNS_KEPT = 50
KINDS_KEPT = 1000
PIPELINES_KEPT = 200
# How far runs scatter about a number that nobody has checked: the standard deviation of their
# logarithm. 0.4: nine in ten take less than 1.7 times the estimate; 0.8: less than 2.8 times the default.
SPREAD_OF_ESTIMATES = 0.4
SPREAD_OF_DEFAULT = 0.8
# A run that takes longer than all before it goes on for up to this share of what it took.
OVERTIME = 0.5
_STEPS = 40
_NORMAL = [NormalDist().inv_cdf((step + 0.5) / _STEPS) for step in range(_STEPS)]


class Basis(Enum):
    """Where a run time comes from."""

    HISTORY = "history"
    ESTIMATE = "estimate"
    DEFAULT = "default"


@dataclass(frozen=True, slots=True)
class Kind:
    """Work that is taken to be alike."""

    pipeline: str
    sample_count: int
    vcpus: int


@dataclass(frozen=True, slots=True)
class Run:
    """A run that ended well: `hours` that its lock lasted, `estimate_hours` 0 when there was none."""

    kind: Kind
    hours: float
    estimate_hours: float = 0.0


@dataclass(frozen=True, slots=True)
class RunTime:
    """What is known of how long something takes: `hours` in rising order, equally likely each."""

    hours: tuple[float, ...]
    basis: Basis
    runs: int = 0

    def at(self, share: float) -> float:
        """The hours within which this share of the runs end, 0 to 1; interpolated."""
        place = share * (len(self.hours) + 1) - 1
        below = min(max(math.floor(place), 0), len(self.hours) - 1)
        above = min(below + 1, len(self.hours) - 1)
        part = min(max(place - below, 0.0), 1.0)
        return self.hours[below] + part * (self.hours[above] - self.hours[below])

    def left(self, elapsed: float, share: float) -> float:
        """The same, of what is left to a run that has gone on for `elapsed` hours."""
        longer = tuple(hours for hours in self.hours if hours > elapsed)
        if not longer:
            return elapsed * OVERTIME * share
        return max(RunTime(longer, self.basis).at(share) - elapsed, 0.0)


class _Shelf(Generic[Key]):
    """The last runs of each key; the key that had none for the longest time goes first."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Key, list[float]] = OrderedDict()

    def add(self, key: Key, value: float) -> None:
        values = self._values.setdefault(key, [])
        values.append(value)
        del values[:-RUNS_KEPT]
        self._values.move_to_end(key)
        while len(self._values) > self._most:
            self._values.popitem(last=False)

    def of(self, key: Key) -> list[float] | None:
        """The values of a key if there are enough of them."""
        values = self._values.get(key)
        return values if values is not None and len(values) >= FEWEST_RUNS else None

    def items(self) -> Iterable[tuple[Key, list[float]]]:
        return self._values.items()

    def __len__(self) -> int:
        return len(self._values)


class RunTimes:
    """What was learned.

    Args:
        default_hours: for work that nothing is known of.
    """

    def __init__(self, default_hours: float) -> None:
        self._default = _spread(default_hours, SPREAD_OF_DEFAULT, Basis.DEFAULT)
        self._of_kind: _Shelf[Kind] = _Shelf(KINDS_KEPT)
        # Of each pipeline: hours over the estimate, vCPU-hours a sample, hours.
        self._of_estimate: _Shelf[str] = _Shelf(PIPELINES_KEPT)
        self._of_sample: _Shelf[str] = _Shelf(PIPELINES_KEPT)
        self._of_pipeline: _Shelf[str] = _Shelf(PIPELINES_KEPT)
        self._known: dict[tuple[Kind, float], RunTime] = {}

    @property
    def kinds(self) -> int:
        """Kinds of work that runs are known of."""
        return len(self._of_kind)

    def learn(self, run: Run) -> None:
        """Takes a run that ended well."""
        if not (run.hours > 0 and math.isfinite(run.hours)):
            return
        kind = run.kind
        self._of_kind.add(kind, run.hours)
        self._of_pipeline.add(kind.pipeline, run.hours)
        if run.estimate_hours > 0:
            self._of_estimate.add(kind.pipeline, run.hours / run.estimate_hours)
        if kind.sample_count:
            work = run.hours * max(kind.vcpus, 1) / kind.sample_count
            self._of_sample.add(kind.pipeline, work)
        self._known.clear()

    def of(self, workset: Workset) -> RunTime:
        """How long a workset is expected to hold its place."""
        key = (kind_of(workset), estimate_hours(workset))
        found = self._known.get(key)
        if found is None:
            # As many as there are kinds of work in a queue; the next run that ends clears it.
            found = self._known[key] = self._find(*key)
        return found

    def _find(self, kind: Kind, estimate: float) -> RunTime:
        # Without samples a kind is a wide one, and its owner knows more of the workset.
        if (kind.sample_count or not estimate) and (runs := self._of_kind.of(kind)):
            return _learned(runs, 1.0)
        if estimate and (ratios := self._of_estimate.of(kind.pipeline)):
            return _learned(ratios, estimate)
        if kind.sample_count and (work := self._of_sample.of(kind.pipeline)):
            return _learned(work, kind.sample_count / max(kind.vcpus, 1))
        if estimate:
            return _spread(estimate, SPREAD_OF_ESTIMATES, Basis.ESTIMATE)
        if kind.pipeline and (runs := self._of_pipeline.of(kind.pipeline)):
            return _learned(runs, 1.0)
        return self._default

    # --- to keep it ---

    def to_record(self) -> dict[str, object]:
        """All of it, for `restore`: strings, numbers, lists."""
        return {
            "kinds": [
                [kind.pipeline, kind.sample_count, kind.vcpus, _rounded(values)]
                for kind, values in self._of_kind.items()
            ],
            "estimates": [[name, _rounded(values)] for name, values in self._of_estimate.items()],
            "samples": [[name, _rounded(values)] for name, values in self._of_sample.items()],
            "pipelines": [[name, _rounded(values)] for name, values in self._of_pipeline.items()],
        }

    def restore(self, record: dict[str, list[list[object]]]) -> None:
        """Takes what `to_record` gave.

        Raises:
            ValueError, TypeError, KeyError: it is not such a record.
        """
        for pipeline, samples, vcpus, values in record["kinds"]:
            for hours in _numbers(values):
                self._of_kind.add(Kind(str(pipeline), _whole(samples), _whole(vcpus)), hours)
        for name, shelf in (
            ("estimates", self._of_estimate),
            ("samples", self._of_sample),
            ("pipelines", self._of_pipeline),
        ):
            for pipeline, values in record[name]:
                for value in _numbers(values):
                    shelf.add(str(pipeline), value)
        self._known.clear()


def kind_of(workset: Workset) -> Kind:
    return Kind(workset.pipeline, workset.sample_count, workset.needs.amount.vcpus)


def estimate_hours(workset: Workset) -> float:
    """The length that was stated: itself, or as work over vCPUs; 0 when neither was."""
    estimate, vcpus = workset.estimate, workset.needs.amount.vcpus
    if estimate.hours:
        return estimate.hours
    return estimate.vcpu_hours / vcpus if vcpus else 0.0


# --- inside ---


def _learned(values: list[float], scale: float) -> RunTime:
    return RunTime(tuple(sorted(value * scale for value in values)), Basis.HISTORY, len(values))


def _spread(median: float, sigma: float, basis: Basis) -> RunTime:
    return RunTime(tuple(median * math.exp(sigma * z) for z in _NORMAL), basis)


def _rounded(values: list[float]) -> list[float]:
    return [float(f"{value:.5g}") for value in values]


def _numbers(values: object) -> list[float]:
    if not isinstance(values, list):
        raise TypeError("not a list of numbers")
    found = [float(value) for value in values]
    if not all(value > 0 and math.isfinite(value) for value in found):
        raise ValueError("a number that no run has")
    return found


def _whole(value: object) -> int:
    if not isinstance(value, int) or value < 0:
        raise ValueError("not a count")
    return value
