"""Clusters and customers: never overbooked, and nothing left behind."""

from collections import Counter
from collections.abc import Iterator

from daylily_state.domain.events import Event, EventType
from tests.chaos.checks.tenures import ends_lock
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
    """Adds up by the time of decisions: a grant is decided after the exit that made room for it."""
    held: dict[str, Event] = {}
    for event in sorted(evidence.tables.events, key=lambda event: event.occurred_at):
        if event.type is not EventType.LOCK_ACQUIRED:
            if ends_lock(event):
                held.pop(event.subject_id, None)
            continue
        held[event.subject_id] = event
        cluster = evidence.tables.clusters.get(event.cluster_name)
        if cluster is not None:
            count = sum(other.cluster_name == event.cluster_name for other in held.values())
            if count > cluster.capacity.slots or count * _VCPUS > cluster.capacity.vcpus:
                yield Violation("reservations", f"{count} locks on {event.cluster_name}")
        customer = evidence.tables.customers.get(event.customer_id)
        if customer is not None and customer.max_concurrent:
            count = sum(other.customer_id == event.customer_id for other in held.values())
            if count > customer.max_concurrent:
                yield Violation("reservations", f"{count} locks of {event.customer_id}")
