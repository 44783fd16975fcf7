"""The store port over DynamoDB."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from daylily_runtime import Clock, SystemClock
from daylily_state.domain.commit import Clash, Commit, CommitOutcome, Committed
from daylily_state.domain.events import Event
from daylily_state.domain.filters import DeliveryFilter, WorksetFilter
from daylily_state.domain.model import Cluster, Customer, Priority, Workset
from daylily_state.domain.records import Consumer, Delivery, Episode, Position, Snapshot
from daylily_state.ports import Page, ReadSet, Rows, Touch
from daylily_state.store.dynamodb import commits, creation, lists, reads, records, rows
from daylily_state.store.dynamodb.client import Client, DynamoDBSettings
from daylily_state.store.dynamodb.heads import Heads
from daylily_state.store.dynamodb.threads import Threads


class DynamoDBStore:
    """Everything in DynamoDB, shared by any number of replicas.

    Implements `daylily_state.ports.Store`; call `create_tables` once before the first replica starts.
    """

    def __init__(self, settings: DynamoDBSettings, clock: Clock | None = None) -> None:
        self._client = Client(settings)
        self._clock = clock or SystemClock()
        self._heads = Heads(self._client)
        self._threads = Threads(settings.connections)

    # --- worksets, clusters, customers, events: loading and deciding ---

    async def read(self, wanted: ReadSet) -> Rows:
        return await self._threads.run(reads.read, self._client, self._heads, wanted)

    async def commit(self, commit: Commit, timeout: timedelta) -> CommitOutcome:
        seconds = timeout.total_seconds()
        event = commit.event
        outcome = await self._threads.run_within(
            seconds, event.event_id, commits.apply, self._client, commit, seconds
        )
        if isinstance(outcome, Committed) or Clash.SLOT in outcome.clashes:
            self._heads.advance(event.lane, event.seq)  # whosever event it is
        return outcome

    async def touch(self, touch: Touch) -> Workset | None:
        return await self._threads.run(rows.touch, self._client, touch)

    async def find_request(self, workset_id: str, request_id: str) -> Event | None:
        return await self._threads.run(reads.find_request, self._client, workset_id, request_id)

    async def promote(self, workset_id: str, available_at: datetime) -> bool:
        return await self._threads.run(rows.promote, self._client, workset_id, available_at)

    # --- lists ---

    async def list_worksets(
        self, wanted: WorksetFilter, after: str | None, limit: int
    ) -> Page[Workset]:
        return await lists.list_worksets(self._threads, self._client, wanted, after, limit)

    async def queue(
        self,
        priorities: frozenset[Priority],
        now: datetime,
        after: str | None,
        limit: int,
    ) -> Page[Workset]:
        return await self._threads.run(lists.queue, self._client, priorities, now, after, limit)

    async def list_waiting(
        self, due_before: datetime, after: str | None, limit: int
    ) -> Page[Workset]:
        return await self._threads.run(lists.list_waiting, self._client, due_before, after, limit)

    async def list_held(self, after: str | None, limit: int) -> Page[Workset]:
        return await self._threads.run(lists.list_held, self._client, after, limit)

    # --- the feed ---

    async def heads(self) -> Position:
        return await self._threads.run(reads.all_heads, self._client, self._heads)

    async def probe(self, position: Position) -> frozenset[int]:
        return await self._threads.run(reads.probe, self._client, position)

    async def read_lane(
        self, lane: int, after: int, limit: int, *, strong: bool = False
    ) -> Sequence[Event]:
        return await self._threads.run(
            reads.read_lane, self._client, lane, after, limit, strong=strong
        )

    async def workset_events(
        self, workset_id: str, after_version: int, limit: int
    ) -> Sequence[Event]:
        return await self._threads.run(
            reads.workset_events, self._client, workset_id, after_version, limit
        )

    # --- clusters, customers, dependencies, log tails ---

    async def list_clusters(self) -> Sequence[Cluster]:
        return await self._threads.run(reads.list_clusters, self._client)

    async def list_customers(self) -> Sequence[Customer]:
        return await self._threads.run(reads.list_customers, self._client)

    async def add_dependents(self, workset_id: str, depends_on: Sequence[str]) -> None:
        await self._threads.run(rows.add_dependents, self._client, workset_id, depends_on)

    async def list_dependents(self, workset_id: str, after: str | None, limit: int) -> Page[str]:
        return await self._threads.run(rows.list_dependents, self._client, workset_id, after, limit)

    async def put_log_tail(self, workset_id: str, lock_token: int, text: str) -> None:
        await self._threads.run(rows.put_log_tail, self._client, workset_id, lock_token, text)

    async def get_log_tail(self, workset_id: str) -> str:
        return await self._threads.run(rows.get_log_tail, self._client, workset_id)

    # --- records: consumers, snapshots, deliveries, episodes ---

    async def get_consumer(self, name: str) -> Consumer | None:
        return await self._threads.run(records.get_consumer, self._client, name)

    async def put_consumer(self, consumer: Consumer) -> bool:
        return await self._threads.run(records.put_consumer, self._client, consumer)

    async def get_snapshot(self, name: str) -> Snapshot | None:
        return await self._threads.run(records.get_snapshot, self._client, name)

    async def put_snapshot(self, snapshot: Snapshot) -> None:
        await self._threads.run(records.put_snapshot, self._client, snapshot)

    async def add_deliveries(self, deliveries: Sequence[Delivery]) -> int:
        return await self._threads.run(records.add_deliveries, self._client, deliveries)

    async def get_delivery(self, delivery_id: str) -> Delivery | None:
        return await self._threads.run(records.get_delivery, self._client, delivery_id)

    async def put_delivery(self, delivery: Delivery) -> bool:
        return await self._threads.run(records.put_delivery, self._client, delivery)

    async def due_deliveries(self, channel: str, limit: int) -> Sequence[Delivery]:
        return await self._threads.run(records.due_deliveries, self._client, channel, limit)

    async def list_deliveries(
        self, wanted: DeliveryFilter, after: str | None, limit: int
    ) -> Page[Delivery]:
        return await records.list_deliveries(self._threads, self._client, wanted, after, limit)

    async def get_episode(self, episode_id: str) -> Episode | None:
        return await self._threads.run(records.get_episode, self._client, episode_id)

    async def put_episode(self, episode: Episode) -> bool:
        return await self._threads.run(records.put_episode, self._client, episode)

    # --- the store itself ---

    async def heartbeat(self, replica_id: str) -> datetime | None:
        now = self._clock.now()
        return await self._threads.run(records.heartbeat, self._client, replica_id, now)

    async def create_tables(self) -> None:
        await creation.create_tables(self._threads, self._client)

    async def close(self) -> None:
        await self._threads.close()
        self._client.close()
