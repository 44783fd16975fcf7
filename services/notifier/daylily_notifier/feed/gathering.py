"""What a channel holds back to say it in one message, as state keeps it.

A *gathering* is a reason to hold back, such as worksets that fail on one cluster: it knows until when
others wait after the first, and the digest that they go into. A *digest* counts its members. It grows
until its carrier, one of them, is sent as it; then it is sealed. Members are in their digest before
they are marked as counted, so a notifier that dies in between counts them again, and once.
"""

import json
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar

from daylily.workset.v1 import delivery_pb2, event_pb2

from daylily_client import EpisodeNotFound, NotFound, VersionMismatch
from daylily_notifier.api.convert import event_from_proto
from daylily_notifier.domain import digests
from daylily_notifier.domain.deliveries import digest_id
from daylily_notifier.domain.digests import Digest
from daylily_notifier.feed.process import Process

T = TypeVar("T")

_WAITS = frozenset({delivery_pb2.DELIVERY_STATE_PENDING, delivery_pb2.DELIVERY_STATE_CLAIMED})
_SUBJECT = event_pb2.Subject(kind=event_pb2.SUBJECT_KIND_SYSTEM, id="notifier")
_TRIES = 5
_FIRSTS = 1000
_LOOKED_AT = 8
_DIGESTS = 128
_CLAIMS_BEFORE_COUNTED = 2
"""A delivery is claimed when it is told to wait, and when it is counted. One that is claimed once more may
have been counted by a notifier that died."""


@dataclass(frozen=True)
class Gathering:
    """What is held back for one reason."""

    firsts: tuple[str, ...] = ()
    """The deliveries that went out at once, as far as their outcome is not on record. One of them
    that comes again was sent already, perhaps: it goes out again with its key, and is in no digest.
    """
    until: datetime | None = None
    """Those that follow it wait until then."""
    digests: tuple[str, ...] = ()
    """What the others were counted into, the last ones."""

    @property
    def digest(self) -> str:
        """What they are counted into now; empty for none."""
        return self.digests[-1] if self.digests else ""


@dataclass(frozen=True)
class Counted:
    """Deliveries that are in a digest now."""

    digest: str
    carrier: str
    """The one that goes out as it; empty: it did already."""
    deliveries: Sequence[delivery_pb2.Delivery]


class Gatherings:
    """Reads and writes the gatherings and digests of one channel."""

    def __init__(self, process: Process) -> None:
        self._state = process.state
        self._clock = process.clock
        self._waiting: dict[str, tuple[tuple[str, ...], datetime]] = {}

    async def begin(
        self, gathering_id: str, delivery_id: str, window: timedelta
    ) -> datetime | None:
        """When this delivery's turn is; None: now, and others that come within `window` wait.

        Raises:
            DaylilyError: state does not say.
        """
        firsts, until = self._waiting.get(gathering_id, ((), None))
        if until is not None and self._clock.now() < until and delivery_id not in firsts:
            return until  # it only ever grows

        async def attempt() -> datetime | None:
            kept, version = await self._gathering(gathering_id)
            now = self._clock.now()
            if delivery_id in kept.firsts:
                return None  # it was begun before
            if kept.until is not None and now < kept.until:
                self._remember(gathering_id, kept.firsts, kept.until)
                return kept.until
            firsts = (*await self._under_way(kept.firsts), delivery_id)[-_FIRSTS:]
            began = replace(kept, firsts=firsts, until=now + window)
            await self._put_gathering(gathering_id, began, version)
            return None

        return await _until_unchanged(attempt)

    async def count(
        self,
        gathering_id: str,
        deliveries: Sequence[delivery_pb2.Delivery],
        window: timedelta | None,
        why: str,
    ) -> list[Counted]:
        """Count these into the gathering's digest.

        Those that are in the one before, which is sealed, stay there: whoever counted them died
        before it could mark them.

        Raises:
            DaylilyError: state did not take it; counted again, they are counted once.
        """

        async def attempt() -> list[Counted]:
            kept, version = await self._gathering(gathering_id)
            counted, new = await self._counted_before(kept, deliveries)
            if not new:
                return counted
            found, digest_version = await self._digest(kept.digest)
            if found is None or found.sealed or found.full:
                carrier = new[0].delivery_id
                kept = replace(
                    kept,
                    until=self._clock.now() + window if window is not None else None,
                    digests=(*kept.digests, digest_id(carrier))[-_DIGESTS:],
                )
                await self._put_gathering(gathering_id, kept, version)
                found, digest_version = await self._digest(kept.digest)
                if found is None or found.sealed:
                    # A sealed one is that of a carrier that was sent again by hand.
                    found = Digest(carrier, why=why)
            grown = digests.with_events(
                found, ((each.delivery_id, event_from_proto(each.event)) for each in new)
            )
            if grown != found or not digest_version:
                await self._put_digest(kept.digest, grown, digest_version)
            return [*counted, Counted(kept.digest, grown.carrier, new)]

        return await _until_unchanged(attempt)

    async def _counted_before(
        self, kept: Gathering, deliveries: Sequence[delivery_pb2.Delivery]
    ) -> tuple[list[Counted], list[delivery_pb2.Delivery]]:
        """Those that a sealed digest has, and the others."""
        counted: list[Counted] = []
        new = list(deliveries)
        for key in reversed(kept.digests):
            if all(each.attempts <= _CLAIMS_BEFORE_COUNTED for each in new):
                break
            found = await self.digest(key)
            if found is None or not found.sealed:
                continue
            inside = [
                each
                for each in new
                if each.delivery_id != found.carrier and found.has(each.delivery_id)
            ]
            if inside:
                counted.append(Counted(key, "", inside))
                new = [each for each in new if each not in inside]
        return counted, new

    async def _under_way(self, firsts: tuple[str, ...]) -> tuple[str, ...]:
        """Without those of the oldest that are finished: they do not come again."""
        oldest, rest = firsts[:_LOOKED_AT], firsts[_LOOKED_AT:]
        return (*[each for each in oldest if not await self._is_finished(each)], *rest)

    async def _is_finished(self, delivery_id: str) -> bool:
        try:
            answer = await self._state.get_delivery(delivery_id=delivery_id)
        except NotFound:
            return True
        return answer.delivery.state not in _WAITS

    async def seal(self, key: str) -> Digest | None:
        """The digest, which nothing is counted into any more. None: there is none.

        Raises:
            DaylilyError: state does not say.
        """
        return await self._change(key, lambda digest: replace(digest, sealed=True))

    async def end(self, key: str, member: str) -> Digest | None:
        """The digest after the trouble of one member is over.

        Raises:
            DaylilyError: state does not say.
        """
        return await self._change(key, lambda digest: digest.without(member))

    async def digest(self, key: str) -> Digest | None:
        """A digest as it is; None: there is none."""
        return (await self._digest(key))[0]

    def _remember(self, gathering_id: str, firsts: tuple[str, ...], until: datetime) -> None:
        now = self._clock.now()
        self._waiting = {key: kept for key, kept in self._waiting.items() if kept[1] > now}
        self._waiting[gathering_id] = (firsts, until)

    async def _change(self, key: str, change: Callable[[Digest], Digest]) -> Digest | None:
        async def attempt() -> Digest | None:
            found, version = await self._digest(key)
            if found is None:
                return None
            changed = change(found)
            if changed != found:
                await self._put_digest(key, changed, version)
            return changed

        return await _until_unchanged(attempt)

    async def _gathering(self, gathering_id: str) -> tuple[Gathering, int]:
        row = await self._row(gathering_id)
        if row is None:
            return Gathering(), 0
        data = json.loads(row.data)
        until = datetime.fromisoformat(data["until"]) if data["until"] else None
        return Gathering(tuple(data["firsts"]), until, tuple(data["digests"])), row.version

    async def _digest(self, key: str) -> tuple[Digest | None, int]:
        row = await self._row(key) if key else None
        return (None, 0) if row is None else (digests.from_bytes(row.data), row.version)

    async def _row(self, row_id: str) -> delivery_pb2.Episode | None:
        try:
            return (await self._state.get_episode(episode_id=row_id)).episode
        except EpisodeNotFound:
            return None

    async def _put_gathering(self, row_id: str, kept: Gathering, version: int) -> None:
        data = {
            "firsts": kept.firsts,
            "until": kept.until and kept.until.isoformat(),
            "digests": kept.digests,
        }
        await self._put(row_id, "gathering", json.dumps(data).encode(), version, 0, is_open=True)

    async def _put_digest(self, key: str, digest: Digest, version: int) -> None:
        await self._put(
            key,
            "digest",
            digests.to_bytes(digest),
            version,
            digest.total,
            is_open=not digest.sealed or bool(digest.tags),
        )

    async def _put(
        self, row_id: str, cause: str, data: bytes, version: int, count: int, *, is_open: bool
    ) -> None:
        await self._state.put_episode(
            episode=delivery_pb2.Episode(
                episode_id=row_id,
                subject=_SUBJECT,
                cause=cause,
                state=(
                    delivery_pb2.EPISODE_STATE_OPEN
                    if is_open
                    else delivery_pb2.EPISODE_STATE_CLOSED
                ),
                occurrences=count,
                version=version,
                data=data,
            )
        )


async def _until_unchanged(attempt: Callable[[], Awaitable[T]]) -> T:
    """Do it again while another notifier, about to lose the seat, writes in between."""
    for _ in range(_TRIES - 1):
        try:
            return await attempt()
        except VersionMismatch:
            continue
    return await attempt()
