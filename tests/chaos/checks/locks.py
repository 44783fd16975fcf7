"""Tokens, holders, stale writes, leases."""

from collections.abc import Iterator
from itertools import pairwise

from daylily_state.domain.events import EventType
from tests.chaos.checks.tenures import Tenure, call_id, ends_lock, tenures
from tests.chaos.evidence import Evidence, Violation
from tests.chaos.monitor import LEASE

_CLOCK = 0.05
"""Seconds by which two reads of one clock may lie apart from what happened between them."""


def tokens(evidence: Evidence) -> Iterator[Violation]:
    """Tokens of a workset only grow; each is granted once, to one."""
    for workset_id, trail in evidence.tables.trails.items():
        granted = [e.lock_token for e in trail if e.type is EventType.LOCK_ACQUIRED]
        if any(later <= earlier for earlier, later in pairwise(granted)):
            yield Violation("tokens", f"{workset_id}: granted in this order: {granted}")
        row = evidence.tables.worksets.get(workset_id)
        if row is not None and row.last_token != max(granted, default=0):
            yield Violation("tokens", f"{workset_id}: last is {row.last_token}, of {granted}")
    told: dict[tuple[str, int], str] = {}
    for call in evidence.calls:
        if call.answer and call.kind in {"claim", "acquire", "force"}:
            key = call.answer["workset_id"], call.answer["token"]
            if key in told:
                yield Violation("tokens", f"{key} was granted to {told[key]} and {call.op_id}")
            told[key] = call.op_id


def one_holder(evidence: Evidence) -> Iterator[Violation]:
    """No lock is granted while another is live by state's own records, but by an operator's force.

    What counts as live is what state answered: a grant or a renewal that it confirmed, up to the
    expiry that it named.
    """
    confirmed = _confirmed(evidence)
    forced = {call.op_id for call in evidence.calls if call.kind == "force"}
    for tenure in tenures(evidence):
        ended = tenure.ended
        if ended is None:
            continue
        if ended.type is EventType.LOCK_ACQUIRED:
            if ended.owner_id not in forced:
                yield Violation("one holder", f"{_who(tenure)}: then granted to {ended.owner_id}")
        elif ended.type in {EventType.LOCK_TIMEOUT, EventType.RESTORED}:
            until, by = confirmed.get(tenure.key, (0.0, ""))
            if until > ended.occurred_at.timestamp():
                yield Violation(
                    "one holder",
                    f"{_who(tenure)}: {ended.type.name} at {ended.occurred_at.timestamp():.3f}, "
                    f"though {by} was confirmed until {until:.3f}",
                )


def stale_writes(evidence: Evidence) -> Iterator[Violation]:
    """What a holder wrote landed only while its token was the live one."""
    for workset_id, trail in evidence.tables.trails.items():
        live: int | None = None
        for event in trail:
            call = evidence.calls_by_id.get(call_id(event))
            token = call.args.get("token") if call else None
            if call and token is not None and token != live:
                yield Violation(
                    "stale writes",
                    f"{workset_id}: {call.kind} {call.op_id} of token {token} landed as "
                    f"version {event.version}, while the live token was {live}",
                )
            if event.type is EventType.LOCK_ACQUIRED:
                live = event.lock_token
            elif ends_lock(event):
                live = None
    yield from _stale_renewals(evidence)


def _stale_renewals(evidence: Evidence) -> Iterator[Violation]:
    """A renewal that was sent after the next holder had its grant is refused."""
    told_at = {
        (call.answer["workset_id"], call.answer["token"]): call.ended or 0.0
        for call in evidence.calls
        if call.answer and call.kind in {"claim", "acquire", "force"}
    }
    for call in evidence.calls:
        if call.kind in {"renew", "progress"} and call.succeeded:
            workset_id, token = call.args["workset_id"], call.args["token"]
            later = [
                at for (ws, other), at in told_at.items() if ws == workset_id and other > token
            ]
            if later and min(later) < call.begun:
                yield Violation("stale writes", f"{call.op_id} renewed {workset_id} token {token}")


def leases(evidence: Evidence) -> Iterator[Violation]:
    """A lock lasts for its lease from the grant and each renewal, by state's clock.

    Where the replicas' clocks differ, it may be any of them, or, as a renewal never shortens a lock,
    one between.
    """
    behind, ahead = evidence.plan.clocks[0], evidence.plan.clocks[-1]
    for call in evidence.calls:
        expires_at = call.answer.get("expires_at") if call.answer else None
        if not expires_at or call.ended_wall is None:
            continue
        earliest = call.begun_wall + LEASE + behind - _CLOCK
        latest = call.ended_wall + LEASE + ahead + _CLOCK
        if not earliest <= expires_at <= latest:
            yield Violation(
                "leases",
                f"{call.kind} {call.op_id}: expires {expires_at - call.begun_wall:.3f} s after it "
                f"was sent, and was answered after {call.ended_wall - call.begun_wall:.3f} s",
            )
    for tenure in tenures(evidence):
        ended = tenure.ended
        if ended is not None and ended.type is EventType.LOCK_TIMEOUT:
            lasted = (ended.occurred_at - tenure.granted.occurred_at).total_seconds()
            if lasted < LEASE:
                yield Violation("leases", f"{_who(tenure)}: timed out after {lasted:.3f} s")


def _confirmed(evidence: Evidence) -> dict[tuple[str, int], tuple[float, str]]:
    """Until when each lock was confirmed at the latest, and by which call."""
    found: dict[tuple[str, int], tuple[float, str]] = {}
    for call in evidence.calls:
        if call.answer and call.answer.get("expires_at"):
            workset_id = call.args.get("workset_id") or call.answer["workset_id"]
            key = workset_id, call.answer["token"]
            found[key] = max(found.get(key, (0.0, "")), (call.answer["expires_at"], call.op_id))
    return found


def _who(tenure: Tenure) -> str:
    event = tenure.granted
    return f"{event.subject_id}, token {event.lock_token} of {event.owner_id}"
