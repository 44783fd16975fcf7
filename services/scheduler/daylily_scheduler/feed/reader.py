"""What the book is filled from: reads of state, repeated until state answers."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from typing import Final, TypeVar

import structlog
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2

from daylily_client.errors import DeadlineExceeded, Overloaded, Unavailable
from daylily_client.paging import async_pages
from daylily_client.state import AsyncStateClient
from daylily_runtime.clock import Clock
from daylily_scheduler.domain.model import Cluster, Customer, Workset
from daylily_scheduler.feed.rows import cluster_of, customer_of, moment, workset_of

T = TypeVar("T")

PAGE: Final = 500
TURN: Final = 50
BATCH: Final = 100
PAUSE_SECONDS: Final = 1.0
BASIC: Final = workset_pb2.WORKSET_VIEW_BASIC

Page = state_pb2.ListWorksetsResponse | state_pb2.ListReadyWorksetsResponse

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Reader:
    """Reads state; while it does not answer, asks again."""

    def __init__(self, state: AsyncStateClient, clock: Clock) -> None:
        self._state = state
        self._clock = clock

    async def now(self) -> datetime:
        """The time by state's clock, or a little before."""
        answer = await self._patiently(self._state.get_queue_depth)
        return moment(answer.counted_at)

    async def clusters(self) -> list[Cluster]:
        answer = await self._patiently(self._state.list_clusters)
        return [cluster_of(row) for row in answer.clusters]

    async def snapshot(self, name: str) -> state_pb2.GetSnapshotResponse:
        """A checkpoint. Raises SnapshotNotFound."""
        return await self._patiently(lambda: self._state.get_snapshot(name=name))

    async def customers(self) -> list[Customer]:
        answer = await self._patiently(self._state.list_customers)
        return [customer_of(row) for row in answer.customers]

    async def worksets(self, ids: Iterable[str]) -> tuple[list[Workset], list[str]]:
        """The worksets with these ids, and the ids that do not exist."""
        wanted = list(ids)
        found: list[Workset] = []
        missing: list[str] = []
        for start in range(0, len(wanted), BATCH):
            batch = wanted[start : start + BATCH]

            async def read(batch: Sequence[str] = batch) -> None:
                answer = await self._state.batch_get_worksets(workset_ids=batch, view=BASIC)
                found.extend(workset_of(row) for row in answer.worksets)
                missing.extend(answer.missing)

            await self._patiently(read)
        return found, missing

    async def worksets_in(
        self, state: "workset_pb2.WorksetState.ValueType", take: Callable[[Workset], None]
    ) -> None:
        """Hands over every workset in a state. Begun again after a failure, so some come twice."""
        await self._patiently(
            lambda: _hand_over(
                async_pages(self._state.list_worksets, states=[state], page_size=PAGE, view=BASIC),
                take,
            )
        )

    async def queue(self, take: Callable[[Workset], None]) -> None:
        """Hands over every workset that could start now or when its time has come; as above. It
        reads the queue as it is, so what moves meanwhile may be missed: the feed has it.
        """
        await self._patiently(
            lambda: _hand_over(
                async_pages(
                    self._state.list_ready_worksets,
                    include_backing_off=True,
                    page_size=PAGE,
                    view=BASIC,
                ),
                take,
            )
        )

    async def _patiently(self, read: Callable[[], Awaitable[T]]) -> T:
        while True:
            try:
                return await read()
            except (Unavailable, Overloaded, DeadlineExceeded) as error:
                _log.warning("state_does_not_answer", error=str(error))
            # Several schedulers lost state at the same moment: they need not come back at one.
            await self._clock.sleep(PAUSE_SECONDS * (0.5 + random.random()))  # noqa: S311


async def _hand_over(pages: AsyncIterator[Page], take: Callable[[Workset], None]) -> None:
    following = asyncio.ensure_future(anext(pages, None))
    try:
        while (page := await following) is not None:
            following = asyncio.ensure_future(anext(pages, None))
            for number, row in enumerate(page.worksets):
                if number % TURN == 0:
                    # The request for the next page goes out, and others have their turn.
                    await asyncio.sleep(0)
                take(workset_of(row))
    finally:
        following.cancel()
