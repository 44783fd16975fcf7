"""The system that the scheduler replaces: priority, then the cheapest estimate; the cluster with the
lowest score of price x 10 + |0.6 - utilisation| that has a free slot, whatever its vCPUs.
"""

from collections.abc import Iterable, Iterator
from typing import Final

from benchmarks.scheduling.policies.base import Inside, Start
from benchmarks.scheduling.policies.simple import Listed, Machine
from benchmarks.scheduling.workload import Offer

PRICE_WEIGHT: Final = 10.0
BEST_UTILISATION: Final = 0.6


def by_priority_and_cost(offer: Offer) -> tuple[float | str, ...]:
    return (offer.priority, offer.vcpus * offer.estimate, offer.arrival, offer.workset_id)


def best_score(offer: Offer, machines: Iterable[Machine]) -> Machine | None:
    able = [m for m in machines if m.slots > 0 and offer.vcpus <= m.site.vcpus]
    return min(able, key=lambda machine: (_score(machine), machine.site.name), default=None)


def _score(machine: Machine) -> float:
    used = 1 - machine.vcpus / machine.site.vcpus
    return machine.site.price * PRICE_WEIGHT + abs(BEST_UTILISATION - used)


class Replaced(Listed):
    """What `inside` says becomes of the vCPUs that are promised twice."""

    def __init__(self, inside: Inside) -> None:
        super().__init__(by_priority_and_cost, best_score)
        self.inside = inside

    def starts(self, now: float) -> Iterator[Start]:
        for offer in sorted(self._queue.values(), key=self._order):
            machine = self._place(offer, self._machines.values())
            if machine is not None:
                yield self._take(offer, machine, now)
