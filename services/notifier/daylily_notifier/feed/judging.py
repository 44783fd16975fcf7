"""What becomes of a delivery that is due: sent, held back, counted into another, or left out."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from daylily.workset.v1 import delivery_pb2

from daylily_client import NotFound
from daylily_notifier.api.convert import event_from_proto, moment, part_from_proto
from daylily_notifier.channels.base import ChannelSettings
from daylily_notifier.domain.deliveries import (
    delivery_id,
    digest_id,
    gathering_id,
    thread_key,
)
from daylily_notifier.domain.digests import Digest
from daylily_notifier.domain.episodes import Act, Part, Thread
from daylily_notifier.domain.event import Event
from daylily_notifier.feed.book import Book
from daylily_notifier.feed.gathering import Gatherings
from daylily_notifier.feed.process import Process

_AFTER_OPENING = timedelta(seconds=2)
_TROUBLES = frozenset({Part.OPENING, Part.AGAIN})
_FINISHED = frozenset({delivery_pb2.DELIVERY_STATE_DELIVERED, delivery_pb2.DELIVERY_STATE_FOLDED})


@dataclass(frozen=True)
class Send:
    """As a message."""

    thread: Thread | None = None
    digest: Digest | None = None
    digest_id: str = ""
    dedup_key: str = ""


@dataclass(frozen=True)
class Fold:
    """Not by itself."""

    why: str
    digest_id: str = ""


@dataclass(frozen=True)
class Later:
    """At this time, counted into this gathering or carrying this digest."""

    at: datetime
    digest_id: str = ""


@dataclass(frozen=True)
class Count:
    """Into the digest of this gathering, now."""

    gathering_id: str


Verdict: TypeAlias = Send | Fold | Later | Count


def carries(delivery: delivery_pb2.Delivery) -> bool:
    """Whether it goes out as a digest."""
    return delivery.digest_id == digest_id(delivery.delivery_id)


class Judge:
    """Decides for one channel. Everything that a later decision rests on is kept in state."""

    def __init__(
        self,
        channel: str,
        settings: ChannelSettings,
        process: Process,
        gatherings: Gatherings,
        book: Book,
    ) -> None:
        self._channel = channel
        self._settings = settings
        self._state = process.state
        self._clock = process.clock
        self._gatherings = gatherings
        self._book = book
        self._sent_at: deque[datetime] = deque()
        self.held = gathering_id(channel, "held")

    async def judge(self, delivery: delivery_pb2.Delivery) -> Verdict:
        """What becomes of this delivery now.

        Raises:
            DaylilyError: state does not say.
        """
        if delivery.digest_id:
            if carries(delivery):
                return await self._carry(delivery)
            return Count(delivery.digest_id)
        event = event_from_proto(delivery.event)
        part = part_from_proto(delivery)
        if part is Part.REPEAT:
            return Fold("a repeat: counted in its episode")
        thread = self._opening(delivery) if part is Part.OPENING else None
        if part in {Part.AGAIN, Part.ACKNOWLEDGEMENT, Part.RECOVERY}:
            found = await self._follow(delivery, event, part)
            if not isinstance(found, Thread):
                return found
            thread = found
        ends = part in {Part.ACKNOWLEDGEMENT, Part.RECOVERY}
        if ends and self._settings.tracks:
            return Send(thread)  # it disturbs nobody
        return await self._held_back(delivery, event, part) or Send(thread)

    async def _held_back(
        self, delivery: delivery_pb2.Delivery, event: Event, part: Part | None
    ) -> Later | None:
        """Until when it waits, if it does: for the end of quiet hours, for others like it, or
        because enough was sent.
        """
        passes = self._book.passes_quiet_hours(self._channel, event)
        if (end := self._quiet_until(passes)) is not None:
            return Later(end, self.held)
        if (reason := self._gathers(event, part)) and self._settings.digest is not None:
            turn = await self._gatherings.begin(reason, delivery.delivery_id, self._settings.digest)
            if turn is not None:
                return Later(turn, reason)
        if (free := self._rate_free_at()) is not None:
            return Later(free, self.held)
        return None

    def sent(self) -> None:
        """A message goes out now: it counts for the rate."""
        if self._settings.rate is not None:
            self._sent_at.append(self._clock.now())

    def why_held(self, gathering: str) -> str:
        """What a digest of this gathering says about why it comes late; empty for a burst."""
        if gathering != self.held:
            return ""
        reasons = [str(self._settings.quiet_hours)] if self._settings.quiet_hours else []
        if self._settings.rate is not None:
            reasons.append(f"more than {self._settings.rate}")
        return " or ".join(reasons) or "the channel held them back"

    def _opening(self, delivery: delivery_pb2.Delivery) -> Thread:
        return Thread(thread_key(delivery.opening_event_id, self._channel), Act.OPEN)

    async def _carry(self, delivery: delivery_pb2.Delivery) -> Verdict:
        """A delivery that goes out as a digest."""
        key = delivery.digest_id
        known = await self._gatherings.digest(key)
        if known is not None and not known.sealed:
            if (end := self._quiet_until(known.urgent)) is not None:
                return Later(end, key)
            if (free := self._rate_free_at(spare=0)) is not None:
                return Later(free, key)
        digest = await self._gatherings.seal(key)
        part = part_from_proto(delivery)
        if digest is None or digest.total == 1:
            thread = self._opening(delivery) if part is Part.OPENING else None
            if part in {Part.AGAIN, Part.RECOVERY}:
                event = event_from_proto(delivery.event)
                found = await self._follow(delivery, event, part)
                if not isinstance(found, Thread):
                    return found
                thread = found
            return Send(thread, digest_id=key)
        thread = None if part is Part.RECOVERY else Thread(key, Act.OPEN)
        return Send(thread, digest, key)

    async def _follow(
        self, delivery: delivery_pb2.Delivery, event: Event, part: Part
    ) -> Thread | Verdict:
        """The thread that the opening made, or what becomes of a delivery that has none."""
        act = {
            Part.AGAIN: Act.AGAIN,
            Part.ACKNOWLEDGEMENT: Act.ACKNOWLEDGE,
            Part.RECOVERY: Act.CLOSE,
        }[part]
        key = thread_key(delivery.opening_event_id, self._channel)
        opening_id = delivery_id(delivery.opening_event_id, self._channel)
        try:
            opening = (await self._state.get_delivery(delivery_id=opening_id)).delivery
        except NotFound:
            opening = None
        if opening is None or opening.state == delivery_pb2.DELIVERY_STATE_DEAD:
            if part is Part.AGAIN:
                return Thread(key, Act.OPEN)  # it was never told of: then now
            if self._book.wants(self._channel, event) and not self._settings.tracks:
                return Thread(key, act)
            return Fold("the opening never got through, so nobody waits for the end")
        if opening.state not in _FINISHED:
            now = self._clock.now()
            due = moment(opening.next_attempt_at) if opening.HasField("next_attempt_at") else now
            return Later(max(due, now) + _AFTER_OPENING)
        if not opening.digest_id or not self._settings.tracks:
            return Thread(key, act, opening.external_ref)
        return await self._follow_digest(opening, part, key)

    async def _follow_digest(
        self, opening: delivery_pb2.Delivery, part: Part, key: str
    ) -> Thread | Verdict:
        """On a channel that tracks: the opening was counted into a digest, which was opened."""
        digest = await self._gatherings.digest(opening.digest_id)
        if digest is None or digest.total == 1:
            act = Act.CLOSE if part is Part.RECOVERY else Act.ACKNOWLEDGE
            return Thread(key, Act.AGAIN if part is Part.AGAIN else act, opening.external_ref)
        if part is Part.AGAIN:
            return Thread(opening.digest_id, Act.AGAIN)
        if part is Part.ACKNOWLEDGEMENT:
            return Fold("taken up, and the others of its digest are not", opening.digest_id)
        left = await self._gatherings.end(opening.digest_id, opening.delivery_id)
        if left is None or left.tags:
            open_still = 0 if left is None else len(left.tags)
            return Fold(f"over; {open_still} others of its digest are not", opening.digest_id)
        # The key of the digest's end: another that finds nobody left closes it with the same.
        return Send(
            Thread(opening.digest_id, Act.CLOSE),
            dedup_key=delivery_id(opening.digest_id, self._channel, "end"),
        )

    def _gathers(self, event: Event, part: Part | None) -> str:
        """The gathering of those that are like this one; empty: it stands alone."""
        if part in _TROUBLES:
            cluster = event.cluster_name if event.subject_kind == "WORKSET" else ""
            return gathering_id(self._channel, "trouble", event.type, event.error_category, cluster)
        if part is Part.RECOVERY:
            return gathering_id(self._channel, "recovery", event.type)
        return ""

    def _quiet_until(self, passes: bool) -> datetime | None:  # noqa: FBT001 - what it asks
        quiet = self._settings.quiet_hours
        return None if quiet is None or passes else quiet.until(self._clock.now())

    def _rate_free_at(self, spare: int = 1) -> datetime | None:
        """When the next message may go out, if none may now.

        One place is spared for the digest of what is held back.
        """
        rate = self._settings.rate
        if rate is None:
            return None
        now = self._clock.now()
        while self._sent_at and self._sent_at[0] <= now - rate.per:
            self._sent_at.popleft()
        if len(self._sent_at) < max(rate.count - spare, 1):
            return None
        return self._sent_at[0] + rate.per
