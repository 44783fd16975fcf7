"""Clusters and customers: never overbooked, and nothing left behind."""

from collections import Counter
from collections.abc import Iterator

from daylily_state.domain.events import Event
from tests.chaos.checks.tenures import tenures_of
from tests.chaos.evidence import Evidence, Violation

_VCPUS = 8
"""What every workset of a run wants."""


def reservations(evidence: Evidence) -> Iterator[Violation]:
    """What is reserved is what live locks hold; and at no time was it more than there is."""
    yield from _reserved_now(evidence)
    yield from _overbooked(evidence)


def _reserved_now(evidence: Evidence) -> Iterator[Violation]:
    slots: Counter[str] = Counter()
    vcpus: Counter[str] = Counter()
    running: Counter[str] = Counter()
    for row in evidence.tables.worksets.values():
        held = row.reservation
        if held is not None and held.amount is not None:
            slots[row.cluster_name] += held.amount.slots
            vcpus[row.cluster_name] += held.amount.vcpus
        if held is not None and held.on_customer:
            running[row.customer_id] += 1
        if held is not None and row.lock is None:
            yield Violation("reservations", f"{row.workset_id} holds {held} without a lock")
    for name, cluster in evidence.tables.clusters.items():
        if (cluster.reserved.slots, cluster.reserved.vcpus) != (slots[name], vcpus[name]):
            yield Violation(
                "reservations",
                f"{name}: reserved {cluster.reserved}, held {slots[name]} slots",
            )
    for name, customer in evidence.tables.customers.items():
        if customer.running != running[name]:
            yield Violation("reservations", f"{name}: {customer.running} run, held {running[name]}")


def _overbooked(evidence: Evidence) -> Iterator[Violation]:
    """How many locks certainly were there at the same time, on each cluster and of each customer."""
    slots = {
        name: min(cluster.capacity.slots, cluster.capacity.vcpus // _VCPUS)
        for name, cluster in evidence.tables.clusters.items()
    }
    runs = {
        name: customer.max_concurrent
        for name, customer in evidence.tables.customers.items()
        if customer.max_concurrent
    }
    held = list(_certainly_held(evidence))
    for name, room in slots.items():
        yield from _most(name, room, [t for e, *t in held if e.cluster_name == name])
    for name, room in runs.items():
        yield from _most(name, room, [t for e, *t in held if e.customer_id == name])


def _most(name: str, room: int, times: list[list[float]]) -> Iterator[Violation]:
    steps = sorted([(end, -1) for _, end in times] + [(begin, 1) for begin, _ in times])
    count = 0
    for at, step in steps:
        count += step
        if count > room:
            yield Violation("reservations", f"{count} locks of {name} at {at:.3f}, room for {room}")


def _certainly_held(evidence: Evidence) -> Iterator[tuple[Event, float, float]]:
    """Grants, each with the time from which and to which it certainly was in the store.

    An event's time is that of its decision; it may be committed seconds later. So a lock is counted
    from when its grant was answered, or the next event was decided on it, to when its end was decided,
    by whichever replica's clock makes that shortest.
    """
    behind, ahead = evidence.plan.clocks[0], evidence.plan.clocks[-1]
    answered = {
        (call.answer["workset_id"], call.answer["token"]): call.ended_wall
        for call in evidence.calls
        if call.answer
        and "token" in call.answer
        and "workset_id" in call.answer
        and call.ended_wall
    }
    for trail in evidence.tables.trails.values():
        for tenure in tenures_of(trail):
            grant = tenure.granted
            later = [e for e in trail if e.version > grant.version]
            begins = [e.occurred_at.timestamp() - behind for e in later[:1]]
            told = answered.get(tenure.key)
            begins += [told] if told else []
            end = tenure.ended.occurred_at.timestamp() - ahead if tenure.ended else float("inf")
            if begins and min(begins) < end:
                yield grant, min(begins), end
