"""Worksets in the states that tests begin with."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from daylily_state.domain import lifecycle, locking, registering
from daylily_state.domain.commands import Acquire, Register, SetState
from daylily_state.domain.commit import Commit
from daylily_state.domain.locking import Surroundings
from daylily_state.domain.model import (
    Amount,
    Cluster,
    ClusterState,
    Customer,
    Details,
    Results,
    Workset,
    WorksetState,
)
from daylily_state.domain.moment import Moment
from daylily_state.domain.retries import RetryPolicy

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
DETAILS = Details("lab", "runs/ws-1/", labels={"run": "R0"})
POLICY = RetryPolicy()
ALONE = Surroundings({}, None, None)


def moment(now: datetime = NOW, head: int = 0, dice: float = 0.5) -> Moment:
    return Moment(now=now, event_id=f"event-{head + 1}", head=head, dice=dice)


def after(commit: Commit | None) -> Workset:
    assert commit is not None
    assert commit.workset is not None
    return commit.workset.after


def ready(**fields) -> Workset:
    command = Register(workset_id="ws-1", bucket="lab", prefix="runs/ws-1/")
    workset = after(registering.register(None, {}, command, moment()))
    return replace(workset, **fields)


def locked(lease: timedelta = timedelta(minutes=15), **fields) -> Workset:
    command = Acquire(workset_id="ws-1", owner_id="m1", lease=lease)
    workset = after(locking.acquire(ready(), DETAILS, ALONE, command, moment(head=1)))
    return replace(workset, **fields)


def running(**fields) -> Workset:
    workset = locked()
    command = SetState(workset_id="ws-1", state=WorksetState.IN_PROGRESS, lock_token=1)
    return replace(after(move(workset, command, head=2)), **fields)


def move(
    workset: Workset | None,
    command: SetState,
    *,
    now: datetime = NOW,
    head: int = 9,
    dice: float = 0.5,
    results: Results | None = None,
) -> Commit:
    return lifecycle.set_state(
        workset,
        DETAILS,
        results or Results(),
        command,
        moment(now, head, dice),
        policy=POLICY,
    )


def cluster(**fields) -> Cluster:
    made = Cluster(
        cluster_name="c1",
        state=ClusterState.ACTIVE,
        removed=False,
        region="us-west-2",
        availability_zone="us-west-2a",
        instance_types=("r7i.48xlarge",),
        capacity=Amount(vcpus=192, memory_mb=1_500_000, storage_mb=0, slots=4),
        broken=Amount(),
        foreign=Amount(),
        reserved=Amount(),
        price_per_vcpu_hour=0.04,
        fixed_cost_per_hour=0.5,
        report_interval=timedelta(seconds=60),
        last_reported_at=None,
        version=3,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(made, **fields)


def customer(**fields) -> Customer:
    made = Customer(
        customer_id="acme",
        max_concurrent=2,
        weight=1.0,
        budget_cents=10_000,
        running=0,
        committed_cents=0,
        spent_cents=0,
        version=2,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(made, **fields)
