"""The identity of a delivery."""

import hashlib


def delivery_id(event_id: str, channel: str) -> str:
    """The one id of this event on its way to this channel.

    It follows from the two alone, so an event that is read again after a crash makes no second
    delivery, and a channel that drops repeats can be given it as the key: 32 hex digits fit every
    such field.
    """
    return hashlib.sha256(f"{event_id}\0{channel}".encode()).hexdigest()[:32]
