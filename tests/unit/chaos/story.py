"""Runs told by hand: what monitors asked, what state decided, and what a sound run leaves behind.

Decisions are those of the domain, so rows and events fit together as they do in a store. A test spoils
one thing of it and looks which check sees that.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from daylily_state.domain import cursor, lifecycle, locking, registering
from daylily_state.domain.commands import Acquire, Register, Release, SetState
from daylily_state.domain.commit import Commit
from daylily_state.domain.events import Event, EventType
from daylily_state.domain.locking import Surroundings
from daylily_state.domain.model import (
    LANES,
    Amount,
    Cluster,
    ClusterState,
    Customer,
    Details,
    Requirements,
    Results,
    SubjectKind,
    Workset,
    WorksetState,
    lane_of,
)
from daylily_state.domain.moment import Moment
from daylily_state.domain.retries import RetryPolicy
from tests.chaos.evidence import Counted, Evidence, Life, Tables
from tests.chaos.faults import Fault
from tests.chaos.history import Call
from tests.chaos.monitor import LEASE
from tests.chaos.options import Plan, small
from tests.chaos.system import FitSample

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
WALL_AHEAD = START.timestamp() - 1000.0
"""The monotonic clock says 1,000 s when the story begins."""
CLUSTER, CUSTOMER = "c0", "lab"
ROOM = 2
"""Slots of the cluster, and locks that the customer may have."""
_DETAILS = Details("lab", "runs/")
_POLICY = RetryPolicy()
_TOOK = 0.01
ROUTED = {
    EventType.COMPLETED,
    EventType.FAILED,
    EventType.LOCK_TIMEOUT,
    EventType.RETRY_SCHEDULED,
}


@dataclass
class Story:
    """What happens, in the order in which it is told; `wait` lets time pass."""

    now: datetime = START
    rows: dict[str, Workset] = field(default_factory=dict)
    lanes: list[list[Event]] = field(default_factory=lambda: [[] for _ in range(LANES)])
    calls: list[Call] = field(default_factory=list)
    faults: list[Fault] = field(default_factory=list)
    fit: list[FitSample] = field(default_factory=list)

    @property
    def mono(self) -> float:
        return self.now.timestamp() - WALL_AHEAD

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    # --- what monitors do; each gives the call, which says what it was told ---

    def register(self, monitor: str = "m0") -> str:
        op_id = self._op_id(monitor)
        workset_id = f"ws.{op_id}"
        command = Register(
            workset_id=workset_id,
            bucket="lab",
            prefix="runs/",
            customer_id=CUSTOMER,
            requirements=Requirements(vcpus=8),
        )
        self._call(
            monitor,
            "register",
            {},
            workset_id,
            lambda _, moment: registering.register(None, {}, command, moment),
        )
        return workset_id

    def acquire(self, workset_id: str, monitor: str = "m0", *, force: bool = False) -> Call:
        op_id = self._op_id(monitor)
        command = Acquire(
            workset_id=workset_id,
            owner_id=op_id,
            lease=timedelta(seconds=LEASE),
            cluster_name=CLUSTER,
            force=force,
        )
        around = Surroundings({}, self._cluster(), self._customer())
        return self._call(
            monitor,
            "force" if force else "acquire",
            {"workset_id": workset_id, "force": force},
            workset_id,
            lambda row, moment: locking.acquire(row, _DETAILS, around, command, moment),
        )

    def write(self, grant: Call, state: WorksetState, kind: str) -> Call:
        workset_id, token = held_by(grant)
        op_id = self._op_id(grant.monitor)
        command = SetState(workset_id=workset_id, state=state, lock_token=token, reason=op_id)
        return self._set(grant.monitor, kind, {"workset_id": workset_id, "token": token}, command)

    def start(self, grant: Call) -> Call:
        return self.write(grant, WorksetState.IN_PROGRESS, "start")

    def complete(self, grant: Call) -> Call:
        return self.write(grant, WorksetState.COMPLETE, "complete")

    def release(self, grant: Call) -> Call:
        workset_id, token = held_by(grant)
        command = Release(
            workset_id=workset_id, lock_token=token, reason=self._op_id(grant.monitor)
        )
        return self._call(
            grant.monitor,
            "release",
            {"workset_id": workset_id, "token": token},
            workset_id,
            lambda row, moment: locking.release(row, _DETAILS, command, moment),
        )

    def operate(self, kind: str, workset_id: str, state: WorksetState) -> Call:
        command = SetState(workset_id=workset_id, state=state, reason=self._op_id("m0"))
        return self._set("m0", kind, {"workset_id": workset_id}, command)

    def renew(self, grant: Call) -> Call:
        workset_id, token = held_by(grant)
        row = self.rows[workset_id]
        assert row.lock is not None
        expires_at = self.now + timedelta(seconds=LEASE)
        self.rows[workset_id] = replace(row, lock=replace(row.lock, expires_at=expires_at))
        return self._told(
            self._begin(grant.monitor, "renew", {"workset_id": workset_id, "token": token}),
            {"expires_at": expires_at.timestamp(), "token": token},
        )

    def refused(self, kind: str, error: str, monitor: str = "m0", **args: Any) -> Call:
        """A call that state refused."""
        call = self._begin(monitor, kind, args)
        self._end(call)
        call.error = error
        return call

    # --- what happens by itself ---

    def time_out(self, workset_id: str) -> Event:
        """A replica ends the lock of a holder that is gone."""
        return self._commit(
            workset_id,
            lambda row, moment: lifecycle.time_out(row, _DETAILS, moment, policy=_POLICY),
        )

    def replica_is_fit(self, since: float, at: float, replica: int = 0) -> None:
        """What a replica said of itself, in seconds from the story's beginning."""
        self.fit.append(FitSample(at=1000.0 + at, since=1000.0 + since, replica=replica))

    def fault(self, kind: str, target: str, begun: float, seconds: float, **fields: Any) -> Fault:
        """A fault that began so many seconds after the story's beginning."""
        made = fault(kind, target, 1000.0 + begun, seconds, **fields)
        self.faults.append(made)
        return made

    # --- what is left of it ---

    def evidence(self, **fields: Any) -> Evidence:
        """What a run leaves behind in which this happened, and everything that it reached arrived."""
        events = [event for lane in self.lanes for event in lane]
        counts = Counter(f"{row.state.name} {row.priority.name}" for row in self.rows.values())
        given: dict[str, Any] = {
            "plan": Plan(
                seed=1,
                store="sqlite",
                shape=small("sqlite"),
                minutes=1,
                operations=0,
                faults=0,
                seconds_apart=1.0,
            ),
            "folder": Path(),
            "tables": Tables(
                worksets=dict(self.rows),
                lanes=[list(lane) for lane in self.lanes],
                clusters={CLUSTER: self._cluster()},
                customers={CUSTOMER: self._customer()},
                deliveries=[],
            ),
            "calls": self.calls,
            "kinds": frozenset(made.kind for made in self.faults),
            "faults": self.faults,
            "fit": self.fit,
            "reaped": [],
            "lives": [Life("state-0", 900.0, None)],
            "recorded": [
                (event.subject_id, event.version)
                for event in sorted(events, key=lambda event: event.occurred_at)
            ],
            "counted": [
                Counted(
                    dict(counts),
                    len(self.rows),
                    cursor.encode(tuple(len(lane) for lane in self.lanes)),
                )
            ],
            "arrived": frozenset(event.event_id for event in events if event.type in ROUTED),
            "notifiers": [],
            "deaths": [],
            "ended_at": self.mono,
            "settled_at": self.mono,
            "wall_ahead": WALL_AHEAD,
            "settled": True,
        }
        return Evidence(**{**given, **fields})

    # --- inside ---

    def _op_id(self, monitor: str) -> str:
        return f"{monitor}.1.{len(self.calls) + 1}"

    def _set(self, monitor: str, kind: str, args: dict[str, Any], command: SetState) -> Call:
        return self._call(
            monitor,
            kind,
            args,
            command.workset_id,
            lambda row, moment: lifecycle.set_state(
                row, _DETAILS, Results(), command, moment, policy=_POLICY
            ),
        )

    def _call(
        self,
        monitor: str,
        kind: str,
        args: dict[str, Any],
        workset_id: str,
        decide: Callable[[Any, Moment], Commit | None],
    ) -> Call:
        call = self._begin(monitor, kind, args)
        event = self._commit(workset_id, decide)
        row = self.rows[workset_id]
        answer: dict[str, Any] = {"workset_id": workset_id, "version": event.version}
        if event.type is EventType.LOCK_ACQUIRED and row.lock is not None:
            answer |= {"token": row.lock.token, "expires_at": row.lock.expires_at.timestamp()}
        return self._told(call, answer)

    def _begin(self, monitor: str, kind: str, args: dict[str, Any]) -> Call:
        call = Call(self._op_id(monitor), monitor, kind, self.mono, self.now.timestamp(), args)
        self.calls.append(call)
        return call

    def _told(self, call: Call, answer: dict[str, Any]) -> Call:
        self._end(call)
        call.answer = answer
        return call

    def _end(self, call: Call) -> None:
        self.wait(_TOOK)
        call.ended, call.ended_wall = self.mono, self.now.timestamp()

    def _commit(self, workset_id: str, decide: Callable[[Any, Moment], Commit | None]) -> Event:
        lane = self.lanes[lane_of(SubjectKind.WORKSET, workset_id)]
        count = sum(map(len, self.lanes))
        moment = Moment(now=self.now, event_id=f"e{count + 1}", head=len(lane), dice=0.5)
        commit = decide(self.rows.get(workset_id), moment)
        assert commit is not None
        assert commit.workset is not None
        self.rows[workset_id] = commit.workset.after
        lane.append(commit.event)
        return commit.event

    def _cluster(self) -> Cluster:
        held = [
            row.reservation.amount
            for row in self.rows.values()
            if row.reservation is not None and row.reservation.amount is not None
        ]
        return Cluster(
            cluster_name=CLUSTER,
            state=ClusterState.ACTIVE,
            removed=False,
            region="",
            availability_zone="",
            instance_types=(),
            capacity=Amount(vcpus=64, memory_mb=64, storage_mb=64, slots=ROOM),
            broken=Amount(),
            foreign=Amount(),
            reserved=sum(held, Amount()),
            price_per_vcpu_hour=0.0,
            fixed_cost_per_hour=0.0,
            report_interval=timedelta(seconds=60),
            last_reported_at=None,
            version=1,
            created_at=START,
            updated_at=START,
        )

    def _customer(self) -> Customer:
        running = [
            row
            for row in self.rows.values()
            if row.reservation is not None and row.reservation.on_customer
        ]
        return Customer(
            customer_id=CUSTOMER,
            max_concurrent=ROOM,
            weight=1.0,
            budget_cents=0,
            running=len(running),
            committed_cents=0,
            spent_cents=0,
            version=1,
            created_at=START,
            updated_at=START,
        )


def held_by(grant: Call) -> tuple[str, int]:
    assert grant.answer is not None
    return grant.answer["workset_id"], grant.answer["token"]


def fault(kind: str, target: str, begun: float, seconds: float = 0.0, **fields: Any) -> Fault:
    """A fault that began at this time of the monotonic clock."""
    replica = int(target.removeprefix("state-")) if target.startswith("state-") else -1
    made = Fault(kind, target, begun, begun + WALL_AHEAD, begun + seconds, replica=replica)
    return replace(made, **fields)


def replaced(evidence: Evidence, version: int, **fields: Any) -> Evidence:
    """The same, with something else in the event of this version (there is one workset)."""
    return with_lanes(
        evidence,
        [
            [replace(e, **fields) if e.version == version else e for e in lane]
            for lane in evidence.tables.lanes
        ],
    )


def without(evidence: Evidence, version: int) -> Evidence:
    """The same, without the event of this version."""
    return with_lanes(
        evidence, [[e for e in lane if e.version != version] for lane in evidence.tables.lanes]
    )


def with_lanes(evidence: Evidence, lanes: list[list[Event]]) -> Evidence:
    return replace(evidence, tables=replace(evidence.tables, lanes=lanes))


def with_row(evidence: Evidence, workset_id: str, **fields: Any) -> Evidence:
    """The same, with something else in a workset's row."""
    rows = dict(evidence.tables.worksets)
    rows[workset_id] = replace(rows[workset_id], **fields)
    return replace(evidence, tables=replace(evidence.tables, worksets=rows))
