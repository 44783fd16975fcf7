"""What a run is told."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

StoreName = Literal["sqlite", "dynamodb"]


@dataclass(frozen=True)
class Shape:
    """How many of each process there are.

    Attributes:
        long_holds: share of holds that last for several renewals.
        rest: seconds that a monitor rests after each piece of work, on average.
    """

    states: int
    schedulers: int
    notifiers: int
    monitors: int
    clusters: int
    long_holds: float = 0.08
    rest: float = 0.0


@dataclass(frozen=True)
class Plan:
    """One run.

    Attributes:
        seed: of everything that is drawn. Processes run when they like, so two runs are alike, not
            the same.
        minutes: the longest that faults go on.
        operations: so many calls have to have been answered.
        faults: so many have to have been made.
        seconds_apart: between two faults, on average.
        brief: outages of state and its store are shorter than a lease.
        to_the_end: go on for all of `minutes`, however much was done before.
        plant: the planted bug's name, or empty.
        weights: how many times as often as others a kind of fault comes, by its name; 0 is never.
        skew: seconds by which the clock of the last replica of state is ahead, if it is positive, or
            behind. The first monitor's is off by as much the other way.
    """

    seed: int
    store: StoreName
    shape: Shape
    minutes: float
    operations: int
    faults: int
    seconds_apart: float
    brief: bool = False
    to_the_end: bool = False
    plant: str = ""
    weights: dict[str, int] = field(default_factory=dict)
    skew: float = 0.0

    def clock_off(self, replica: int) -> float:
        """Seconds by which the clock of this replica of state is ahead."""
        return self.skew if replica == self.shape.states - 1 else 0.0

    @property
    def clocks(self) -> Sequence[float]:
        """By how much the clocks of the replicas are ahead, each once."""
        return sorted({self.clock_off(replica) for replica in range(self.shape.states)})


def whole(store: StoreName) -> Shape:
    """Everything twice, and eight monitors; SQLite takes one replica of state."""
    return Shape(
        states=2 if store == "dynamodb" else 1, schedulers=2, notifiers=2, monitors=8, clusters=4
    )


def small(store: StoreName) -> Shape:
    """For CI and for looking at one thing."""
    return Shape(
        states=2 if store == "dynamodb" else 1, schedulers=2, notifiers=1, monitors=4, clusters=2
    )
