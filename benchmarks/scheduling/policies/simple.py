"""Simple policies to compare with: lists in some order, placed in some way, with or without a
reservation for the first in line.

EASY backfilling is that of Lifka (The ANL/IBM SP scheduling system, 1995), carried to several
clusters: the head of the queue gets the earliest start that the estimates promise on any cluster, and
others may start as long as they do not delay that one. EASY-SJBF backfills the shortest first
(Tsafrir, Etsion, Feitelson, 2007).
"""

import heapq
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from benchmarks.scheduling.platforms import Site
from benchmarks.scheduling.policies.base import Inside, Start
from benchmarks.scheduling.workload import Offer

Order = Callable[[Offer], tuple[float | str, ...]]


@dataclass(slots=True)
class Machine:
    """A cluster as a policy sees it: what it gave to it, and when that should end."""

    site: Site
    running: dict[str, tuple[float, Offer]] = field(default_factory=dict)
    vcpus: int = 0
    slots: int = 0
    # Before that it takes nothing: it boots.
    ready: float = 0.0

    def __post_init__(self) -> None:
        self.vcpus, self.slots = self.site.vcpus, self.site.slots

    def fits(self, offer: Offer) -> bool:
        return self.slots > 0 and offer.vcpus <= self.vcpus

    def take(self, offer: Offer, now: float) -> None:
        self.running[offer.workset_id] = (now + offer.estimate, offer)
        self.vcpus -= offer.vcpus
        self.slots -= 1

    def release(self, workset_id: str) -> bool:
        _, offer = self.running.pop(workset_id, (0.0, None))
        if offer is None:
            return False
        self.vcpus += offer.vcpus
        self.slots += 1
        return True

    def earliest(self, offer: Offer, now: float) -> tuple[float, int, int] | None:
        """When the workset could start here by the estimates, and the vCPUs and slots that are left
        beside it then; None if it never can.
        """
        if offer.vcpus > self.site.vcpus:
            return None
        vcpus, slots, at = self.vcpus, self.slots, max(now, self.ready)
        ends = sorted((max(end, now), each.vcpus) for end, each in self.running.values())
        for end, freed in ends:
            if slots > 0 and offer.vcpus <= vcpus:
                break
            at = max(at, end)
            vcpus += freed
            slots += 1
        return at, vcpus - offer.vcpus, slots - 1


Place = Callable[[Offer, Iterable[Machine]], Machine | None]


def by_arrival(offer: Offer) -> tuple[float | str, ...]:
    return (offer.arrival, offer.workset_id)


def by_length(offer: Offer) -> tuple[float | str, ...]:
    return (offer.estimate, offer.arrival, offer.workset_id)


def by_priority(offer: Offer) -> tuple[float | str, ...]:
    return (offer.priority, offer.arrival, offer.workset_id)


def first_fit(offer: Offer, machines: Iterable[Machine]) -> Machine | None:
    """The first by name that has room."""
    return next((machine for machine in machines if machine.fits(offer)), None)


def cheapest(offer: Offer, machines: Iterable[Machine]) -> Machine | None:
    """The lowest price for a vCPU-hour among those that have room."""
    fitting = [machine for machine in machines if machine.fits(offer)]
    return min(fitting, key=lambda machine: (machine.site.price, machine.site.name), default=None)


@dataclass(slots=True)
class _Reservation:
    machine: Machine
    at: float
    vcpus: int
    slots: int

    def allows(self, offer: Offer, machine: Machine, now: float) -> bool:
        if machine is not self.machine or now + offer.estimate <= self.at:
            return True
        return offer.vcpus <= self.vcpus and self.slots > 0

    def count(self, offer: Offer, machine: Machine, now: float) -> None:
        if machine is self.machine and now + offer.estimate > self.at:
            self.vcpus -= offer.vcpus
            self.slots -= 1


class Listed:
    """A queue in one order.

    Args:
        order: who goes first.
        place: where to.
        blocking: nobody overtakes the first in line.
        backfill: in which order others may start beside the reservation of the first that cannot;
            None for no reservation.
    """

    inside = Inside.NEVER

    def __init__(
        self,
        order: Order,
        place: Place = cheapest,
        *,
        blocking: bool = False,
        backfill: Order | None = None,
    ) -> None:
        self._order = order
        self._place = place
        self._blocking = blocking
        self._backfill = backfill
        self._queue: dict[str, Offer] = {}
        self._machines: dict[str, Machine] = {}
        self._booting: dict[str, Machine] = {}
        self._where: dict[str, Machine] = {}

    def arrive(self, offer: Offer, now: float) -> None:
        del now
        self._queue[offer.workset_id] = offer

    def finish(self, workset_id: str, now: float) -> None:
        del now
        self._where.pop(workset_id).release(workset_id)

    def cluster_up(self, site: Site, now: float) -> None:
        self._booting.pop(site.name, None)
        self._machines[site.name] = Machine(site, ready=now)

    def cluster_down(self, name: str, now: float) -> None:
        del now
        del self._machines[name]

    def price(self, name: str, usd: float, now: float) -> None:
        del now
        machine = self._machines[name]
        old = machine.site
        machine.site = Site(old.name, old.zone, old.vcpus, old.slots, usd, old.fixed)

    def next_due(self, now: float) -> None:
        """Nothing here changes by time alone."""

    def starts(self, now: float) -> Iterator[Start]:
        waiting = sorted(self._queue.values(), key=self._order)
        if not any(machine.slots and machine.vcpus for machine in self._machines.values()):
            return
        for at, offer in enumerate(waiting):
            machine = self._place(offer, self._machines.values())
            if machine is not None:
                yield self._take(offer, machine, now)
            elif self._blocking:
                return
            elif self._backfill is not None:
                yield from self._around(offer, waiting[at + 1 :], self._backfill, now)
                return

    def _around(
        self, head: Offer, others: list[Offer], order: Order, now: float
    ) -> Iterator[Start]:
        """Starts those that do not delay the head."""
        kept = self._reserve(head, now)
        for offer in sorted(others, key=order):
            machine = self._place(
                offer,
                [
                    machine
                    for machine in self._machines.values()
                    if kept is None or kept.allows(offer, machine, now)
                ],
            )
            if machine is not None:
                if kept is not None:
                    kept.count(offer, machine, now)
                yield self._take(offer, machine, now)

    def _reserve(self, head: Offer, now: float) -> _Reservation | None:
        best: tuple[tuple[float, float, str], _Reservation] | None = None
        for machine in (*self._machines.values(), *self._booting.values()):
            found = machine.earliest(head, now)
            if found is None:
                continue
            at, vcpus, slots = found
            key = (at, machine.site.price, machine.site.name)
            if best is None or key < best[0]:
                best = (key, _Reservation(machine, at, vcpus, slots))
        return best[1] if best is not None else None

    def _take(self, offer: Offer, machine: Machine, now: float) -> Start:
        del self._queue[offer.workset_id]
        machine.take(offer, now)
        self._where[offer.workset_id] = machine
        return Start(offer.workset_id, machine.site.name)

    # --- elastic platforms ---

    def wanted(self, now: float, offered: Iterable[Site], booting: Iterable[Site]) -> list[str]:
        """Boots the cheapest clusters until all that waits has room on a cluster that boots."""
        del now
        return boot_for(sorted(self._queue.values(), key=self._order), list(offered), list(booting))


def boot_for(waiting: Iterable[Offer], offered: list[Site], booting: list[Site]) -> list[str]:
    """The simplest scaling: what waits is packed, in order, on the clusters that boot; for the first
    that does not fit, the cheapest cluster that could take it is booted as well.
    """
    rooms = [Machine(site) for site in booting]
    choice = [(site.price, site.name, site) for site in offered]
    heapq.heapify(choice)
    chosen = []
    for offer in waiting:
        room = next((room for room in rooms if room.fits(offer)), None)
        if room is None:
            fitting = [entry for entry in choice if entry[2].vcpus >= offer.vcpus]
            if not fitting:
                continue
            entry = min(fitting)
            choice.remove(entry)
            room = Machine(entry[2])
            rooms.append(room)
            chosen.append(entry[1])
        room.take(offer, 0.0)
    return chosen
