"""Records to bytes and back (JSON), and times to whole microseconds."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

from daylily_state.domain.errors import InvalidCursorError

T = TypeVar("T")

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_encoder = msgspec.json.Encoder()
_decoders: dict[type, msgspec.json.Decoder[Any]] = {}


def encode(record: object) -> bytes:
    """A record's bytes."""
    return _encoder.encode(record)


def decode(kind: type[T], data: bytes) -> T:
    """The record that `encode` made these bytes of."""
    decoder = _decoders.get(kind)
    if decoder is None:
        decoder = _decoders[kind] = msgspec.json.Decoder(kind)
    record: T = decoder.decode(data)
    return record


def micros(moment: datetime) -> int:
    """Whole microseconds since 1970, exact."""
    return (moment - _EPOCH) // _MICROSECOND


def micros_or_none(moment: datetime | None) -> int | None:
    return None if moment is None else micros(moment)


def page_position(*key: object) -> str:
    """Where a page ended, in words of this store."""
    return json.dumps(key, separators=(",", ":"))


def read_position(after: str | None, *kinds: type) -> tuple[Any, ...] | None:
    """The key that `page_position` was given.

    Raises:
        InvalidCursorError: it was not.
    """
    if after is None:
        return None
    try:
        key = json.loads(after)
    except ValueError:
        raise InvalidCursorError(field="page_token") from None
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise InvalidCursorError(field="page_token")
    return tuple(key)
