"""The identities of deliveries, episodes and digests: they follow from what they are for.

So what is read again after a crash makes no second one, and a channel that drops repeats can be
given them as keys: 32 hex digits fit every such field.
"""

import hashlib


def delivery_id(event_id: str, channel: str, cause: str = "") -> str:
    """The one id of this event on its way to this channel.

    `cause` tells apart the deliveries of an event that ends several troubles there.
    """
    return _digest(event_id, channel, cause) if cause else _digest(event_id, channel)


def episode_id(subject_kind: str, subject_id: str, cause: str) -> str:
    """The id under which the latest episode of this cause is kept."""
    return _digest("episode", subject_kind, subject_id, cause)


def thread_key(opening_event_id: str, channel: str) -> str:
    """What the messages of one episode have in common on a channel."""
    return _digest("thread", opening_event_id, channel)


def gathering_id(channel: str, *what: str) -> str:
    """The id under which a channel keeps what it gathers for one reason."""
    return _digest("gathering", channel, *what)


def digest_id(carrier_id: str) -> str:
    """The id of the digest that this delivery carries."""
    return _digest("digest", carrier_id)


def alert_id(dead_id: str) -> str:
    """The id of the event that says that this delivery was given up."""
    return f"dead-{dead_id}"


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()[:32]
