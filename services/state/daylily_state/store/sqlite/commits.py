"""Applying a commit, a touch or a promotion. The caller holds the write transaction."""

import sqlite3
from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime

from daylily_state.domain.commit import (
    Clash,
    ClusterChange,
    ClusterGuard,
    ClusterWrite,
    Commit,
    CommitOutcome,
    Committed,
    Conflict,
    CustomerChange,
    CustomerGuard,
    CustomerWrite,
    RequestRow,
    WorksetWrite,
)
from daylily_state.domain.events import Event
from daylily_state.domain.model import Cluster, Customer, Progress, Workset, WorksetState
from daylily_state.ports import ProgressPatch, Touch
from daylily_state.store.sqlite.codec import encode, micros
from daylily_state.store.sqlite.rows import (
    head,
    load_cluster,
    load_customer,
    load_workset,
    save_cluster,
    save_customer,
    save_event,
    save_parts,
    save_workset,
    save_workset_body,
)

# Rows of forgotten request ids that go with each new one, so that the table stays bounded.
_FORGET_AT_ONCE = 10


def apply(db: sqlite3.Connection, commit: Commit) -> CommitOutcome:
    """Check every condition of the commit, then write it."""
    event = commit.event
    if _slot_owner(db, event) == event.event_id:
        return Committed()  # sent again after an answer that was lost
    clashes = frozenset(_clashes(db, commit))
    if clashes:
        return Conflict(clashes)
    _write(db, commit)
    return Committed()


def _slot_owner(db: sqlite3.Connection, event: Event) -> str | None:
    row = db.execute(
        "SELECT event_id FROM events WHERE lane = ? AND seq = ?", (event.lane, event.seq)
    ).fetchone()
    return row[0] if row else None


# --- conditions ---


def _clashes(db: sqlite3.Connection, commit: Commit) -> Iterator[Clash]:
    if head(db, commit.event.lane) + 1 != commit.event.seq:
        yield Clash.SLOT
    if commit.workset and not _workset_holds(db, commit.workset):
        yield Clash.WORKSET
    clusters_hold = (commit.cluster is None or _cluster_holds(db, commit.cluster)) and all(
        _has_room(db, change, change.guard) for change in commit.cluster_changes if change.guard
    )
    if not clusters_hold:
        yield Clash.CLUSTER
    change = commit.customer_change
    customers_hold = (commit.customer is None or _customer_holds(db, commit.customer)) and (
        change is None or change.guard is None or _may_run(db, change, change.guard)
    )
    if not customers_hold:
        yield Clash.CUSTOMER
    if commit.request and not _request_is_new(db, commit.request, commit.event):
        yield Clash.REQUEST


def _workset_holds(db: sqlite3.Connection, write: WorksetWrite) -> bool:
    found = load_workset(db, write.after.workset_id)
    if not _version_holds(write.before, found):
        return False
    if write.expiry_seen is None:
        return True
    lock = found.lock if found else None
    return lock is not None and lock.expires_at == write.expiry_seen


def _cluster_holds(db: sqlite3.Connection, write: ClusterWrite) -> bool:
    found = load_cluster(db, write.after.cluster_name)
    idle = found is None or not any(
        (
            found.reserved.vcpus,
            found.reserved.memory_mb,
            found.reserved.storage_mb,
            found.reserved.slots,
        )
    )
    return _version_holds(write.before, found) and (idle or not write.when_idle)


def _customer_holds(db: sqlite3.Connection, write: CustomerWrite) -> bool:
    found = load_customer(db, write.after.customer_id)
    if not _version_holds(write.before, found):
        return False
    forgotten = write.forget_spent_cents
    return forgotten is None or (found.spent_cents if found else 0) == forgotten


def _version_holds(
    before: Workset | Cluster | Customer | None, found: Workset | Cluster | Customer | None
) -> bool:
    return (before and before.version) == (found and found.version)


def _has_room(db: sqlite3.Connection, change: ClusterChange, guard: ClusterGuard) -> bool:
    found = load_cluster(db, change.cluster_name)
    if found is None or found.version != guard.version:
        return False
    taken, room = found.reserved, guard.room
    return (
        taken.vcpus <= room.vcpus
        and taken.memory_mb <= room.memory_mb
        and taken.slots <= room.slots
        and taken.storage_mb <= room.storage_mb
    )


def _may_run(db: sqlite3.Connection, change: CustomerChange, guard: CustomerGuard) -> bool:
    found = load_customer(db, change.customer_id)
    if found is None or found.version != guard.version:
        return False
    return (guard.running_room is None or found.running <= guard.running_room) and (
        guard.cents_room is None or found.committed_cents <= guard.cents_room
    )


def _request_is_new(db: sqlite3.Connection, request: RequestRow, event: Event) -> bool:
    row = db.execute(
        "SELECT expires_at FROM requests WHERE request_id = ?", (request.request_id,)
    ).fetchone()
    return row is None or row[0] < micros(event.occurred_at)


# --- writes ---


def _write(db: sqlite3.Connection, commit: Commit) -> None:
    save_event(db, commit.event)
    if commit.workset:
        save_workset(db, merged(db, commit.workset))
        save_parts(
            db,
            commit.workset.after.workset_id,
            commit.details,
            commit.metadata,
            commit.results,
        )
    if commit.cluster:
        save_cluster(db, commit.cluster.after)
    for change in commit.cluster_changes:
        _reserve(db, change)
    if commit.customer:
        save_customer(db, commit.customer.after)
        _forget_spent(db, commit.customer)
    if commit.customer_change:
        _count(db, commit.customer_change)
    if commit.request:
        _remember(db, commit.request, commit.event)


def merged(db: sqlite3.Connection, write: WorksetWrite) -> Workset:
    """The row as it is, with the fields that the decision changed.

    A renewal may have gone in between: it has no version, and what it wrote must stay.
    """
    found = load_workset(db, write.after.workset_id)
    if found is None or write.before is None:
        return write.after
    names = {field.name for field in fields(Workset)}
    changed = {name for name in names if getattr(write.after, name) != getattr(write.before, name)}
    if write.before.lock != write.after.lock:
        # What a holder has reported meanwhile ends with its lock.
        changed |= {"lock", "progress"}
    return replace(found, **{name: getattr(write.after, name) for name in changed})


def _reserve(db: sqlite3.Connection, change: ClusterChange) -> None:
    delta = change.delta
    db.execute(
        "UPDATE clusters SET vcpus = vcpus + ?, memory_mb = memory_mb + ?,"
        " storage_mb = storage_mb + ?, slots = slots + ? WHERE cluster_name = ?",
        (delta.vcpus, delta.memory_mb, delta.storage_mb, delta.slots, change.cluster_name),
    )


def _count(db: sqlite3.Connection, change: CustomerChange) -> None:
    db.execute(
        "UPDATE customers SET running = running + ?, committed_cents = committed_cents + ?,"
        " spent_cents = spent_cents + ? WHERE customer_id = ?",
        (change.running, change.committed_cents, change.spent_cents, change.customer_id),
    )


def _forget_spent(db: sqlite3.Connection, write: CustomerWrite) -> None:
    spent = write.forget_spent_cents or 0
    db.execute(
        "UPDATE customers SET committed_cents = committed_cents - ?, spent_cents = spent_cents - ?"
        " WHERE customer_id = ?",
        (spent, spent, write.after.customer_id),
    )


def _remember(db: sqlite3.Connection, request: RequestRow, event: Event) -> None:
    db.execute(
        "DELETE FROM requests WHERE request_id IN"
        " (SELECT request_id FROM requests WHERE expires_at < ? LIMIT ?)",
        (micros(event.occurred_at), _FORGET_AT_ONCE),
    )
    db.execute(
        "INSERT OR REPLACE INTO requests VALUES (?, ?, ?)",
        (request.request_id, micros(request.expires_at), encode(request)),
    )


# --- writes without an event ---


def touch(db: sqlite3.Connection, wanted: Touch) -> Workset | None:
    """Renew or report; None if the holder is not the holder any more."""
    found = load_workset(db, wanted.workset_id)
    if found is None or found.lock is None or found.lock.token != wanted.lock_token:
        return None
    if found.state not in {WorksetState.LOCKED, WorksetState.IN_PROGRESS}:
        return None
    lock = found.lock
    if wanted.expires_at is not None and wanted.lease is not None:
        if lock.expires_at > wanted.expires_at:
            return None
        lock = replace(lock, lease=wanted.lease, expires_at=wanted.expires_at)
    touched = replace(found, lock=lock)
    if wanted.progress is not None:
        touched = replace(touched, progress=_patched(found.progress, wanted.progress))
    save_workset_body(db, touched)
    return touched


def _patched(before: Progress | None, patch: ProgressPatch) -> Progress:
    return Progress(
        step=patch.step or (before.step if before else ""),
        percent=patch.percent,
        message=patch.message or (before.message if before else ""),
        reported_at=patch.reported_at,
    )


def promote(db: sqlite3.Connection, workset_id: str, available_at: datetime) -> bool:
    """Move a READY row whose time has come from the waiting ones to the queue."""
    found = load_workset(db, workset_id)
    if found is None or found.state is not WorksetState.READY:
        return False
    if found.available_at is None or found.available_at != available_at:
        return False
    save_workset(db, replace(found, available_at=None))
    return True
