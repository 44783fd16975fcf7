"""The hot row: from the domain to its item and back, its place in the index, and its differences."""

import struct
from collections.abc import Iterator
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any, Final

from pynamodb.attributes import Attribute
from pynamodb.expressions.operand import Path
from pynamodb.expressions.update import Action

from daylily_state.domain.model import (
    Amount,
    Failure,
    Lock,
    Progress,
    RequestMark,
    Requirements,
    Reservation,
    SubjectKind,
    Workset,
    WorksetState,
    lane_of,
)
from daylily_state.store.dynamodb.attributes import micros
from daylily_state.store.dynamodb.items import Item, item_of, make_row, values_from
from daylily_state.store.dynamodb.tables import WorksetRow

WAITING: Final = "WAITING"
# Sorts behind every time: READY rows that wait for a dependency, not for a time.
NEVER: Final = "never"
# So much of the id is in an index key that equal times seldom leave the order open; the whole id
# would not fit the hot row. Readers put what is left in order themselves.
_ID_CHARACTERS: Final = 8

_LOCK_AND_PROGRESS: Final = tuple(
    attribute.attr_name
    for attribute in (
        WorksetRow.owner_id,
        WorksetRow.acquired_at,
        WorksetRow.lease,
        WorksetRow.expires_at,
        WorksetRow.step,
        WorksetRow.percent,
        WorksetRow.message,
        WorksetRow.reported_at,
    )
)


# --- the index ---


def index_key(workset: Workset) -> tuple[str, str]:
    """Where the workset stands in state-priority-index.

    READY by priority and age; WAITING by the time it can start; other states by age, which never
    changes, so that a list of one state sees each once.
    """
    if workset.waits:
        return WAITING, waiting_place(workset)
    if workset.state is WorksetState.READY:
        return WorksetState.READY.name, ready_place(
            workset.priority, workset.created_at, workset.workset_id
        )
    return workset.state.name, age_place(workset.created_at, workset.workset_id)


def ready_place(priority: int, created_at: datetime, workset_id: str) -> str:
    return f"{priority}#{age_place(created_at, workset_id)}"


def age_place(created_at: datetime, workset_id: str = "") -> str:
    return f"{time_key(created_at)}#{workset_id[:_ID_CHARACTERS]}"


def waiting_place(workset: Workset) -> str:
    if workset.available_at is None or not workset.dependencies_met:
        return f"{NEVER}#{workset.workset_id[:_ID_CHARACTERS]}"
    return age_place(workset.available_at, workset.workset_id)


def time_key(moment: datetime) -> str:
    """A time as text that sorts like it (until the year 2286)."""
    return f"{micros(moment):016d}"


# --- item and domain ---


def workset_row(workset: Workset) -> WorksetRow:
    """The row of a workset."""
    queue, place = index_key(workset)
    row = make_row(
        WorksetRow,
        workset_id=workset.workset_id,
        queue=queue,
        place=place,
        lane=workset.lane,
        priority=workset.priority,
        customer_id=workset.customer_id,
        pipeline=workset.pipeline,
        cluster_name=workset.cluster_name,
        last_token=workset.last_token,
        attempt=workset.attempt,
        max_attempts=workset.max_attempts,
        failures=workset.failures,
        infra_failures=workset.infra_failures,
        available_at=workset.available_at,
        deadline=workset.deadline,
        dependencies_unmet=None if workset.dependencies_met else True,
        requirements=_pack_requirements(workset.requirements),
        reservation=_pack_reservation(workset.reservation),
        created_at=workset.created_at,
        updated_at=workset.updated_at,
        version=workset.version,
        last_seq=workset.last_seq,
        recent_requests=_pack_marks(workset.recent_requests),
    )
    if workset.lock is not None:
        if workset.lock.token != workset.last_token:
            raise ValueError("a lock has the latest token")
        row.owner_id = workset.lock.owner_id
        row.acquired_at = workset.lock.acquired_at
        row.lease = workset.lock.lease
        row.expires_at = workset.lock.expires_at
    if workset.progress is not None:
        row.step = workset.progress.step
        row.percent = workset.progress.percent
        row.message = workset.progress.message
        row.reported_at = workset.progress.reported_at
    if workset.failure is not None:
        row.error_category = workset.failure.category
        row.error_summary = workset.failure.summary
    return row


def workset_item(workset: Workset) -> dict[str, dict[str, object]]:
    """The item of a workset."""
    return item_of(workset_row(workset))


def workset_from(item: Item) -> Workset:
    """The workset in an item of the table or, for one without a lock, of state-priority-index."""
    row = SimpleNamespace(**values_from(WorksetRow, item))
    return Workset(
        workset_id=row.workset_id,
        # An index leaves the lane out; it is a function of the id.
        lane=row.lane
        if _has(item, WorksetRow.lane)
        else lane_of(SubjectKind.WORKSET, row.workset_id),
        state=WorksetState.READY if row.queue == WAITING else WorksetState[row.queue],
        priority=row.priority,
        customer_id=row.customer_id,
        pipeline=row.pipeline,
        cluster_name=row.cluster_name,
        lock=_lock(row) if _has(item, WorksetRow.owner_id) else None,
        last_token=row.last_token,
        attempt=row.attempt,
        max_attempts=row.max_attempts,
        failures=row.failures,
        infra_failures=row.infra_failures,
        available_at=row.available_at,
        deadline=row.deadline,
        dependencies_met=not row.dependencies_unmet,
        progress=_progress(row) if _has(item, WorksetRow.reported_at) else None,
        failure=_failure(row) if _has(item, WorksetRow.error_category) else None,
        requirements=_unpack_requirements(row.requirements),
        reservation=_unpack_reservation(row.reservation),
        created_at=row.created_at,
        updated_at=row.updated_at,
        version=row.version,
        last_seq=row.last_seq,
        recent_requests=_unpack_marks(row.recent_requests),
    )


def _has(item: Item, attribute: Attribute[Any]) -> bool:
    return attribute.attr_name in item


def _lock(row: SimpleNamespace) -> Lock:
    return Lock(row.owner_id, row.last_token, row.acquired_at, row.lease, row.expires_at)


def _progress(row: SimpleNamespace) -> Progress:
    return Progress(row.step, row.percent, row.message, row.reported_at)


def _failure(row: SimpleNamespace) -> Failure:
    return Failure(row.error_category, row.error_summary)


# --- differences ---


def changes(before: Workset, after: Workset) -> Iterator[Action]:
    """Sets and removes that make `after` of `before`, and write nothing else.

    Where the decision changes the lock, lock and progress are written whole: the holder may
    have renewed or reported since the row was read, and nothing of that may outlive its lock.
    """
    old, new = workset_item(before), workset_item(after)
    whole = _LOCK_AND_PROGRESS if before.lock != after.lock else ()
    for name in sorted({*old, *new, *whole}):
        if name in new and (name in whole or old.get(name) != new[name]):
            yield Path(name).set(new[name])
        elif name not in new:
            yield Path(name).remove()


# --- packed values ---

# vcpus, memory_mb, storage_mb, vcpu_hours, cost in cents, duration in µs, highest cost in cents.
_REQUIREMENTS: Final = struct.Struct(">IIQdIQI?I")
# Bits (1: an amount on a cluster, 2: on the customer), vcpus, memory_mb, storage_mb, slots, cents.
_RESERVATION: Final = struct.Struct(">BIIQII")
_MICROSECOND: Final = timedelta(microseconds=1)
_DIGEST_BYTES: Final = 8
_SEQ_BYTES: Final = 5
_MARK_BYTES: Final = _DIGEST_BYTES + _SEQ_BYTES


def _pack_requirements(needs: Requirements) -> bytes:
    if needs == Requirements():
        return b""
    return _REQUIREMENTS.pack(
        needs.vcpus,
        needs.memory_mb,
        needs.storage_mb,
        needs.vcpu_hours,
        needs.estimated_cost_cents,
        needs.estimated_duration // _MICROSECOND,
        needs.max_cost_cents,
        needs.has_wishes,
        needs.sample_count,
    )


def _unpack_requirements(data: bytes) -> Requirements:
    if not data:
        return Requirements()
    # Rows from before the last number was added end there: it was not stated.
    whole = data.ljust(_REQUIREMENTS.size, b"\0")
    vcpus, memory, storage, hours, cost, micros_long, highest, wishes, samples = (
        _REQUIREMENTS.unpack(whole)
    )
    return Requirements(
        vcpus=vcpus,
        memory_mb=memory,
        storage_mb=storage,
        vcpu_hours=hours,
        estimated_cost_cents=cost,
        estimated_duration=micros_long * _MICROSECOND,
        max_cost_cents=highest,
        has_wishes=wishes,
        sample_count=samples,
    )


def _pack_reservation(held: Reservation | None) -> bytes:
    if held is None:
        return b""
    amount = held.amount or Amount()
    return _RESERVATION.pack(
        (held.amount is not None) | held.on_customer << 1,
        amount.vcpus,
        amount.memory_mb,
        amount.storage_mb,
        amount.slots,
        held.cost_cents,
    )


def _unpack_reservation(data: bytes) -> Reservation | None:
    if not data:
        return None
    bits, vcpus, memory, storage, slots, cents = _RESERVATION.unpack(data)
    amount = Amount(vcpus, memory, storage, slots) if bits & 1 else None
    return Reservation(amount, bool(bits & 2), cents)


def _pack_marks(marks: tuple[RequestMark, ...]) -> bytes:
    return b"".join(mark.digest + mark.seq.to_bytes(_SEQ_BYTES, "big") for mark in marks)


def _unpack_marks(data: bytes) -> tuple[RequestMark, ...]:
    return tuple(
        RequestMark(
            data[start : start + _DIGEST_BYTES],
            int.from_bytes(data[start + _DIGEST_BYTES : start + _MARK_BYTES], "big"),
        )
        for start in range(0, len(data), _MARK_BYTES)
    )
