"""A replica whose clock is wrong serves, and ends no lock."""

from collections.abc import Iterator

from tests.chaos.evidence import Evidence, Violation
from tests.chaos.monitor import LEASE

_GRANTS = frozenset({"acquire", "claim", "force"})

TOLERATED = 2.0
"""Seconds by which a replica that is fit may be off the store's clock."""


def clocks(evidence: Evidence) -> Iterator[Violation]:
    """A replica whose clock is over 2 s off is never fit for a lease, and times no lock out.

    For a moment it may hold itself fit: while its requests are delayed it cannot tell.
    """
    off = {
        replica
        for replica in range(evidence.plan.shape.states)
        if abs(evidence.plan.clock_off(replica)) > TOLERATED
    }
    for sample in evidence.fit:
        seconds = sample.at - sample.since
        if sample.replica in off and seconds >= LEASE:
            yield Violation(
                "clocks", f"state-{sample.replica} says that it has been fit for {seconds:.1f} s"
            )
    for ended in evidence.reaped:
        if ended.replica in off:
            yield Violation(
                "clocks", f"state-{ended.replica} ended {ended.workset_id}, token {ended.token}"
            )


def granted_by_a_wrong_clock(evidence: Evidence) -> int:
    """How many locks expire as only a replica whose clock is wrong can have granted them."""
    off = evidence.plan.skew
    return sum(
        call.kind in _GRANTS
        and call.answer is not None
        and "expires_at" in call.answer
        and call.ended_wall is not None
        and call.begun_wall <= call.answer["expires_at"] - LEASE - off <= call.ended_wall
        and not call.begun_wall <= call.answer["expires_at"] - LEASE <= call.ended_wall
        for call in evidence.calls
    )
