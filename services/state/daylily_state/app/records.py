"""Records that state keeps for other services: consumers, snapshots, deliveries, episodes."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final, TypeVar

from daylily_runtime import Clock
from daylily_state.domain import consumers, cursor, deliveries
from daylily_state.domain.deliveries import Marking
from daylily_state.domain.errors import (
    ConsumerNotFoundError,
    ContentionError,
    DeliveryNotFoundError,
    EpisodeNotFoundError,
    SnapshotNotFoundError,
    VersionMismatchError,
)
from daylily_state.domain.filters import DeliveryFilter
from daylily_state.domain.records import Consumer, Delivery, Episode, Position, Snapshot
from daylily_state.ports import Store

R = TypeVar("R", Consumer, Delivery)

_ATTEMPTS: Final = 10
_RETRY_AFTER: Final = timedelta(milliseconds=500)


@dataclass(frozen=True, slots=True)
class Claimed:
    """Deliveries in the claimer's hands, and when the next one of the channel is due."""

    deliveries: Sequence[Delivery]
    next_due_at: datetime | None


class Records:
    """What can be asked of records.

    Args:
        store: where they are.
        clock: what time it is.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def now(self) -> datetime:
        """The time of state, for what it records."""
        return self._clock.now()

    # --- consumers ---

    async def acquire_consumer(self, name: str, owner_id: str, *, start_at_end: bool) -> Consumer:
        """Make a process act as a consumer. Raises ConsumerHeldError."""
        for _ in range(_ATTEMPTS):
            found = await self._store.get_consumer(name)
            heads = await self._store.heads()
            start = heads if start_at_end else cursor.BEGINNING
            acquired = consumers.acquire(found, name, owner_id, start, self._clock.now())
            acquired = consumers.within(acquired, heads)
            if await self._store.put_consumer(acquired):
                return acquired
        raise ContentionError(retry_after=_RETRY_AFTER)

    async def renew_consumer(self, name: str, token: int) -> Consumer:
        """Go on as the consumer. Raises ConsumerNotFoundError, ConsumerLostError."""
        return await self._change_consumer(
            name, lambda found: consumers.renew(found, token, self._clock.now())
        )

    async def release_consumer(self, name: str, token: int) -> None:
        """Let another take over. Raises ConsumerNotFoundError, ConsumerLostError."""
        await self._change_consumer(
            name, lambda found: consumers.release(found, token, self._clock.now())
        )

    async def acknowledge(self, name: str, token: int, position: Position) -> Consumer:
        """Move the position on.

        Raises:
            ConsumerNotFoundError, ConsumerLostError.
            InvalidCursorError: the position lies behind the end of the feed.
        """
        heads = await self._store.heads()
        return await self._change_consumer(
            name, lambda found: consumers.acknowledge(found, token, position, heads)
        )

    async def consumer_position(self, name: str) -> Position:
        """Where the consumer stands. Raises ConsumerNotFoundError."""
        found = await self._store.get_consumer(name)
        if found is None:
            raise ConsumerNotFoundError(consumer=name)
        return found.position

    async def _change_consumer(self, name: str, change: Callable[[Consumer], Consumer]) -> Consumer:
        changed = await _changed(
            lambda: self._store.get_consumer(name), change, self._store.put_consumer
        )
        if changed is None:
            raise ConsumerNotFoundError(consumer=name)
        return changed

    # --- snapshots ---

    async def snapshot(self, name: str) -> Snapshot:
        """A service's checkpoint. Raises SnapshotNotFoundError."""
        found = await self._store.get_snapshot(name)
        if found is None:
            raise SnapshotNotFoundError(name=name)
        return found

    async def put_snapshot(self, name: str, at: str, data: bytes) -> None:
        """Keep a service's checkpoint in place of the one before."""
        await self._store.put_snapshot(Snapshot(name, at, data, self._clock.now()))

    # --- deliveries ---

    async def add_deliveries(self, new: Sequence[Delivery]) -> int:
        """Record deliveries; those that are there stay as they are. How many were new."""
        return await self._store.add_deliveries(new)

    async def claim(self, channel: str, owner_id: str, limit: int, lease: timedelta) -> Claimed:
        """Take deliveries of a channel that are due, the earliest first."""
        now = self._clock.now()
        taken: list[Delivery] = []
        for delivery in await self._store.due_deliveries(channel, limit):
            mine = deliveries.claim(delivery, owner_id, lease, now)
            if mine is None:
                break  # the earliest first: the rest is not due either
            if await self._store.put_delivery(mine):
                taken.append(mine)
        following = await self._store.due_deliveries(channel, 1)
        return Claimed(taken, following[0].due_at if following else None)

    async def mark(self, marking: Marking) -> Delivery:
        """Record how an attempt ended. Raises DeliveryNotFoundError, ClaimLostError."""
        marked = await _changed(
            lambda: self._store.get_delivery(marking.delivery_id),
            lambda found: deliveries.mark(found, marking, self._clock.now()),
            self._store.put_delivery,
        )
        if marked is None:
            raise DeliveryNotFoundError(delivery_id=marking.delivery_id)
        return marked

    async def delivery(self, delivery_id: str) -> Delivery:
        """A delivery. Raises DeliveryNotFoundError."""
        found = await self._store.get_delivery(delivery_id)
        if found is None:
            raise DeliveryNotFoundError(delivery_id=delivery_id)
        return found

    async def list_deliveries(
        self, wanted: DeliveryFilter, token: str, limit: int
    ) -> tuple[Sequence[Delivery], str]:
        """A page of matching deliveries, newest first, and the token of the next one."""
        call = f"ListDeliveries {wanted.channel} {sorted(wanted.states)!r} {wanted.workset_id}"
        page = await self._store.list_deliveries(wanted, cursor.decode_page(call, token), limit)
        return page.items, cursor.encode_page(call, page.next)

    # --- episodes ---

    async def episode(self, episode_id: str) -> Episode:
        """An episode. Raises EpisodeNotFoundError."""
        found = await self._store.get_episode(episode_id)
        if found is None:
            raise EpisodeNotFoundError(episode_id=episode_id)
        return found

    async def put_episode(self, episode: Episode) -> Episode:
        """Write the episode if nobody has since its `version`. Raises VersionMismatchError."""
        following = replace(episode, version=episode.version + 1)
        if await self._store.put_episode(following):
            return following
        found = await self._store.get_episode(episode.episode_id)
        raise VersionMismatchError(expected=episode.version, actual=found.version if found else 0)


async def _changed(
    get: Callable[[], Awaitable[R | None]],
    change: Callable[[R], R],
    put: Callable[[R], Awaitable[bool]],
) -> R | None:
    """Read, change, write if nobody else has meanwhile; else again. None: there is no such record.

    Raises:
        ContentionError: somebody else was first every time.
    """
    for _ in range(_ATTEMPTS):
        found = await get()
        if found is None:
            return None
        changed = change(found)
        if await put(changed):
            return changed
    raise ContentionError(retry_after=_RETRY_AFTER)
