"""A commit as one TransactWriteItems: its items, each with the clash that its failure means."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import reduce
from typing import Any

from pynamodb.connection import Connection
from pynamodb.expressions.condition import And, Condition, Or
from pynamodb.expressions.update import Action

from daylily_state.domain.commit import (
    Clash,
    ClusterChange,
    ClusterGuard,
    ClusterWrite,
    Commit,
    CustomerChange,
    CustomerGuard,
    CustomerWrite,
    RequestRow,
    WorksetWrite,
)
from daylily_state.domain.events import Event
from daylily_state.domain.model import Workset
from daylily_state.store.dynamodb.client import NO_CAPACITY, Client, Key
from daylily_state.store.dynamodb.events import event_item
from daylily_state.store.dynamodb.items import Item, item_of, make_row
from daylily_state.store.dynamodb.pools import (
    cluster_body,
    cluster_item,
    customer_body,
    customer_item,
    request_item,
    to_text,
)
from daylily_state.store.dynamodb.tables import (
    CLUSTERS,
    CUSTOMERS,
    DETAILS,
    EVENTS,
    REQUESTS,
    WORKSETS,
    ClusterRow,
    CustomerRow,
    DetailRow,
    EventRow,
    RequestIdRow,
    WorksetRow,
)
from daylily_state.store.dynamodb.worksets import changes, workset_item


@dataclass(frozen=True, slots=True)
class Put:
    """Writes a whole item. `lasting`: the condition, once it fails, fails for ever."""

    table: str
    key: Key
    item: Item
    condition: Condition | None
    clash: Clash
    lasting: bool = True


@dataclass(frozen=True, slots=True)
class Update:
    """Changes attributes of an item. `lasting`: the condition, once it fails, fails for ever."""

    table: str
    key: Key
    actions: tuple[Action, ...]
    condition: Condition
    clash: Clash
    lasting: bool = True


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is sent. PynamoDB sends puts before updates, and `writes` are in that order."""

    token: str
    puts: tuple[Put, ...]
    updates: tuple[Update, ...]

    @property
    def writes(self) -> tuple[Put | Update, ...]:
        """All of it, in the order of DynamoDB's cancellation reasons."""
        return (*self.puts, *self.updates)

    def send(self, client: Client, db: Connection) -> dict[str, Any]:
        """Sends it, one time."""
        return db.transact_write_items(
            condition_check_items=(),
            delete_items=(),
            put_items=[
                db.get_operation_kwargs(
                    client.table(put.table),
                    put.key[0],
                    range_key=put.key[1],
                    key="Item",
                    attributes=put.item,
                    condition=put.condition,
                    return_values_on_condition_failure="ALL_OLD",
                )
                for put in self.puts
            ],
            update_items=[
                db.get_operation_kwargs(
                    client.table(update.table),
                    update.key[0],
                    range_key=update.key[1],
                    actions=update.actions,
                    condition=update.condition,
                )
                for update in self.updates
            ],
            client_request_token=self.token,
            return_consumed_capacity=NO_CAPACITY,
        )


def transaction_of(commit: Commit) -> Transaction:
    """The transaction that writes the commit. The event's slot comes first."""
    writes = [_event(commit.event), *_writes(commit)]
    return Transaction(
        token=commit.event.event_id,
        puts=tuple(write for write in writes if isinstance(write, Put)),
        updates=tuple(write for write in writes if isinstance(write, Update)),
    )


def _writes(commit: Commit) -> Iterator[Put | Update]:
    if commit.workset:
        yield _workset(commit.workset)
        yield from _beside(commit, commit.workset.after.workset_id)
    if commit.cluster:
        yield _cluster(commit.cluster)
    for change in commit.cluster_changes:
        yield _reservation(change)
    if commit.customer:
        yield _customer(commit.customer)
    if commit.customer_change:
        yield _use(commit.customer_change)
    if commit.request:
        yield _request(commit.request, commit.event)


# --- conditions, each with what it protects ---


def slot_is_free() -> Condition:
    """The lane stays gapless and in the order of commits: a late writer finds its slot taken."""
    return EventRow.event_id.does_not_exist()


def workset_is_new() -> Condition:
    """One id, one workset: two registrations do not overwrite each other."""
    return WorksetRow.workset_id.does_not_exist()


def workset_unchanged(before: Workset) -> Condition:
    """No commit came between the read and this one."""
    return WorksetRow.version == before.version


def not_promoted(before: Workset) -> Condition:
    """The place in the index was worked out from an `available_at` that is still there.

    A promotion changes it without a version.
    """
    return WorksetRow.available_at == before.available_at


def not_renewed(write: WorksetWrite) -> Condition:
    """The holder did not renew in between: a lock that was just renewed is never timed out."""
    return WorksetRow.expires_at == write.expiry_seen


def cluster_is_new() -> Condition:
    """Registering does not overwrite a cluster and what is reserved on it."""
    return ClusterRow.cluster_name.does_not_exist()


def cluster_unchanged(version: int) -> Condition:
    """Capacity and foreign use are as they were when it was decided."""
    return ClusterRow.version == version


def nothing_reserved() -> Condition:
    """No lock holds any of the cluster: it can go."""
    return _every(
        ClusterRow.vcpus == 0,
        ClusterRow.memory_mb == 0,
        ClusterRow.storage_mb == 0,
        ClusterRow.slots == 0,
    )


def cluster_has_room(guard: ClusterGuard) -> Condition:
    """Two schedulers do not overbook a cluster: what is reserved now leaves the room needed."""
    return _every(
        ClusterRow.vcpus <= guard.room.vcpus,
        ClusterRow.memory_mb <= guard.room.memory_mb,
        ClusterRow.storage_mb <= guard.room.storage_mb,
        ClusterRow.slots <= guard.room.slots,
    )


def cluster_exists() -> Condition:
    """A release does not make a row of negative numbers out of nothing."""
    return ClusterRow.cluster_name.exists()


def customer_is_new() -> Condition:
    """Putting a customer does not overwrite its use."""
    return CustomerRow.customer_id.does_not_exist()


def customer_unchanged(version: int) -> Condition:
    """Limits and budget are as they were when it was decided."""
    return CustomerRow.version == version


def spent_as_seen(cents: int) -> Condition:
    """Forgetting what was spent forgets no cost that was settled in between."""
    return CustomerRow.spent_cents == cents


def may_run(guard: CustomerGuard) -> Condition:
    """Two locks do not pass the customer's limit or budget together."""
    condition = customer_unchanged(guard.version)
    if guard.running_room is not None:
        condition &= CustomerRow.running <= guard.running_room
    if guard.cents_room is not None:
        condition &= CustomerRow.committed_cents <= guard.cents_room
    return condition


def customer_exists() -> Condition:
    """A release does not make a row of negative numbers out of nothing."""
    return CustomerRow.customer_id.exists()


def request_is_new(event: Event) -> Condition:
    """One request id, one effect, through whichever replica; a forgotten id may come again."""
    return Or(RequestIdRow.request_id.does_not_exist(), RequestIdRow.expires_at < event.occurred_at)


def _every(*conditions: Condition) -> Condition:
    return reduce(And, conditions)


# --- items ---


def _event(event: Event) -> Put:
    key = (str(event.lane), str(event.seq))
    return Put(EVENTS, key, event_item(event), slot_is_free(), Clash.SLOT)


def _workset(write: WorksetWrite) -> Put | Update:
    before, after = write.before, write.after
    key = (after.workset_id, None)
    if before is None:
        return Put(WORKSETS, key, workset_item(after), workset_is_new(), Clash.WORKSET)
    condition = workset_unchanged(before)
    if before.available_at is not None:
        condition &= not_promoted(before)
    if write.expiry_seen is not None:
        condition &= not_renewed(write)
    return Update(WORKSETS, key, tuple(changes(before, after)), condition, Clash.WORKSET)


def _beside(commit: Commit, workset_id: str) -> Iterator[Put]:
    bodies = {
        "details": commit.details and to_text(commit.details),
        "metadata": commit.metadata,
        "results": commit.results and to_text(commit.results),
    }
    for kind, body in bodies.items():
        if body is not None:
            row = make_row(DetailRow, workset_id=workset_id, kind=kind, body=body)
            # The workset's condition, in the same transaction, guards these rows.
            yield Put(DETAILS, (workset_id, kind), item_of(row), None, Clash.WORKSET)


def _cluster(write: ClusterWrite) -> Put | Update:
    after, key = write.after, (write.after.cluster_name, None)
    if write.before is None:
        return Put(CLUSTERS, key, cluster_item(after), cluster_is_new(), Clash.CLUSTER)
    condition = cluster_unchanged(write.before.version)
    if write.when_idle:
        condition &= nothing_reserved()
    actions = (ClusterRow.version.set(after.version), ClusterRow.body.set(cluster_body(after)))
    return Update(CLUSTERS, key, actions, condition, Clash.CLUSTER)


def _reservation(change: ClusterChange) -> Update:
    delta, guard = change.delta, change.guard
    actions = (
        ClusterRow.vcpus.add(delta.vcpus),
        ClusterRow.memory_mb.add(delta.memory_mb),
        ClusterRow.storage_mb.add(delta.storage_mb),
        ClusterRow.slots.add(delta.slots),
    )
    condition = (
        cluster_exists()
        if guard is None
        else cluster_unchanged(guard.version) & cluster_has_room(guard)
    )
    key = (change.cluster_name, None)
    # Room comes back when a lock ends.
    return Update(CLUSTERS, key, actions, condition, Clash.CLUSTER, lasting=False)


def _customer(write: CustomerWrite) -> Put | Update:
    after, key = write.after, (write.after.customer_id, None)
    if write.before is None:
        return Put(CUSTOMERS, key, customer_item(after), customer_is_new(), Clash.CUSTOMER)
    condition = customer_unchanged(write.before.version)
    actions: tuple[Action, ...] = (
        CustomerRow.version.set(after.version),
        CustomerRow.body.set(customer_body(after)),
    )
    if write.forget_spent_cents is not None:
        condition &= spent_as_seen(write.forget_spent_cents)
        actions = (
            *actions,
            CustomerRow.spent_cents.add(-write.forget_spent_cents),
            CustomerRow.committed_cents.add(-write.forget_spent_cents),
        )
    return Update(CUSTOMERS, key, actions, condition, Clash.CUSTOMER)


def _use(change: CustomerChange) -> Update:
    actions = (
        CustomerRow.running.add(change.running),
        CustomerRow.committed_cents.add(change.committed_cents),
        CustomerRow.spent_cents.add(change.spent_cents),
    )
    condition = customer_exists() if change.guard is None else may_run(change.guard)
    key = (change.customer_id, None)
    # So does what a limit or a budget leaves.
    return Update(CUSTOMERS, key, actions, condition, Clash.CUSTOMER, lasting=False)


def _request(request: RequestRow, event: Event) -> Put:
    key = (request.request_id, None)
    return Put(REQUESTS, key, request_item(request), request_is_new(event), Clash.REQUEST)
