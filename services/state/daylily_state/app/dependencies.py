"""Tells worksets what became of those that they depend on.

One replica at a time does it, as the consumer `state.dependencies` of the feed. It goes on from the
consumer's durable position, so that no end of a dependency is missed whoever is killed; what it sees
twice it says once.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from typing import Final

import structlog

from daylily_runtime import Clock
from daylily_state.app.deciding import Decider, Repeated
from daylily_state.app.feed import Batch, Feed
from daylily_state.app.records import Records
from daylily_state.app.requests import event_at
from daylily_state.domain import dependencies, requests
from daylily_state.domain.commit import Commit
from daylily_state.domain.errors import (
    ConsumerHeldError,
    ConsumerLostError,
    ConsumerNotFoundError,
    ContentionError,
    DomainError,
    OutcomeUnknownError,
    StoreUnavailableError,
)
from daylily_state.domain.events import Event
from daylily_state.domain.limits import CONSUMER_LEASE
from daylily_state.domain.model import Details, SubjectKind, Workset, lane_of
from daylily_state.domain.moment import Moment
from daylily_state.domain.records import Consumer
from daylily_state.ports import ReadSet, Rows, Store

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

CONSUMER: Final = "state.dependencies"
_RENEW_SECONDS: Final = CONSUMER_LEASE.total_seconds() / 3
_PAUSE_SECONDS: Final = 1.0
_LET_GO_SECONDS: Final = 1.0
_DEPENDENTS_AT_ONCE: Final = 100

Decide = Callable[[Workset, Details, Rows, Moment], Commit | None]


class DependencyResolver:
    """Follows the feed for the ends of dependencies; `run` has to run in the background.

    Args:
        store: where worksets and who depends on them are.
        feed: tells of ends.
        decider: makes the events on dependents happen.
        records: the consumer.
        clock: for the consumer's lease.
        replica_id: who this process is as the consumer.
    """

    def __init__(
        self,
        store: Store,
        feed: Feed,
        decider: Decider,
        records: Records,
        clock: Clock,
        *,
        replica_id: str,
    ) -> None:
        self._store = store
        self._feed = feed
        self._decider = decider
        self._records = records
        self._clock = clock
        self._replica_id = replica_id

    async def run(self) -> None:
        """Become the consumer whenever nobody else is, and act as it, for ever."""
        while True:
            try:
                consumer = await self._records.acquire_consumer(
                    CONSUMER, self._replica_id, start_at_end=False
                )
                try:
                    await self._act_as(consumer)
                except asyncio.CancelledError:
                    await self._let_go(consumer.token)
                    raise
            except* ConsumerHeldError:
                await self._clock.sleep(_RENEW_SECONDS)
            except* (ConsumerLostError, ConsumerNotFoundError):
                _log.info("dependencies_taken_over", replica_id=self._replica_id)
            except* (StoreUnavailableError, OutcomeUnknownError, ContentionError):
                _log.warning("dependencies_wait_for_store")
                await self._clock.sleep(_PAUSE_SECONDS)

    async def _let_go(self, token: int) -> None:
        """This server stops: another replica, or its successor, need not wait for the lease."""
        with suppress(DomainError, TimeoutError):
            async with asyncio.timeout(_LET_GO_SECONDS):
                await self._records.release_consumer(CONSUMER, token)

    async def _act_as(self, consumer: Consumer) -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._renew(consumer.token), name="dependencies.renew")
            tasks.create_task(self._follow(consumer), name="dependencies.follow")

    async def _renew(self, token: int) -> None:
        while True:
            await self._clock.sleep(_RENEW_SECONDS)
            await self._records.renew_consumer(CONSUMER, token)

    async def _follow(self, consumer: Consumer) -> None:
        acknowledged = consumer.position
        async for batch in self._feed.follow(consumer.position, _matters):
            await self._take(batch)
            if batch.position != acknowledged:
                acked = await self._records.acknowledge(CONSUMER, consumer.token, batch.position)
                acknowledged = acked.position

    async def _take(self, batch: Batch) -> None:
        for event, _ in batch.events:
            if dependencies.starts_waiting(event):
                await self._resolve(event.subject_id)
            else:
                await self._resolve_dependents(event)

    async def _resolve_dependents(self, event: Event) -> None:
        after: str | None = None
        while True:
            page = await self._store.list_dependents(event.subject_id, after, _DEPENDENTS_AT_ONCE)
            for workset_id in page.items:
                await self._resolve(workset_id)
            after = page.next
            if after is None:
                return

    async def _resolve(self, workset_id: str) -> None:
        """Say that the dependencies are met; else which of them have failed, each once."""
        rows = await self._decide(workset_id, _met, _not_said)
        workset = rows.worksets.get(workset_id)
        if workset is None:
            return  # recorded as a dependent, but its registration was refused
        for key in rows.details[workset_id].depends_on:
            dependency = rows.worksets.get(key)
            if dependency is not None and dependency.state in dependencies.FAILED_STATES:
                await self._say_failed(workset_id, key)

    async def _say_failed(self, workset_id: str, key: str) -> None:
        def failed(workset: Workset, details: Details, rows: Rows, moment: Moment) -> Commit | None:
            return dependencies.report_failure(workset, details, rows.worksets[key], moment)

        async def said_before(rows: Rows) -> Event | None:
            workset = rows.worksets[workset_id]
            request_id = dependencies.failure_request_id(rows.worksets[key])
            seq = requests.recent_seq(workset, request_id)
            if seq is not None:
                return await event_at(self._store, workset.lane, seq)
            if requests.may_be_forgotten(workset):
                return await self._store.find_request(workset_id, request_id)
            return None

        await self._decide(workset_id, failed, said_before)

    async def _decide(
        self,
        workset_id: str,
        rule: Decide,
        repeated: Repeated,
    ) -> Rows:
        lane = lane_of(SubjectKind.WORKSET, workset_id)

        async def complete(rows: Rows) -> Rows:
            details = rows.details.get(workset_id)
            if details is None:
                return rows
            more = await self._store.read(ReadSet(worksets=details.depends_on))
            return replace(rows, worksets={**more.worksets, **rows.worksets})

        def decide(rows: Rows, moment: Moment) -> Commit | None:
            workset = rows.worksets.get(workset_id)
            if workset is None:
                return None
            return rule(workset, rows.details[workset_id], rows, moment)

        decided = await self._decider.decide(
            lane,
            ReadSet(worksets=(workset_id,), details=(workset_id,), lanes=(lane,)),
            decide,
            complete=complete,
            repeated=repeated,
        )
        return decided.rows


def _met(workset: Workset, details: Details, rows: Rows, moment: Moment) -> Commit | None:
    return dependencies.report_met(workset, details, rows.worksets, moment)


async def _not_said(_: Rows) -> Event | None:
    """That dependencies are met needs no request id: the workset itself says so."""
    return None


def _matters(event: Event) -> bool:
    return dependencies.ends_a_dependency(event) or dependencies.starts_waiting(event)
