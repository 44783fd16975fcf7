"""Named readers of the feed: one process at a time acts as one, and its position is durable."""

from dataclasses import replace
from datetime import datetime

from daylily_state.domain.errors import (
    ConsumerHeldError,
    ConsumerLostError,
    InvalidCursorError,
)
from daylily_state.domain.limits import CONSUMER_LEASE
from daylily_state.domain.records import Consumer, Position


def acquire(
    consumer: Consumer | None, name: str, owner_id: str, start: Position, now: datetime
) -> Consumer:
    """Makes `owner_id` act as the consumer. A new one stands at `start`.

    The same owner may acquire again, as its answer may have been lost; its older token ends.

    Raises:
        ConsumerHeldError: another process acts as it, and its lease is not over.
    """
    if consumer is None:
        return Consumer(name, owner_id, 1, now + CONSUMER_LEASE, start, version=1)
    if consumer.owner_id not in {"", owner_id} and consumer.expires_at > now:
        raise ConsumerHeldError(
            consumer=name,
            owner_id=consumer.owner_id,
            retry_after=consumer.expires_at - now,
        )
    return replace(
        consumer,
        owner_id=owner_id,
        token=consumer.token + 1,
        expires_at=now + CONSUMER_LEASE,
        version=consumer.version + 1,
    )


def renew(consumer: Consumer, token: int, now: datetime) -> Consumer:
    """Makes the lease last from now on; one that ran out and that nobody took can be renewed.

    Raises:
        ConsumerLostError: the token is not the current one.
    """
    _check(consumer, token)
    return replace(consumer, expires_at=now + CONSUMER_LEASE, version=consumer.version + 1)


def release(consumer: Consumer, token: int, now: datetime) -> Consumer:
    """Lets another process take over at once.

    Raises:
        ConsumerLostError: the token is not the current one.
    """
    _check(consumer, token)
    return replace(consumer, owner_id="", expires_at=now, version=consumer.version + 1)


def acknowledge(consumer: Consumer, token: int, position: Position, heads: Position) -> Consumer:
    """Moves the position on, each lane by maximum, so that it never goes back.

    Raises:
        ConsumerLostError: the token is not the current one.
        InvalidCursorError: the position lies behind the end of the feed (`heads`).
    """
    _check(consumer, token)
    if any(seq > head for seq, head in zip(position, heads, strict=True)):
        raise InvalidCursorError(field="cursor")
    merged = tuple(max(pair) for pair in zip(consumer.position, position, strict=True))
    return replace(consumer, position=merged, version=consumer.version + 1)


def within(consumer: Consumer, heads: Position) -> Consumer:
    """The consumer no further than the end of the feed (`heads`).

    It is ahead only where tables were restored from different times; left there, it would follow
    nothing and be refused for ever.
    """
    position = tuple(min(pair) for pair in zip(consumer.position, heads, strict=True))
    return replace(consumer, position=position)


def _check(consumer: Consumer, token: int) -> None:
    if not consumer.owner_id or consumer.token != token:
        raise ConsumerLostError(consumer=consumer.name)
