"""Worksets, events and commits as state makes them, for tests of stores."""

import uuid
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from daylily_state.domain.commit import Commit, CommitOutcome, Committed, WorksetWrite
from daylily_state.domain.events import Event, EventType
from daylily_state.domain.model import (
    Amount,
    Cluster,
    ClusterState,
    Details,
    Lock,
    Priority,
    Requirements,
    SubjectKind,
    Workset,
    WorksetState,
    lane_of,
)
from daylily_state.ports import ReadSet, Store

NOW = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
LEASE = timedelta(minutes=15)
IN_TIME = timedelta(seconds=10)


def make_workset(workset_id: str = "ws-1", **changes: Any) -> Workset:
    """A READY workset of version 1, as registration leaves it."""
    workset = Workset(
        workset_id=workset_id,
        lane=lane_of(SubjectKind.WORKSET, workset_id),
        state=WorksetState.READY,
        priority=Priority.NORMAL,
        customer_id="lab-7",
        pipeline="germline",
        cluster_name="",
        lock=None,
        last_token=0,
        attempt=0,
        max_attempts=3,
        failures=0,
        infra_failures=0,
        available_at=None,
        deadline=None,
        dependencies_met=True,
        progress=None,
        failure=None,
        requirements=Requirements(vcpus=96, memory_mb=786_432),
        reservation=None,
        created_at=NOW,
        updated_at=NOW,
        version=1,
        last_seq=0,
        recent_requests=(),
    )
    return replace(workset, **changes)


def make_event(subject_id: str, seq: int, event_type: EventType, **changes: Any) -> Event:
    """An event in this slot of its subject's lane, with an id of its own."""
    kind = changes.pop("subject_kind", SubjectKind.WORKSET)
    event = Event(
        event_id=str(uuid.uuid4()),
        lane=lane_of(kind, subject_id),
        seq=seq,
        subject_kind=kind,
        subject_id=subject_id,
        version=1,
        type=event_type,
        occurred_at=NOW,
    )
    return replace(event, **changes)


async def next_seq(store: Store, lane: int) -> int:
    """The slot behind the lane's last one."""
    rows = await store.read(ReadSet(lanes=(lane,)))
    return rows.heads[lane] + 1


async def commit(store: Store, made: Commit) -> CommitOutcome:
    return await store.commit(made, IN_TIME)


async def registration(store: Store, workset: Workset, **parts: Any) -> Commit:
    """The commit that registers the workset, its event in the next slot."""
    seq = await next_seq(store, workset.lane)
    event = make_event(workset.workset_id, seq, EventType.REGISTERED, to_state=workset.state)
    parts.setdefault("details", Details("lab", f"runs/{workset.workset_id}/"))
    return Commit(event, WorksetWrite(None, replace(workset, last_seq=seq)), **parts)


async def register(store: Store, workset: Workset, **parts: Any) -> Workset:
    """Registers it; the row as it is then."""
    made = await registration(store, workset, **parts)
    assert await commit(store, made) == Committed()
    assert made.workset is not None
    return made.workset.after


async def change(
    store: Store,
    before: Workset,
    event_type: EventType = EventType.UPDATED,
    *,
    parts: Mapping[str, Any] | None = None,
    expiry_seen: datetime | None = None,
    event: Mapping[str, Any] | None = None,
    **changes: Any,
) -> Commit:
    """The commit that makes these changes, one version on, its event in the next slot."""
    seq = await next_seq(store, before.lane)
    after = replace(before, version=before.version + 1, last_seq=seq, **changes)
    made = make_event(
        before.workset_id,
        seq,
        event_type,
        version=after.version,
        from_state=before.state,
        to_state=after.state,
        **(event or {}),
    )
    return Commit(made, WorksetWrite(before, after, expiry_seen), **(parts or {}))


async def apply_change(store: Store, before: Workset, *args: Any, **kwargs: Any) -> Workset:
    """Commits `change(…)`; the row after it."""
    made = await change(store, before, *args, **kwargs)
    assert await commit(store, made) == Committed()
    assert made.workset is not None
    return made.workset.after


def make_lock(token: int = 1, owner_id: str = "head-node-1", now: datetime = NOW) -> Lock:
    return Lock(owner_id, token, now, LEASE, now + LEASE)


async def lock(store: Store, before: Workset, **changes: Any) -> Workset:
    """Takes the lock with the next token."""
    token = before.last_token + 1
    return await apply_change(
        store,
        before,
        EventType.LOCK_ACQUIRED,
        state=WorksetState.LOCKED,
        lock=make_lock(token),
        last_token=token,
        failure=None,
        available_at=None,
        **changes,
    )


async def load(store: Store, workset_id: str) -> Workset:
    """The row, which must be there."""
    return (await store.read(ReadSet(worksets=(workset_id,)))).worksets[workset_id]


# --- clusters ---

ONE = Amount(vcpus=96, memory_mb=786_432, storage_mb=0, slots=1)


def make_cluster(**changes: Any) -> Cluster:
    """A cluster of ten big nodes, version 1."""
    cluster = Cluster(
        cluster_name="c1",
        state=ClusterState.ACTIVE,
        removed=False,
        region="us-east-1",
        availability_zone="us-east-1a",
        instance_types=("r7i.48xlarge", "m7i.48xlarge"),
        capacity=Amount(960, 7_864_320, 0, 10),
        broken=Amount(),
        foreign=Amount(),
        reserved=Amount(),
        price_per_vcpu_hour=0.031,
        fixed_cost_per_hour=1.25,
        report_interval=timedelta(seconds=60),
        last_reported_at=None,
        version=1,
        created_at=NOW,
        updated_at=NOW,
    )
    return replace(cluster, **changes)


async def with_event(
    store: Store,
    kind: SubjectKind = SubjectKind.CLUSTER,
    subject_id: str = "c1",
    **parts: Any,
) -> Commit:
    """A commit of these parts, with an event of a cluster in its next slot."""
    seq = await next_seq(store, lane_of(kind, subject_id))
    event = make_event(subject_id, seq, EventType.CLUSTER_REPORTED, subject_kind=kind)
    return Commit(event, **parts)
