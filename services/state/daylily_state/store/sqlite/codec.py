"""Records to bytes and back (JSON), and times to whole microseconds."""

from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec

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
