"""Nothing is stuck, and an outage of ours ends no lock."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from daylily_state.domain.events import EventType
from tests.chaos.checks.clocks import TOLERATED
from tests.chaos.checks.tenures import tenures
from tests.chaos.evidence import Evidence, Violation
from tests.chaos.monitor import LEASE

GRACE = 5.0
MARGIN = 1.0  # of fitness, on top of the lease
# After so many seconds of it, a replica is certainly not fit; shorter ones it may bear.
_UNFIT_AFTER = {
    "kill state": 0.0,
    "stop state": 3.0,
    "store refuses": 3.5,
    "store hangs": 3.5,
}
_SLACK = 0.3


def nothing_stuck(evidence: Evidence) -> Iterator[Violation]:
    """A dead holder's lock ends within 5 s of its lease, if a replica was fit for a lease by then.

    Whether one was, replicas say themselves, twice a second. In the end no lock is left at all.
    """
    for tenure in tenures(evidence):
        event = tenure.granted
        who = f"{event.subject_id}, token {event.lock_token} of {event.owner_id}"
        if tenure.ended is None:
            yield Violation("nothing stuck", f"{who}: never ended")
            continue
        if tenure.ended.type is not EventType.LOCK_TIMEOUT:
            continue
        expired_at = _expired_at(tenure.ended.details)
        ended_at = tenure.ended.occurred_at.timestamp()
        due = _due(evidence, expired_at)
        if due is not None and ended_at > due:
            yield Violation(
                "nothing stuck",
                f"{who}: ran out at {expired_at:.1f}, ended {ended_at - expired_at:.1f} s later, "
                f"was due {due - expired_at:.1f} s later",
            )
    if not evidence.settled:
        yield Violation("nothing stuck", "the system did not come to rest after the faults")


def outages_end_no_lock(evidence: Evidence) -> Iterator[Violation]:
    """A lock is timed out only if some replica lived undisturbed for as long as its lease.

    By the faults that were made, not by what replicas say.
    """
    for tenure in tenures(evidence):
        ended = tenure.ended
        if ended is None or ended.type is not EventType.LOCK_TIMEOUT:
            continue
        at = ended.occurred_at.timestamp() - evidence.wall_ahead
        replicas = range(evidence.plan.shape.states)
        if all(_disturbed(evidence, replica, at) for replica in replicas):
            yield Violation(
                "outages end no lock",
                f"{tenure.granted.subject_id}, token {tenure.granted.lock_token}: timed out though "
                "every replica was away within the lease before",
            )


def dead_holder_seconds(evidence: Evidence) -> list[float]:
    """From the end of a dead holder's lease to the end of its lock, where a replica was fit for it."""
    found = []
    for tenure in tenures(evidence):
        ended = tenure.ended
        if ended is None or ended.type is not EventType.LOCK_TIMEOUT:
            continue
        expired_at = _expired_at(ended.details)
        since = expired_at - LEASE - MARGIN - evidence.wall_ahead
        until = ended.occurred_at.timestamp() - evidence.wall_ahead
        if any(sample.since <= since and sample.at >= until - 1 for sample in evidence.fit):
            found.append(ended.occurred_at.timestamp() - expired_at)
    return sorted(found)


def _due(evidence: Evidence, expired_at: float) -> float | None:
    """When the lock has to be ended; None if no replica was fit for long enough."""
    dues = []
    for sample in evidence.fit:
        fit_at = sample.since + LEASE + MARGIN + evidence.wall_ahead
        due = max(expired_at, fit_at) + GRACE
        if sample.at + evidence.wall_ahead >= due:
            dues.append(due)
    return min(dues, default=None)


def _disturbed(evidence: Evidence, replica: int, at: float) -> bool:
    """Whether this replica could not have been fit at this time (monotonic) for a lease."""
    if abs(evidence.plan.clock_off(replica)) > TOLERATED:
        return True
    for fault in evidence.faults:
        after = _UNFIT_AFTER.get(fault.kind)
        if after is None or fault.replica != replica or fault.ended - fault.begun < after:
            continue
        if fault.begun + after + _SLACK < at < fault.ended + LEASE:
            return True
    first = min(life.begun for life in evidence.lives if life.name == f"state-{replica}")
    return at < first + LEASE


def _expired_at(details: Mapping[str, object]) -> float:
    return datetime.fromisoformat(str(details["expires_at"])).timestamp()
