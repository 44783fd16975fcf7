"""The table at the end of a run, and whether it passed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from math import inf
from statistics import quantiles

from tests.chaos.checks import check
from tests.chaos.checks.clocks import granted_by_a_wrong_clock
from tests.chaos.checks.liveness import dead_holder_seconds
from tests.chaos.evidence import Evidence, Violation
from tests.chaos.history import Call
from tests.chaos.hits import hit

_SHOWN = 5
_ASKING = frozenset({"acquire", "claim"})
_BEATEN = frozenset({"LockHeld", "IllegalTransition", "Contention"})
LEAST_CONTENDED = 0.2


@dataclass(frozen=True)
class FaultRow:
    kind: str
    made: int
    hit: int


@dataclass
class Report:
    """What came of a run. `failures` are reasons besides violations why it did not pass."""

    evidence: Evidence
    violations: dict[str, list[Violation]]
    faults: list[FaultRow]
    answered: int
    acquisitions: int
    contended: int
    latencies: dict[str, list[float]]
    dead_holders: list[float]
    failures: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return not self.failures and not any(self.violations.values())

    @property
    def caught_by(self) -> list[str]:
        """The checks that found something."""
        return [name for name, found in self.violations.items() if found]

    @property
    def caught(self) -> bool:
        """Whether a planted bug was found; a service that does not run at all is no finding."""
        return bool(self.caught_by) and not self.evidence.deaths


def report(evidence: Evidence) -> Report:
    """Check everything and add it up."""
    acquisitions, contended = contention(evidence.calls)
    made = Report(
        evidence=evidence,
        violations=check(evidence),
        faults=_fault_rows(evidence),
        answered=sum(call.outcome_known for call in evidence.calls),
        acquisitions=acquisitions,
        contended=contended,
        latencies=_latencies(evidence.calls),
        dead_holders=dead_holder_seconds(evidence),
    )
    made.failures += _shortfalls(made)
    return made


def _shortfalls(made: Report) -> Iterator[str]:
    plan = made.evidence.plan
    yield from made.evidence.deaths
    if made.answered < plan.operations:
        yield f"{made.answered} operations were answered, {plan.operations} were planned"
    if len(made.evidence.faults) < plan.faults:
        yield f"{len(made.evidence.faults)} faults were made, {plan.faults} were planned"
    for row in made.faults:
        if not row.hit:
            yield f"{row.kind!r} hit no operation in flight"
    for proves_nothing, words in _nothing_to_look_at(made):
        if proves_nothing:
            yield words
    if made.contended < LEAST_CONTENDED * made.acquisitions:
        yield f"{made.contended} of {made.acquisitions} acquisitions were contended"


def _nothing_to_look_at(made: Report) -> Iterator[tuple[bool, str]]:
    """What a check has to have seen, or it held because there was nothing."""
    evidence, plan = made.evidence, made.evidence.plan
    yield not made.acquisitions, "nobody acquired anything"
    yield not evidence.counted, "nobody was told any counts"
    yield not evidence.arrived, "no event reached the topic"
    if not plan.brief:
        alone = all(each.digest_id not in evidence.arrived for each in evidence.tables.deliveries)
        yield bool(evidence.tables.deliveries) and alone, "no digest reached the topic"
        words = "no dead holder's lock ended while a replica had been fit for it"
        yield not made.dead_holders, words
    if plan.skew:
        words = "the replica whose clock is off granted nothing"
        yield not granted_by_a_wrong_clock(evidence), words
        words = "no lock was timed out beside the replica whose clock is off"
        yield not evidence.reaped, words


# --- adding up ---


def _fault_rows(evidence: Evidence) -> list[FaultRow]:
    rows = []
    for kind in sorted(evidence.kinds):
        some = [fault for fault in evidence.faults if fault.kind == kind]
        hits = sum(hit(fault, evidence.calls, evidence.notifiers) for fault in some)
        rows.append(FaultRow(kind, len(some), hits))
    return rows


def contention(calls: Sequence[Call]) -> tuple[int, int]:
    """Acquisitions, and those for which two monitors went for one workset at the same time.

    An acquisition is a call that got a lock, or one that another monitor beat to it. Two are at the
    same time if the calls overlap; a race begins with the look at the queue. What only found a workset
    taken or done, and what waited for anything at all, did not compete.
    """
    by_workset: dict[str, list[Call]] = {}
    for call in calls:
        if call.kind in _ASKING and (workset_id := _wanted(call)):
            by_workset.setdefault(workset_id, []).append(call)
    made = contended = 0
    for rivals in by_workset.values():
        for call in rivals:
            granted = _got_lock(call)
            if not granted and call.error not in _BEATEN:
                continue
            competed = any(_at_once(call, other) for other in rivals if granted or _got_lock(other))
            made += granted or competed
            contended += competed
    return made, contended


def _wanted(call: Call) -> str:
    answered: str = (call.answer or {}).get("workset_id", "")
    return answered or call.args.get("workset_id", "")


def _got_lock(call: Call) -> bool:
    return bool(call.answer and "token" in call.answer)


def _at_once(one: Call, other: Call) -> bool:
    if one.monitor == other.monitor:
        return False
    return _looked(one) <= (other.ended or inf) and _looked(other) <= (one.ended or inf)


def _looked(call: Call) -> float:
    """Since when it was after this workset."""
    looked: float = call.args.get("looked", call.begun)
    return looked


def _latencies(calls: Sequence[Call]) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    for call in calls:
        if call.outcome_known and call.ended is not None:
            found.setdefault(call.kind, []).append(call.ended - call.begun)
    return found


# --- printing ---


def table(made: Report) -> str:
    """What a person reads."""
    plan, evidence = made.evidence.plan, made.evidence
    special = f", planted: {plan.plant}" if plan.plant else ""
    special += f", one clock off by {plan.skew:g} s" if plan.skew else ""
    share = made.contended / max(made.acquisitions, 1)
    lost = len(evidence.calls) - made.answered
    lines = [
        f"chaos on {plan.store}, seed {plan.seed}{special}",
        f"  operations answered {made.answered} of {plan.operations} planned; {lost} got no answer",
        f"  events {len(evidence.tables.events)} of {len(evidence.tables.worksets)} worksets",
        f"  acquisitions {made.acquisitions}, contended {made.contended} ({share:.0%})",
        f"  faults {len(evidence.faults)} of {plan.faults} planned",
        *_clocks(evidence),
        f"  came to rest {evidence.settled_at - evidence.ended_at:.0f} s after the last fault",
        "",
        f"  {'fault':<22}{'made':>6}{'hit operations in flight':>27}",
        *(f"  {row.kind:<22}{row.made:>6}{row.hit:>27}" for row in made.faults),
        "",
        f"  {'call':<22}{'count':>6}{'p50 s':>9}{'p99 s':>9}",
        *(_latency(kind, took) for kind, took in sorted(made.latencies.items())),
        _latency("dead holder to READY", made.dead_holders),
        "",
        f"  {'invariant':<22}{'violations':>12}",
        *(f"  {name:<22}{len(found):>12}" for name, found in made.violations.items()),
    ]
    for found in made.violations.values():
        lines += [f"  VIOLATION of {violation}" for violation in map(_words, found[:_SHOWN])]
    lines += [f"  FAILURE: {failure}" for failure in made.failures]
    lines.append("  passed" if made.passed else "  FAILED")
    return "\n".join(lines)


def _clocks(evidence: Evidence) -> Iterator[str]:
    if evidence.plan.skew:
        yield (
            f"  locks granted by the replica whose clock is off {granted_by_a_wrong_clock(evidence)}, "
            f"timed out by others {len(evidence.reaped)}"
        )


def _latency(kind: str, took: list[float]) -> str:
    if len(took) < 2:
        return f"  {kind:<22}{len(took):>6}" + "".join(f"{s:>9.3f}" for s in took)
    points = quantiles(took, n=100, method="inclusive")
    return f"  {kind:<22}{len(took):>6}{points[49]:>9.3f}{points[98]:>9.3f}"


def _words(violation: Violation) -> str:
    return f"{violation.invariant}: {violation.text[:300]}"
