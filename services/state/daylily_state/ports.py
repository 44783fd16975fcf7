"""The port to the store: everything that state reads or writes goes through here.

Two stores implement it, DynamoDB and SQLite, and one contract suite holds both to these words.
Methods are coroutines; a store that blocks moves itself off the event loop.

Common to all: a read is strongly consistent unless it says otherwise; a failure to reach the store
raises `StoreUnavailableError` and is never an empty answer; times are aware UTC with microseconds.
Lists come in pages: `Page.next` is a position in words of the store, None after the last page; a
page may be short or empty while there is a next one.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Generic, Protocol, TypeVar

from daylily_state.domain.commit import Commit, CommitOutcome, RequestRow
from daylily_state.domain.events import Event
from daylily_state.domain.filters import DeliveryFilter, WorksetFilter
from daylily_state.domain.model import (
    Cluster,
    Customer,
    Details,
    Priority,
    Results,
    Workset,
)
from daylily_state.domain.records import Consumer, Delivery, Episode, Position, Snapshot

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some items of a list, and where it goes on (None: nowhere)."""

    items: tuple[T, ...]
    next: str | None


@dataclass(frozen=True, slots=True)
class ReadSet:
    """Which rows to read in one go; at most 500 in all. Repeated keys count once."""

    worksets: Sequence[str] = ()
    details: Sequence[str] = ()
    metadata: Sequence[str] = ()
    results: Sequence[str] = ()
    clusters: Sequence[str] = ()
    customers: Sequence[str] = ()
    requests: Sequence[str] = ()
    lanes: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class Rows:
    """What a ReadSet found, by key. A key that has no row is missing here.

    `clusters` holds removed ones too. `requests` holds rows past their `expires_at` perhaps; the
    reader looks. `heads` has every lane that was asked for: its last slot in use, 0 when empty.
    """

    worksets: Mapping[str, Workset] = field(default_factory=dict)
    details: Mapping[str, Details] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    results: Mapping[str, Results] = field(default_factory=dict)
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    customers: Mapping[str, Customer] = field(default_factory=dict)
    requests: Mapping[str, RequestRow] = field(default_factory=dict)
    heads: Mapping[int, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class ProgressPatch:
    """What a holder says of its progress; an empty step or message keeps what was there."""

    step: str
    percent: int
    message: str
    reported_at: datetime


@dataclass(frozen=True, slots=True)
class Touch:
    """A holder's plain write to the hot row: a renewal, progress, or both.

    With `expires_at`, `lease` is given too, and both are set.
    """

    workset_id: str
    lock_token: int
    lease: timedelta | None = None
    expires_at: datetime | None = None
    progress: ProgressPatch | None = None


class Store(Protocol):
    """Where everything lies."""

    # --- worksets, clusters, customers, events: loading and deciding ---

    async def read(self, wanted: ReadSet) -> Rows:
        """Reads rows by key in one strong batch (no snapshot: the conditions of a commit guard it).

        The head of a lane is found by a probe behind the last slot that this store object has seen,
        so that it costs one more key; where the probe answers, the lane is read on to its end.
        """
        ...

    async def commit(self, commit: Commit, timeout: timedelta) -> CommitOutcome:
        """Writes all of a commit if every condition holds, else nothing.

        An attempt without an answer is resolved by `event.event_id` in the event's slot: resend the
        same, then read the slot strongly. Within `timeout` the outcome is certain, or the call fails.
        A commit that is under way is not undone when the caller is cancelled.

        Raises:
            StoreUnavailableError: nothing was written, for certain.
            OutcomeUnknownError: time ran out before the store said.
        """
        ...

    async def touch(self, touch: Touch) -> Workset | None:
        """Renews or reports in one plain conditional update; the row after it, None if refused.

        Condition: the lock has the token, the state is LOCKED or IN_PROGRESS and, with `expires_at`,
        the present expiry is not later. So a resent one holds as well. Makes no event, no version,
        and touches nothing that an index carries.
        """
        ...

    async def find_request(self, workset_id: str, request_id: str) -> Event | None:
        """The workset's event with this request id, looked for through its whole trail.

        For ids that `Workset.recent_requests` has forgotten; may miss the latest few events.
        """
        ...

    async def promote(self, workset_id: str, available_at: datetime) -> bool:
        """Clears `available_at` of a READY row that still has exactly this one; False if not.

        A plain conditional update: no event, no version. The row moves from WAITING to READY in the
        index.
        """
        ...

    # --- lists ---

    async def list_worksets(
        self, wanted: WorksetFilter, after: str | None, limit: int
    ) -> Page[Workset]:
        """Matching worksets, oldest `created_at` first; one that matches throughout is seen once.

        Rows are as strong reads found them.
        """
        ...

    async def queue(
        self,
        priorities: frozenset[Priority],
        now: datetime,
        after: str | None,
        limit: int,
    ) -> Page[Workset]:
        """Worksets that can start at `now`: by priority, then created_at, then id.

        Rows that wait in the index though their time has come are merged in. Not strong: a row may be
        some moments old. No priorities means all.
        """
        ...

    async def list_waiting(
        self, due_before: datetime, after: str | None, limit: int
    ) -> Page[Workset]:
        """READY rows with dependencies met and an `available_at` before this, the earliest first.

        One that is promoted meanwhile leaves this list for the queue. Not strong, as the queue.
        """
        ...

    async def list_held(self, after: str | None, limit: int) -> Page[Workset]:
        """Every workset that has a lock, cancelled ones too, in any order."""
        ...

    # --- the feed ---

    async def heads(self) -> Position:
        """The last slot in use of each of the 16 lanes, 0 for an empty lane."""
        ...

    async def probe(self, position: Position) -> frozenset[int]:
        """The lanes that have an event behind the position: one batch of 16 reads, not strong."""
        ...

    async def read_lane(
        self, lane: int, after: int, limit: int, *, strong: bool = False
    ) -> Sequence[Event]:
        """Events of slots `after` + 1 and on, in order.

        Not strong, it may stop early and may have holes where replicas of the store lag; strong, it
        has neither.
        """
        ...

    async def workset_events(
        self, workset_id: str, after_version: int, limit: int
    ) -> Sequence[Event]:
        """The workset's events behind this version, in order. Not strong: may stop early."""
        ...

    # --- clusters, customers, dependencies, log tails ---

    async def list_clusters(self) -> Sequence[Cluster]:
        """All clusters by name, removed ones too."""
        ...

    async def list_customers(self) -> Sequence[Customer]:
        """All customers by id."""
        ...

    async def add_dependents(self, workset_id: str, depends_on: Sequence[str]) -> None:
        """Records that the workset waits for these. Idempotent; may outlive a failed registration."""
        ...

    async def list_dependents(self, workset_id: str, after: str | None, limit: int) -> Page[str]:
        """Ids of the worksets that were recorded as waiting for this one."""
        ...

    async def put_log_tail(self, workset_id: str, lock_token: int, text: str) -> None:
        """Keeps the end of a run's log in place of the one before, unless that has a later token."""
        ...

    async def get_log_tail(self, workset_id: str) -> str:
        """The end of the latest run's log, empty if none was kept."""
        ...

    # --- records: consumers, snapshots, deliveries, episodes ---

    async def get_consumer(self, name: str) -> Consumer | None:
        """The consumer, None if it was never acquired."""
        ...

    async def put_consumer(self, consumer: Consumer) -> bool:
        """Writes the consumer if the row has `version` - 1 (no row: version 1); False if not."""
        ...

    async def get_snapshot(self, name: str) -> Snapshot | None:
        """The snapshot, None if there is none. Whole, or the one before it whole."""
        ...

    async def put_snapshot(self, snapshot: Snapshot) -> None:
        """Keeps the snapshot, of any size, in place of the one before; whole or not at all.

        A writer that is killed in the middle leaves the one before.
        """
        ...

    async def add_deliveries(self, deliveries: Sequence[Delivery]) -> int:
        """Writes those (25 at most) whose id has no row yet; how many these were."""
        ...

    async def get_delivery(self, delivery_id: str) -> Delivery | None:
        """The delivery, None if there is none."""
        ...

    async def put_delivery(self, delivery: Delivery) -> bool:
        """Writes the delivery if the row has `version` - 1; False if not."""
        ...

    async def due_deliveries(self, channel: str, limit: int) -> Sequence[Delivery]:
        """The channel's unfinished deliveries by `due_at`, the earliest first, due or not."""
        ...

    async def list_deliveries(
        self, wanted: DeliveryFilter, after: str | None, limit: int
    ) -> Page[Delivery]:
        """Matching deliveries, newest `created_at` first."""
        ...

    async def get_episode(self, episode_id: str) -> Episode | None:
        """The episode, None if there is none."""
        ...

    async def put_episode(self, episode: Episode) -> bool:
        """Writes the episode if the row has `version` - 1 (no row: version 1); False if not."""
        ...

    # --- the store itself ---

    async def heartbeat(self, replica_id: str) -> datetime | None:
        """Proves by a write that the store takes writes; what its clock says, None if it has none."""
        ...

    async def create_tables(self) -> None:
        """Makes what is missing (tables, indexes, files). Idempotent."""
        ...

    async def close(self) -> None:
        """Lets go of connections and threads, after what is under way. Twice is harmless."""
        ...
