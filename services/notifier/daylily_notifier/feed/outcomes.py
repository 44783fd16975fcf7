"""Recording what became of a delivery."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any

import structlog
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import delivery_pb2, event_pb2

from daylily_client import ClaimLost, DaylilyError, InvalidArgument, NotFound, duration, timestamp
from daylily_notifier.api.convert import event_from_proto, moment, part_to_proto
from daylily_notifier.channels.base import Delivered
from daylily_notifier.domain.deliveries import alert_id, delivery_id
from daylily_notifier.domain.episodes import Part
from daylily_notifier.domain.message import headline_of
from daylily_notifier.domain.retries import GiveUp, Refusal, RetryPolicy, TryAgain, after_refusal
from daylily_notifier.feed.book import Book
from daylily_notifier.feed.process import Process

PENDING = delivery_pb2.DELIVERY_STATE_PENDING
DELIVERED = delivery_pb2.DELIVERY_STATE_DELIVERED
DEAD = delivery_pb2.DELIVERY_STATE_DEAD
FOLDED = delivery_pb2.DELIVERY_STATE_FOLDED

REPEATED = "a repeat: counted in its episode"
"""What is answered to a delivery that only says once more what was told."""

_LONGEST_PAUSE = timedelta(seconds=30)
_ANSWER_BYTES = 1024
_REASON_BYTES = 256

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Outcomes:
    """Writes the outcomes of one channel's deliveries, and counts them."""

    def __init__(self, channel: str, policy: RetryPolicy, process: Process, book: Book) -> None:
        self._channel = channel
        self._policy = policy
        self._process = process
        self._state = process.state
        self._clock = process.clock
        self._book = book

    async def delivered(
        self, delivery: delivery_pb2.Delivery, done: Delivered, digest_id: str = ""
    ) -> None:
        """The channel took it."""
        latency = self._clock.now() - moment(delivery.event.occurred_at)
        await self._record(
            state_pb2.UpdateDeliveryRequest(
                delivery_id=delivery.delivery_id,
                claim_token=delivery.claim_token,
                state=DELIVERED,
                answer=_fitting(done.answer, _ANSWER_BYTES),
                latency=duration(done.latency),
                external_ref=_fitting(done.ref, _ANSWER_BYTES),
                digest_id=digest_id,
            )
        )
        self._process.stats.delivered += 1
        self._process.stats.latencies.append(latency)
        self._process.measures.delivered(self._channel, latency, done.latency)
        _log.info(
            "delivered",
            channel=self._channel,
            delivery_id=delivery.delivery_id,
            event_id=delivery.event.event_id,
            workset_id=delivery.event.workset_id,
            ref=done.ref,
        )

    async def folded(self, delivery: delivery_pb2.Delivery, why: str, digest_id: str = "") -> None:
        """It is not sent by itself, and this says why."""
        await self._record(
            state_pb2.UpdateDeliveryRequest(
                delivery_id=delivery.delivery_id,
                claim_token=delivery.claim_token,
                state=FOLDED,
                answer=_fitting(why, _ANSWER_BYTES),
                digest_id=digest_id,
            )
        )
        self._process.measures.folded(self._channel)

    async def put_off(
        self, delivery: delivery_pb2.Delivery, until: datetime | None, digest_id: str = ""
    ) -> None:
        """It is due again then; as before without a time."""
        await self._record(
            state_pb2.UpdateDeliveryRequest(
                delivery_id=delivery.delivery_id,
                claim_token=delivery.claim_token,
                state=PENDING,
                next_attempt_at=delivery.next_attempt_at if until is None else timestamp(until),
                digest_id=digest_id,
            )
        )

    async def refused(self, delivery: delivery_pb2.Delivery, refusal: Refusal) -> None:
        """The channel did not take it: it is tried again, or given up."""
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
                update.answer = _fitting(refusal.answer, _ANSWER_BYTES)
                self._process.stats.retried += 1
                self._process.measures.retried(self._channel)
            case GiveUp(why):
                update.state = DEAD
                update.answer = _fitting(why, _ANSWER_BYTES)
                # Before it is given up: a notifier that dies in between alerts again, and once.
                await self._alert(delivery, why)
                self._process.stats.dead += 1
                self._process.measures.dead(self._channel)
        await self._record(update)
        _log.warning(
            "refused",
            channel=self._channel,
            delivery_id=delivery.delivery_id,
            event_id=delivery.event.event_id,
            attempts=delivery.attempts,
            answer=refusal.answer,
            dead=isinstance(decision, GiveUp),
        )

    async def _alert(self, dead: delivery_pb2.Delivery, why: str) -> None:
        """Tell the other channels that this one gave a message up."""
        if dead.event.event_id.startswith(alert_id("")):
            return  # two channels that are both away would tell each other for ever
        others = [name for name in self._book.config.dead_letters if name != self._channel]
        about = headline_of(event_from_proto(dead.event))
        event = event_pb2.Event(
            event_id=alert_id(dead.delivery_id),
            subject=event_pb2.Subject(
                kind=event_pb2.SUBJECT_KIND_SYSTEM, id=f"channel-{self._channel}"
            ),
            version=1,
            type=event_pb2.EVENT_TYPE_EXTERNAL,
            occurred_at=timestamp(self._clock.now()),
            actor="notifier",
            reason=_fitting(f"Channel {self._channel} gave up on: {about}", _REASON_BYTES),
            error_details=_fitting(why, _REASON_BYTES),
            priority=dead.event.priority,
        )
        event.details.update({"delivery_id": dead.delivery_id})
        alerts = [
            delivery_pb2.Delivery(
                delivery_id=delivery_id(event.event_id, name),
                channel=name,
                event=event,
                dedup_key=delivery_id(event.event_id, name),
                next_attempt_at=event.occurred_at,
                episode_part=part_to_proto(Part.OPENING),
                opening_event_id=event.event_id,
            )
            for name in others
        ]
        if alerts:
            await self._insist(lambda: self._state.put_deliveries(deliveries=alerts))

    async def _record(self, update: state_pb2.UpdateDeliveryRequest) -> None:
        """Write the outcome, for as long as it takes: without it the message is sent again."""
        await self._insist(
            lambda: self._state.update_delivery(
                delivery_id=update.delivery_id,
                claim_token=update.claim_token,
                state=update.state,
                next_attempt_at=(
                    update.next_attempt_at if update.HasField("next_attempt_at") else None
                ),
                answer=update.answer,
                latency=update.latency if update.HasField("latency") else None,
                external_ref=update.external_ref,
                digest_id=update.digest_id,
            )
        )

    async def _insist(self, write: Callable[[], Awaitable[Any]]) -> None:
        failures = 0
        while True:
            try:
                await write()
            except (ClaimLost, NotFound, InvalidArgument) as error:
                # Also what a repeat gets whose first attempt went through and lost its answer.
                _log.warning("outcome_not_recorded", channel=self._channel, error=str(error))
                return
            except DaylilyError as error:
                failures += 1
                _log.warning("outcome_pending", channel=self._channel, error=str(error))
                pause = self._policy.pause(failures, self._process.draw())
                await self._clock.sleep(min(pause, _LONGEST_PAUSE).total_seconds())
            else:
                return


def _fitting(text: str, limit: int) -> str:
    return text.encode()[:limit].decode(errors="ignore")
