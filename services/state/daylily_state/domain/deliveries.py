"""Deliveries of the notifier: claimed for a lease, then marked by whoever has the claim."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from daylily_state.domain.errors import ClaimLostError
from daylily_state.domain.records import Delivery, DeliveryState

_FINISHED: Final = frozenset(
    {
        DeliveryState.DELIVERED,
        DeliveryState.DEAD,
        DeliveryState.FOLDED,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Marking:
    """How an attempt ended. Empty texts keep what was there."""

    delivery_id: str
    claim_token: int
    state: DeliveryState
    next_attempt_at: datetime | None = None
    answer: str = ""
    latency: timedelta | None = None
    external_ref: str = ""
    episode_id: str = ""
    digest_id: str = ""


def claim(delivery: Delivery, owner_id: str, lease: timedelta, now: datetime) -> Delivery | None:
    """The delivery in the hands of `owner_id`; None if it is not due."""
    if delivery.due_at is None or delivery.due_at > now:
        return None
    return replace(
        delivery,
        state=DeliveryState.CLAIMED,
        attempts=delivery.attempts + 1,
        claim_token=delivery.claim_token + 1,
        claimed_by=owner_id,
        claim_expires_at=now + lease,
        updated_at=now,
        version=delivery.version + 1,
    )


def mark(delivery: Delivery, marking: Marking, now: datetime) -> Delivery:
    """The delivery after an attempt, or (token 0) a finished one set PENDING again.

    Raises:
        ClaimLostError: the token is not that of the present claim.
    """
    again = marking.claim_token == 0
    if again:
        allowed = delivery.state in _FINISHED and marking.state is DeliveryState.PENDING
    else:
        allowed = (
            delivery.state is DeliveryState.CLAIMED and delivery.claim_token == marking.claim_token
        )
    if not allowed:
        raise ClaimLostError(delivery_id=delivery.delivery_id)
    pending = marking.state is DeliveryState.PENDING
    return replace(
        delivery,
        state=marking.state,
        attempts=0 if again else delivery.attempts,
        next_attempt_at=(marking.next_attempt_at or now) if pending else None,
        answer=marking.answer or delivery.answer,
        latency=marking.latency if marking.latency is not None else delivery.latency,
        external_ref=marking.external_ref or delivery.external_ref,
        episode_id=marking.episode_id or delivery.episode_id,
        # Who sends it again by hand wants it for itself.
        digest_id="" if again else marking.digest_id or delivery.digest_id,
        claimed_by="",
        claim_expires_at=None,
        updated_at=now,
        version=delivery.version + 1,
    )
