"""From recorded deliveries to one channel."""

import asyncio
from collections.abc import Iterable
from datetime import timedelta

import structlog
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import delivery_pb2

from daylily_client import ClaimLost, DaylilyError, InvalidArgument, NotFound, duration, timestamp
from daylily_notifier.api.convert import event_from_proto, moment
from daylily_notifier.channels.base import Channel, ChannelSettings, Delivered, RefusedError
from daylily_notifier.domain.message import render
from daylily_notifier.domain.retries import GiveUp, Refusal, RetryPolicy, TryAgain, after_refusal
from daylily_notifier.feed.process import Process
from daylily_runtime import wait_first

PENDING = delivery_pb2.DELIVERY_STATE_PENDING
DELIVERED = delivery_pb2.DELIVERY_STATE_DELIVERED
DEAD = delivery_pb2.DELIVERY_STATE_DEAD

_IDLE = 10.0
"""Seconds after which state is asked though nothing woke the worker: a delivery that was set due
again through another replica is found then."""
_SHORTEST = 0.1
_CLAIM_MARGIN = timedelta(seconds=5)
_LONGEST_PROBE_PAUSE = timedelta(seconds=30)
_ANSWER_BYTES = 1024

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class ChannelWorker:
    """Claims what is due for one channel, sends it, and records how that ended.

    While the channel refuses, one message at a time is tried, with pauses that grow.
    """

    def __init__(
        self, name: str, settings: ChannelSettings, channel: Channel, process: Process
    ) -> None:
        self._name = name
        self._settings = settings
        self._policy: RetryPolicy = settings.retry.policy
        self._channel = channel
        self._process = process
        self._state = process.state
        self._clock = process.clock
        self._lease = settings.timeout + _CLAIM_MARGIN
        self._failures = 0
        self._empty_looks = 0
        self._woken = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()

    def wake(self) -> None:
        """Something may be due."""
        self._woken.set()

    async def run(self) -> None:
        """Deliver until the process stops."""
        while not self._process.stopping.is_set():
            await wait_first(self._process.active, self._process.stopping)
            if self._process.stopping.is_set():
                return
            try:
                pause = await self._turn()
            except DaylilyError as error:
                _log.warning("deliveries_unavailable", channel=self._name, error=str(error))
                pause = self._probe_pause(1)
            await self._rest(pause)

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
        limit = 1 if self._failures else self._settings.concurrency
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
            if self._process.stopping.is_set():  # nobody waits for what would begin now
                await self._give_back(claimed.deliveries)
                return 0.0
            asked = await self._deliver_all(claimed, claimed_at)
        finally:
            self._idle.set()
        if self._failures:
            return max(self._probe_pause(self._failures), asked)
        return 0.0

    async def _rest(self, seconds: float) -> None:
        """Wait, and be woken only if the channel takes messages as far as is known."""
        if seconds <= 0:
            return
        if self._failures:
            await wait_first(self._process.stopping, self._clock.sleep(seconds))
        else:
            await wait_first(self._process.stopping, self._woken, self._clock.sleep(seconds))

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

    async def _deliver_all(
        self, claimed: state_pb2.ClaimDeliveriesResponse, claimed_at: float
    ) -> float:
        """Send all, those about one thing in order; seconds that the channel asked to be left alone."""
        groups: dict[str, list[delivery_pb2.Delivery]] = {}
        for delivery in claimed.deliveries:
            groups.setdefault(delivery.event.subject.id, []).append(delivery)
        # A message that is begun too late could outlive its claim, and be sent by another as well.
        begin_until = claimed_at + _CLAIM_MARGIN.total_seconds()
        refusals: list[Refusal] = []
        taken = 0

        async def deliver(group: list[delivery_pb2.Delivery]) -> None:
            nonlocal taken
            for index, delivery in enumerate(group):
                if self._clock.monotonic() >= begin_until:
                    await self._give_back(group[index:])
                    return
                refusal = await self._deliver(delivery)
                if refusal is None or refusal.permanent:
                    taken += 1
                else:
                    refusals.append(refusal)

        async with asyncio.TaskGroup() as tasks:
            for group in groups.values():
                tasks.create_task(deliver(group))
        self._failures = 0 if taken or not refusals else self._failures + 1
        asked = [refusal.retry_after for refusal in refusals if refusal.retry_after is not None]
        return max(asked, default=timedelta(0)).total_seconds()

    async def _give_back(self, deliveries: Iterable[delivery_pb2.Delivery]) -> None:
        """Set due as before what was claimed and not begun: in order, rather than after the lease."""
        for delivery in deliveries:
            await self._record(
                state_pb2.UpdateDeliveryRequest(
                    delivery_id=delivery.delivery_id,
                    claim_token=delivery.claim_token,
                    state=PENDING,
                    next_attempt_at=delivery.next_attempt_at,
                )
            )

    async def _deliver(self, delivery: delivery_pb2.Delivery) -> Refusal | None:
        """One attempt, and its record."""
        try:
            message = render(
                event_from_proto(delivery.event), delivery.dedup_key or delivery.delivery_id
            )
            delivered = await self._channel.send(message)
        except RefusedError as error:
            refusal = error.refusal
        except Exception as error:  # noqa: BLE001 - one faulty channel must not end the others
            _log.exception("channel_faulty", channel=self._name)
            refusal = Refusal(permanent=False, answer=repr(error))
        else:
            await self._record_delivered(delivery, delivered)
            return None
        await self._record_refusal(delivery, refusal)
        return refusal

    async def _record_delivered(
        self, delivery: delivery_pb2.Delivery, delivered: Delivered
    ) -> None:
        latency = self._clock.now() - moment(delivery.event.occurred_at)
        await self._record(
            state_pb2.UpdateDeliveryRequest(
                delivery_id=delivery.delivery_id,
                claim_token=delivery.claim_token,
                state=DELIVERED,
                answer=_fitting(delivered.answer),
                latency=duration(delivered.latency),
                external_ref=delivered.ref,
            )
        )
        self._process.stats.delivered += 1
        self._process.stats.latencies.append(latency)
        self._process.measures.delivered(self._name, latency)
        _log.info(
            "delivered",
            channel=self._name,
            delivery_id=delivery.delivery_id,
            event_id=delivery.event.event_id,
            workset_id=delivery.event.workset_id,
            ref=delivered.ref,
        )

    async def _record_refusal(self, delivery: delivery_pb2.Delivery, refusal: Refusal) -> None:
        decision = after_refusal(
            refusal,
            self._policy,
            attempts=max(delivery.attempts, 1),
            created_at=moment(delivery.created_at),
            now=self._clock.now(),
            draw=self._process.draw(),
        )
        update = state_pb2.UpdateDeliveryRequest(
            delivery_id=delivery.delivery_id, claim_token=delivery.claim_token
        )
        match decision:
            case TryAgain(at):
                update.state = PENDING
                update.next_attempt_at.CopyFrom(timestamp(at))
                update.answer = _fitting(refusal.answer)
                self._process.stats.retried += 1
                self._process.measures.retried(self._name)
            case GiveUp(why):
                update.state = DEAD
                update.answer = _fitting(why)
                self._process.stats.dead += 1
                self._process.measures.dead(self._name)
        await self._record(update)
        _log.warning(
            "refused",
            channel=self._name,
            delivery_id=delivery.delivery_id,
            event_id=delivery.event.event_id,
            attempts=delivery.attempts,
            answer=refusal.answer,
            dead=isinstance(decision, GiveUp),
        )

    async def _record(self, update: state_pb2.UpdateDeliveryRequest) -> None:
        """Write the outcome, for as long as it takes: without it the message is sent again."""
        failures = 0
        while True:
            try:
                await self._state.update_delivery(
                    delivery_id=update.delivery_id,
                    claim_token=update.claim_token,
                    state=update.state,
                    next_attempt_at=(
                        update.next_attempt_at if update.HasField("next_attempt_at") else None
                    ),
                    answer=update.answer,
                    latency=update.latency if update.HasField("latency") else None,
                    external_ref=update.external_ref,
                )
            except (ClaimLost, NotFound, InvalidArgument) as error:
                # Also what a repeat gets whose first attempt went through and lost its answer.
                _log.warning("outcome_not_recorded", channel=self._name, error=str(error))
                return
            except DaylilyError as error:
                failures += 1
                _log.warning("outcome_pending", channel=self._name, error=str(error))
                await self._clock.sleep(self._probe_pause(failures))
            else:
                return


def _fitting(answer: str) -> str:
    return answer.encode()[:_ANSWER_BYTES].decode(errors="ignore")
