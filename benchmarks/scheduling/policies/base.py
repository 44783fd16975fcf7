"""What the engine asks of a policy, and what it tells it."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Protocol, runtime_checkable

from benchmarks.scheduling.platforms import Site
from benchmarks.scheduling.workload import Offer


class Inside(Enum):
    """What becomes of worksets inside a cluster that has not enough vCPUs for all it was given."""

    # The policy never gives that much; the engine stops a simulation where one does.
    NEVER = auto()
    # They share the vCPUs and slow down in proportion.
    SHARED = auto()
    # They wait inside the cluster, first come first served, as under Slurm.
    QUEUED = auto()


@dataclass(frozen=True, slots=True)
class Start:
    workset_id: str
    cluster: str


class Policy(Protocol):
    """Decides what starts where. Times are seconds since the window began. After everything that it
    is told of one moment it is asked for `starts`.
    """

    @property
    def inside(self) -> Inside: ...

    def arrive(self, offer: Offer, now: float) -> None:
        """A workset waits: a new one, or one whose cluster was taken away under it."""

    def finish(self, workset_id: str, now: float) -> None:
        """A workset has ended, or lost its cluster; the room is free."""

    def cluster_up(self, site: Site, now: float) -> None:
        """The cluster takes work from now on."""

    def cluster_down(self, name: str, now: float) -> None:
        """The cluster is gone."""

    def price(self, name: str, usd: float, now: float) -> None:
        """A vCPU-hour on the cluster costs this from now on."""

    def starts(self, now: float) -> Iterable[Start]:
        """What starts now. The engine starts them all and does not ask again before something
        happens."""

    def next_due(self, now: float) -> float | None:
        """When the policy wants to be asked again though nothing happened; None for never."""

    def wanted(self, now: float, offered: Iterable[Site], booting: Iterable[Site]) -> list[str]:
        """Which of the clusters offered to boot now. Asked on an elastic platform alone."""


@runtime_checkable
class Estimator(Protocol):
    """A policy that also says how long worksets will wait."""

    def wait_p90(self, workset_id: str, now: float) -> float | None:
        """Seconds from now within which the workset starts, nine times in ten; None if it does not
        say. Asked of some worksets that have just come and were not started at once.
        """
