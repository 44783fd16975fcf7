"""The invariants of the system, each a function from the evidence of a run to its violations."""

from collections.abc import Callable, Iterator

from tests.chaos.checks import clocks, feed, liveness, locks, pools, trail
from tests.chaos.evidence import Evidence, Violation

Check = Callable[[Evidence], Iterator[Violation]]

CHECKS: dict[str, Check] = {
    "tokens": locks.tokens,
    "one holder": locks.one_holder,
    "stale writes": locks.stale_writes,
    "leases": locks.leases,
    "events = version": trail.events_and_versions,
    "transitions": trail.transitions,
    "one effect": trail.one_effect,
    "lanes": feed.lanes,
    "consumers": feed.consumers,
    "counts": feed.counts,
    "nothing stuck": liveness.nothing_stuck,
    "outages end no lock": liveness.outages_end_no_lock,
    "clocks": clocks.clocks,
    "reservations": pools.reservations,
}


def check(evidence: Evidence) -> dict[str, list[Violation]]:
    """The violations of each invariant."""
    return {name: list(function(evidence)) for name, function in CHECKS.items()}
