"""Taking the lock of a pick, and giving it back when nobody is there to have it."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Protocol

import structlog
from daylily.workset.v1 import workset_pb2

from daylily_client.errors import (
    BudgetExceeded,
    ClusterDraining,
    ClusterFull,
    ClusterNotFound,
    Contention,
    CustomerLimit,
    DaylilyError,
    DependencyNotMet,
    IllegalTransition,
    InvalidArgument,
    LockHeld,
    LockLost,
    NotYetAvailable,
    WorksetNotFound,
)
from daylily_client.state import AsyncStateClient
from daylily_client.values import duration
from daylily_runtime.clock import Clock
from daylily_scheduler.domain.book import Book
from daylily_scheduler.domain.placement import Placement, place_on
from daylily_scheduler.domain.policy import Pick
from daylily_scheduler.domain.resources import NOTHING, UNSTATED_MB, Resources
from daylily_scheduler.errors import RepeatedDifferentlyError
from daylily_scheduler.feed.refresher import Refresher
from daylily_scheduler.feed.rows import workset_of

LOCK_SECONDS: Final = 10.0
GONE: Final = "the caller of the claim was gone when the lock arrived"

# The workset may start, but not there or not now.
_NO_ROOM = (ClusterFull, ClusterDraining, ClusterNotFound, CustomerLimit, BudgetExceeded)
# Somebody was faster, or the book is behind. After any other refusal another pick does no better.
_ANOTHER_MAY_DO = (
    LockHeld,
    IllegalTransition,
    NotYetAvailable,
    DependencyNotMet,
    WorksetNotFound,
    Contention,
    ClusterFull,
    CustomerLimit,
    BudgetExceeded,
)

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class LostError(Exception):
    """This pick cannot be had; another one may."""


class Claimant(Protocol):
    """Who wants the lock."""

    @property
    def cluster_name(self) -> str: ...
    @property
    def owner_id(self) -> str: ...
    @property
    def lease(self) -> timedelta | None: ...
    @property
    def request_id(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Grant:
    """A lock, with the workset as state answered it."""

    workset: workset_pb2.Workset
    lock_token: int
    placement: Placement | None


class Locks:
    """Takes locks at state for claims, and keeps the book straight whatever comes of it.

    Args:
        state: the state service.
        book: what is known.
        refresher: told what proved wrong.
        clock: time.
        settle: called after every change of the book.
    """

    def __init__(
        self,
        state: AsyncStateClient,
        book: Book,
        refresher: Refresher,
        clock: Clock,
        settle: Callable[[], None],
    ) -> None:
        self._state = state.with_timeout(LOCK_SECONDS)
        self._book = book
        self._refresher = refresher
        self._clock = clock
        self._given_back: set[asyncio.Task[None]] = set()
        self._settle = settle

    async def take(self, found: Pick, claimant: Claimant) -> Grant:
        """Locks the pick for whoever claims. If the caller goes away meanwhile, gives it back.

        Raises:
            LostError: this pick cannot be had.
            DaylilyError: state refuses the claim itself, or does not answer.
        """
        attempt = asyncio.create_task(self._attempt(found, claimant))
        try:
            # The call goes on when the caller is gone: whether it locked has to be known.
            return await asyncio.shield(attempt)
        except asyncio.CancelledError:
            giving_back = asyncio.create_task(self._give_back(attempt))
            self._given_back.add(giving_back)
            giving_back.add_done_callback(self._given_back.discard)
            raise

    def known(self, row: workset_pb2.Workset, lock_token: int, claimant: Claimant) -> Grant:
        """The grant that state has for the claim's request_id.

        Raises:
            RepeatedDifferentlyError: it was made for somebody else.
        """
        if row.lock.owner_id != claimant.owner_id or row.cluster_name != claimant.cluster_name:
            raise RepeatedDifferentlyError(claimant.request_id)
        return self._grant(row, lock_token)

    async def close(self) -> None:
        """Waits until all that has to be given back is."""
        if self._given_back:
            await asyncio.wait(self._given_back)

    # --- inside ---

    async def _attempt(self, found: Pick, claimant: Claimant) -> Grant:
        workset_id = found.workset.workset_id
        try:
            answer = await self._state.acquire_lock(
                workset_id=workset_id,
                owner_id=claimant.owner_id,
                lease=duration(claimant.lease) if claimant.lease is not None else None,
                cluster_name=claimant.cluster_name,
                request_id=claimant.request_id,
                picked=True,
            )
        except DaylilyError as error:
            another_may_do = self._note_refusal(found, error)
            self._settle()
            if another_may_do:
                raise LostError(str(error)) from error
            raise
        if answer.workset.workset_id != workset_id:
            # A repeat: state answers with the grant of the first call.
            self._book.give_up(workset_id, self._clock.now(), stale=False)
        grant = self._grant(answer.workset, answer.lock_token)
        self._settle()
        return grant

    def _note_refusal(self, found: Pick, error: DaylilyError) -> bool:
        """Sets the book right. Says whether the claim may do better with another pick."""
        workset_id, cluster_name = found.workset.workset_id, found.placement.cluster_name
        claim_is_wrong = isinstance(error, LockLost | InvalidArgument)
        no_room = isinstance(error, _NO_ROOM)
        stale = not (claim_is_wrong or no_room)
        # Before the refusal is noted: room that is given back makes what was refused possible.
        self._book.give_up(workset_id, self._clock.now(), stale=stale)
        match error:
            case ClusterFull():
                self._book.refuse_cluster(cluster_name, _room_left(error))
                self._refresher.clusters()
            case ClusterDraining() | ClusterNotFound():
                # Whatever it is, nothing goes there until the cluster has been read.
                self._book.refuse_cluster(cluster_name, NOTHING)
                self._refresher.clusters()
            case CustomerLimit() | BudgetExceeded():
                self._book.refuse_customer(found.workset.customer_id)
                self._refresher.customers()
            case _ if stale:
                self._refresher.workset(workset_id)
            case _:
                pass
        return isinstance(error, _ANOTHER_MAY_DO)

    def _grant(self, row: workset_pb2.Workset, lock_token: int) -> Grant:
        workset = workset_of(row)
        self._book.put(workset, self._clock.now())
        cluster = self._book.fleet.get(workset.cluster_name)
        placement = place_on(workset, cluster, self._book.fleet) if cluster else None
        return Grant(row, lock_token, placement)

    async def _give_back(self, attempt: asyncio.Task[Grant]) -> None:
        try:
            grant = await attempt
            await self._state.release_lock(
                workset_id=grant.workset.workset_id, lock_token=grant.lock_token, reason=GONE
            )
        except LostError:
            return
        except DaylilyError as error:
            # Nobody renews it, so it runs out.
            _log.warning("lock_not_given_back", error=str(error))
            return
        _log.info("lock_given_back", workset_id=grant.workset.workset_id, token=grant.lock_token)


def _room_left(error: ClusterFull) -> Resources:
    """What state says is free of the thing that there is not enough of."""
    plenty = Resources(UNSTATED_MB, UNSTATED_MB, UNSTATED_MB, UNSTATED_MB)
    thing, have = error.metadata.get("resource", ""), error.metadata.get("have", "")
    if thing not in {"vcpus", "memory_mb", "storage_mb", "slots"} or not have.isdigit():
        return NOTHING
    return replace(plenty, **{thing: int(have)})
