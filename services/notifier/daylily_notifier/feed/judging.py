"""What becomes of a delivery that is due: sent, held back, counted into another, or left out."""

from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeAlias

from daylily.workset.v1 import delivery_pb2

from daylily_client import EpisodeNotFound, NotFound
from daylily_notifier.api.convert import (
    episode_from_proto,
    event_from_proto,
    moment,
    part_from_proto,
)
from daylily_notifier.channels.base import ChannelSettings
from daylily_notifier.config.flow import Rate
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
from daylily_notifier.feed.outcomes import REPEATED
from daylily_notifier.feed.process import Process

_AFTER_ANOTHER = timedelta(seconds=2)
_DEAD = delivery_pb2.DELIVERY_STATE_DEAD
_PAGE = 500
_TROUBLES = frozenset({Part.OPENING, Part.AGAIN})
_FOLLOWING = frozenset({Part.AGAIN, Part.ACKNOWLEDGEMENT, Part.RECOVERY})
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
        self._sent_at: deque[datetime] | None = None
        self.held = gathering_id(channel, "held")

    async def judge(self, delivery: delivery_pb2.Delivery) -> Verdict:
        """What becomes of this delivery now.

        Raises:
            DaylilyError: state does not say.
        """
        if self._settings.rate is not None and self._sent_at is None:
            self._sent_at = await self._sent_before(self._settings.rate)
        if delivery.digest_id:
            if carries(delivery):
                return await self._carry(delivery)
            return Count(delivery.digest_id)
        event = event_from_proto(delivery.event)
        part = part_from_proto(delivery)
        if part is Part.REPEAT:
            return Fold(REPEATED)  # recorded before repeats were kept as folded
        thread = self._opening(delivery) if part is Part.OPENING else None
        if part in _FOLLOWING:
            found = await self._follow(delivery, event, part)
            if not isinstance(found, Thread):
                return found
            thread = found
        if self._settings.tracks and thread is not None and thread.act is not Act.OPEN:
            return Send(thread)  # it goes to what is open there, and disturbs nobody
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
        if self._sent_at is not None:
            self._sent_at.append(self._clock.now())

    def hand_over(self) -> None:
        """Another notifier may send from now on: what it sends is to be counted as well."""
        self._sent_at = None

    async def _sent_before(self, rate: Rate) -> deque[datetime]:
        """When the last messages went out, by this notifier or another, as the records have it: a
        restart is no second helping.
        """
        answer = await self._state.list_deliveries(
            channel=self._channel,
            states=[delivery_pb2.DELIVERY_STATE_DELIVERED],
            page_size=min(2 * rate.count, _PAGE),
        )
        since = self._clock.now() - rate.per
        sent = sorted(moment(each.updated_at) for each in answer.deliveries)
        return deque(at for at in sent if at > since)

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
        opening = await self._delivery_of(delivery.opening_event_id)
        if opening is None or opening.state == _DEAD:
            if part is Part.AGAIN:
                return Thread(key, Act.OPEN)  # it was never told of: then now
            if self._book.wants(self._channel, event) and not self._settings.tracks:
                return Thread(key, act)
            return Fold("the opening never got through, so nobody waits for the end")
        before: delivery_pb2.Delivery | None = opening
        if opening.state in _FINISHED:
            before = await self._before(delivery, event)
        if before is not None and before.state not in {*_FINISHED, _DEAD}:
            now = self._clock.now()
            due = moment(before.next_attempt_at) if before.HasField("next_attempt_at") else now
            return Later(max(due, now) + _AFTER_ANOTHER)
        if not opening.digest_id or not self._settings.tracks:
            return Thread(key, act, opening.external_ref)
        return await self._follow_digest(delivery, opening, part, key)

    async def _before(
        self, delivery: delivery_pb2.Delivery, event: Event
    ) -> delivery_pb2.Delivery | None:
        """What this channel is told of the same trouble between its opening and this event.

        Nothing may overtake it: a failure that is told after the recovery would be open for ever.
        """
        try:
            row = (await self._state.get_episode(episode_id=delivery.episode_id)).episode
        except EpisodeNotFound:
            return None
        episode = episode_from_proto(row)
        if episode.opened_at > event.occurred_at:
            return None  # the next trouble of this cause: the one before is over
        for event_id in reversed(episode.counted_before(event)):
            if event_id == delivery.opening_event_id:
                return None
            found = await self._delivery_of(event_id)
            if found is not None and part_from_proto(found) is not Part.REPEAT:
                return found  # what comes before that one is waited for by it
        return None

    async def _delivery_of(self, event_id: str) -> delivery_pb2.Delivery | None:
        try:
            key = delivery_id(event_id, self._channel)
            return (await self._state.get_delivery(delivery_id=key)).delivery
        except NotFound:
            return None

    async def _follow_digest(
        self,
        delivery: delivery_pb2.Delivery,
        opening: delivery_pb2.Delivery,
        part: Part,
        key: str,
    ) -> Thread | Verdict:
        """On a channel that tracks: the opening was counted into a digest, which was opened."""
        digest = await self._gatherings.digest(opening.digest_id)
        if digest is None or digest.total == 1:
            act = Act.CLOSE if part is Part.RECOVERY else Act.ACKNOWLEDGE
            return Thread(key, Act.AGAIN if part is Part.AGAIN else act, opening.external_ref)
        if part is Part.AGAIN:
            return await self._again_in_digest(delivery, opening.digest_id)
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

    async def _again_in_digest(
        self, delivery: delivery_pb2.Delivery, digest: str
    ) -> Thread | Verdict:
        """The first that fails again is told to what is open for all of them; those that follow it
        within the window would only say the same.
        """
        if self._settings.digest is not None:
            reason = gathering_id(self._channel, "again", digest)
            turn = await self._gatherings.begin(reason, delivery.delivery_id, self._settings.digest)
            if turn is not None:
                return Fold("it failed again, as others of its digest did", digest)
        return Thread(digest, Act.AGAIN)

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
        if rate is None or self._sent_at is None:
            return None
        now = self._clock.now()
        while self._sent_at and self._sent_at[0] <= now - rate.per:
            self._sent_at.popleft()
        if len(self._sent_at) < max(rate.count - spare, 1):
            return None
        return self._sent_at[0] + rate.per
