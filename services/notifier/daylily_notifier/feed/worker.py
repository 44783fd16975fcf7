"""From recorded deliveries to one channel."""

import asyncio
from collections.abc import Awaitable, Iterable, Sequence
from datetime import timedelta

import structlog
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import delivery_pb2

from daylily_client import DaylilyError, duration
from daylily_notifier.api.convert import episode_from_proto, event_from_proto, moment
from daylily_notifier.channels.base import Channel, ChannelSettings, RefusedError
from daylily_notifier.domain.episodes import Act, Episode
from daylily_notifier.domain.retries import Refusal, RetryPolicy
from daylily_notifier.feed.book import Book
from daylily_notifier.feed.composing import Composer
from daylily_notifier.feed.gathering import Gatherings
from daylily_notifier.feed.judging import Count, Fold, Judge, Later, Send, carries
from daylily_notifier.feed.outcomes import Outcomes
from daylily_notifier.feed.process import Process
from daylily_runtime import wait_first

_IDLE = 10.0
"""Seconds after which state is asked though nothing woke the worker: a delivery that was set due
again through another replica is found then."""
_SHORTEST = 0.1
_CLAIM_MARGIN = timedelta(seconds=5)
_LONGEST_PROBE_PAUSE = timedelta(seconds=30)
_PUT_OFF = 2.0
"""Seconds for which a delivery waits that could not be decided about."""
_MANY = 100
"""So many are claimed at once where the last ones were not sent but counted, which is quick."""

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ChannelWorker:
    """Claims what is due for one channel, sends or counts it, and records how that ended.

    While the channel refuses, one message at a time is tried, with pauses that grow.
    """

    def __init__(
        self, name: str, settings: ChannelSettings, channel: Channel, process: Process, book: Book
    ) -> None:
        self._name = name
        self._settings = settings
        self._policy: RetryPolicy = settings.retry.policy
        self._channel = channel
        self._process = process
        self._state = process.state
        self._clock = process.clock
        self._lease = settings.timeout + _CLAIM_MARGIN
        self._outcomes = Outcomes(name, self._policy, process, book)
        self._gatherings = Gatherings(process)
        self._judge = Judge(name, settings, process, self._gatherings, book)
        self._composer = Composer(settings, process.base_url)
        self._free = asyncio.Semaphore(settings.concurrency)
        self._limit = settings.concurrency
        self._late = False
        self._retired = asyncio.Event()
        self._failures = 0
        self._empty_looks = 0
        self._woken = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until the process stops or this worker is retired."""
        while not self._ends():
            if not self._process.active.is_set():
                self._judge.hand_over()
            await wait_first(self._process.active, self._process.stopping, self._retired)
            if self._ends():
                return
            try:
                pause = await self._turn()
            except DaylilyError as error:
                _log.warning("deliveries_unavailable", channel=self._name, error=str(error))
                pause = self._probe_pause(1)
            await self._rest(pause)

    def retire(self) -> None:
        """Begin nothing new: the channel is another one from now on."""
        self._retired.set()

    def _ends(self) -> bool:
        return self._process.stopping.is_set() or self._retired.is_set()

    async def drained(self) -> None:
        """Return when nothing is under way: after `stopping`, so that no sent message is unrecorded."""
        await self._idle.wait()

    async def _turn(self) -> float:
        """Deliver what is due now, and say for how many seconds there is nothing to do."""
        if self._woken.is_set():
            self._woken.clear()
            self._empty_looks = 0
        if await self._process.pauses.get(self._state, self._name) is not None:
            return _IDLE
        limit = 1 if self._failures else self._limit
        claimed_at = self._clock.monotonic()
        claimed = await self._state.claim_deliveries(
            channel=self._name,
            owner_id=self._process.owner_id,
            limit=limit,
            lease=duration(self._lease),
        )
        if not claimed.deliveries:
            return self._until_next_look(claimed)
        self._empty_looks = 0
        self._idle.clear()
        try:
            if self._ends():  # nobody waits for what would begin now
                await self._give_back(claimed.deliveries)
                return 0.0
            sends = await self._settle(claimed.deliveries)
            self._late = False
            asked = await self._send_all(sends, claimed_at)
            self._limit = self._next_limit(limit, counted=len(sends) < len(claimed.deliveries))
        finally:
            self._idle.set()
        if self._failures and sends:
            return max(self._probe_pause(self._failures), asked)
        return 0.0

    def _next_limit(self, limit: int, *, counted: bool) -> int:
        """How many to claim next: fewer when some could not be begun in time, as all could be late
        again; more, up to a bound, where they are counted rather than sent.
        """
        if self._late:
            return max(1, limit // 2)
        return min(_MANY if counted else self._settings.concurrency, 2 * self._limit)

    async def _rest(self, seconds: float) -> None:
        """Wait, and be woken only if the channel takes messages as far as is known."""
        if seconds <= 0:
            return
        if self._failures:
            await wait_first(self._process.stopping, self._retired, self._clock.sleep(seconds))
        else:
            await wait_first(
                self._process.stopping, self._retired, self._woken, self._clock.sleep(seconds)
            )

    def _until_next_look(self, claimed: state_pb2.ClaimDeliveriesResponse) -> float:
        """Pauses that double from short to long: an index of state's store may show what was just
        recorded a moment later, or show for a moment what is no longer due.
        """
        pause = min(_SHORTEST * 2.0**self._empty_looks, _IDLE)
        self._empty_looks = min(self._empty_looks + 1, 16)
        if not claimed.HasField("next_due_at"):
            return pause
        due_in = (moment(claimed.next_due_at) - self._clock.now()).total_seconds()
        return min(due_in, pause) if due_in > 0 else pause

    def _probe_pause(self, failures: int) -> float:
        pause = self._policy.pause(failures, self._process.draw())
        return min(pause, _LONGEST_PROBE_PAUSE).total_seconds()

    async def _settle(
        self, deliveries: Sequence[delivery_pb2.Delivery]
    ) -> list[tuple[delivery_pb2.Delivery, Send]]:
        """Deal with all that is not sent by itself, and give what is.

        Carriers come last: what is counted into a digest has to be in it before it is sealed.
        """
        carriers = [each for each in deliveries if carries(each)]
        others = [each for each in deliveries if not carries(each)]
        return [*await self._decide(others), *await self._decide(carriers)]

    async def _decide(
        self, deliveries: Iterable[delivery_pb2.Delivery]
    ) -> list[tuple[delivery_pb2.Delivery, Send]]:
        sends: list[tuple[delivery_pb2.Delivery, Send]] = []
        counts: dict[str, list[delivery_pb2.Delivery]] = {}
        records: list[Awaitable[None]] = []
        for delivery in deliveries:
            try:
                verdict = await self._judge.judge(delivery)
            except DaylilyError as error:
                _log.warning("delivery_not_judged", channel=self._name, error=str(error))
                verdict = Later(self._clock.now() + timedelta(seconds=_PUT_OFF))
            match verdict:
                case Send():
                    self._judge.sent()
                    sends.append((delivery, verdict))
                case Fold(why, digest_id):
                    records.append(self._outcomes.folded(delivery, why, digest_id))
                case Later(at, digest_id):
                    records.append(self._outcomes.put_off(delivery, at, digest_id))
                case Count(gathering_id):
                    counts.setdefault(gathering_id, []).append(delivery)
        await asyncio.gather(*records)
        for gathering_id, members in counts.items():
            await self._count(gathering_id, members)
        return sends

    async def _count(self, gathering_id: str, members: list[delivery_pb2.Delivery]) -> None:
        """Count these into a digest. Its carrier is due again at once, behind all that waits, and only
        when the others are marked: it is not sent while one of them could be counted anew.
        """
        held = gathering_id == self._judge.held
        try:
            counted = await self._gatherings.count(
                gathering_id,
                members,
                None if held else self._settings.digest,
                self._judge.why_held(gathering_id),
            )
        except DaylilyError as error:
            _log.warning("digest_not_kept", channel=self._name, error=str(error))
            later = self._clock.now() + timedelta(seconds=_PUT_OFF)
            await asyncio.gather(*(self._outcomes.put_off(each, later) for each in members))
            return
        for into in counted:
            await asyncio.gather(
                *(
                    self._outcomes.folded(each, "counted into a digest", into.digest)
                    for each in into.deliveries
                    if each.delivery_id != into.carrier
                )
            )
            for each in into.deliveries:
                if each.delivery_id == into.carrier:
                    await self._outcomes.put_off(each, self._clock.now(), into.digest)

    async def _send_all(
        self, sends: list[tuple[delivery_pb2.Delivery, Send]], claimed_at: float
    ) -> float:
        """Send all, those about one thing in order; seconds that the channel asked to be left alone."""
        groups: dict[str, list[tuple[delivery_pb2.Delivery, Send]]] = {}
        for delivery, how in sends:
            groups.setdefault(delivery.event.subject.id, []).append((delivery, how))
        # A message that is begun too late could outlive its claim, and be sent by another as well.
        begin_until = claimed_at + _CLAIM_MARGIN.total_seconds()
        refusals: list[Refusal] = []
        taken = 0

        async def deliver(group: list[tuple[delivery_pb2.Delivery, Send]]) -> None:
            nonlocal taken
            for index, (delivery, how) in enumerate(group):
                async with self._free:
                    if self._clock.monotonic() >= begin_until:
                        self._late = True
                        await self._give_back(each for each, _ in group[index:])
                        return
                    refusal = await self._deliver(delivery, how)
                if refusal is None or refusal.permanent:
                    taken += 1
                else:
                    refusals.append(refusal)

        async with asyncio.TaskGroup() as tasks:
            for group in groups.values():
                tasks.create_task(deliver(group))
        if taken:
            self._failures = 0
        elif refusals:
            self._failures += 1
        asked = [refusal.retry_after for refusal in refusals if refusal.retry_after is not None]
        return max(asked, default=timedelta(0)).total_seconds()

    async def _give_back(self, deliveries: Iterable[delivery_pb2.Delivery]) -> None:
        """Set due as before what was claimed and not begun: in order, rather than after the lease."""
        for delivery in deliveries:
            await self._outcomes.put_off(delivery, None)

    async def _deliver(self, delivery: delivery_pb2.Delivery, how: Send) -> Refusal | None:
        """One attempt, and its record."""
        try:
            episode = await self._episode_of(delivery, how)
            message = self._composer.compose(
                event_from_proto(delivery.event),
                how,
                how.dedup_key or delivery.dedup_key or delivery.delivery_id,
                episode,
            )
            done = await self._channel.send(message)
        except RefusedError as error:
            refusal = error.refusal
        except Exception as error:  # noqa: BLE001 - one faulty channel must not end the others
            _log.exception("channel_faulty", channel=self._name)
            refusal = Refusal(permanent=False, answer=repr(error))
        else:
            await self._outcomes.delivered(delivery, done, how.digest_id)
            return None
        await self._outcomes.refused(delivery, refusal)
        return refusal

    async def _episode_of(self, delivery: delivery_pb2.Delivery, how: Send) -> Episode | None:
        """The episode, for a message that says how it went on."""
        if how.digest is not None or not delivery.episode_id or how.thread is None:
            return None
        if how.thread.act is Act.OPEN:
            return None
        try:
            answer = await self._state.get_episode(episode_id=delivery.episode_id)
        except DaylilyError:
            return None  # the message does without
        return episode_from_proto(answer.episode)
