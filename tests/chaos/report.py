"""The table at the end of a run, and whether it passed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from statistics import quantiles

from tests.chaos.checks import check
from tests.chaos.checks.liveness import dead_holder_seconds
from tests.chaos.evidence import Evidence, Violation
from tests.chaos.history import Call
from tests.chaos.hits import hit

_SHOWN = 5
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


def report(evidence: Evidence) -> Report:
    """Check everything and add it up."""
    acquisitions, contended = _contention(evidence.calls)
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
    if made.contended < LEAST_CONTENDED * made.acquisitions:
        yield f"{made.contended} of {made.acquisitions} acquisitions were contended"


# --- adding up ---


def _fault_rows(evidence: Evidence) -> list[FaultRow]:
    rows = []
    for kind in sorted(evidence.kinds):
        some = [fault for fault in evidence.faults if fault.kind == kind]
        hits = sum(hit(fault, evidence.calls, evidence.arrival_times) for fault in some)
        rows.append(FaultRow(kind, len(some), hits))
    return rows


def _contention(calls: Sequence[Call]) -> tuple[int, int]:
    """Acquisitions that were decided, and those for which another monitor competed.

    One that somebody else beat was contended, and one granted while another monitor asked for the
    same workset, or had a claim open that went without.
    """
    asking = [call for call in calls if call.kind in {"claim", "acquire"}]
    decided = contended = 0
    for call in asking:
        granted = bool(call.answer and "token" in call.answer)
        beaten = call.error in _BEATEN and call.kind == "acquire"
        if not granted and not beaten:
            continue
        decided += 1
        contended += beaten or any(_rivals(call, other) for other in asking)
    return decided, contended


def _rivals(call: Call, other: Call) -> bool:
    if other.monitor == call.monitor or call.ended is None or call.answer is None:
        return False
    if other.begun > call.ended or (other.ended is not None and other.ended < call.begun):
        return False
    if other.kind == "claim":
        return "token" not in (other.answer or {})
    return bool(other.args.get("workset_id") == call.answer["workset_id"])


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
    plant = f", planted: {plan.plant}" if plan.plant else ""
    share = made.contended / max(made.acquisitions, 1)
    lost = len(evidence.calls) - made.answered
    lines = [
        f"chaos on {plan.store}, seed {plan.seed}{plant}",
        f"  operations answered {made.answered} of {plan.operations} planned; {lost} got no answer",
        f"  events {len(evidence.tables.events)} of {len(evidence.tables.worksets)} worksets",
        f"  acquisitions {made.acquisitions}, contended {made.contended} ({share:.0%})",
        f"  faults {len(evidence.faults)} of {plan.faults} planned",
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


def _latency(kind: str, took: list[float]) -> str:
    if len(took) < 2:
        return f"  {kind:<22}{len(took):>6}" + "".join(f"{s:>9.3f}" for s in took)
    points = quantiles(took, n=100, method="inclusive")
    return f"  {kind:<22}{len(took):>6}{points[49]:>9.3f}{points[98]:>9.3f}"


def _words(violation: Violation) -> str:
    return f"{violation.invariant}: {violation.text[:300]}"
