"""Cursors and page tokens: opaque outside, checked when they come back."""

from base64 import urlsafe_b64decode, urlsafe_b64encode
from binascii import Error as BadBase64
from hashlib import sha256
from typing import Final
from zlib import crc32

from daylily_state.domain.errors import InvalidCursorError
from daylily_state.domain.model import LANES
from daylily_state.domain.records import Position

BEGINNING: Final[Position] = (0,) * LANES

_CURSOR: Final = b"C1"
_PAGE: Final = b"P1"
_MORE: Final = 0x80
_SEQ_BYTES_MAX: Final = 10


def encode(position: Position) -> str:
    """The cursor of a position: sixteen variable-length numbers and a checksum, in base64."""
    return _seal(_CURSOR, b"".join(map(_varint, position)))


def decode(text: str, field: str = "cursor") -> Position:
    """The position of a cursor.

    Raises:
        InvalidCursorError: naming `field`, if `encode` did not make it.
    """
    numbers = _varints(_unseal(_CURSOR, text, field))
    if numbers is None or len(numbers) != LANES:
        raise InvalidCursorError(field=field)
    return tuple(numbers)


def encode_page(call: str, after: str | None) -> str:
    """The token of the next page of a call (its name and filters in words); empty after the last."""
    if after is None:
        return ""
    return _seal(_PAGE, _digest(call) + after.encode())


def decode_page(call: str, token: str) -> str | None:
    """Where the list goes on; None for its beginning.

    Raises:
        InvalidCursorError: the token is of another call or of other filters.
    """
    if not token:
        return None
    body = _unseal(_PAGE, token, "page_token")
    if body[:8] != _digest(call):
        raise InvalidCursorError(field="page_token")
    try:
        return body[8:].decode()
    except UnicodeDecodeError:
        raise InvalidCursorError(field="page_token") from None


def _digest(call: str) -> bytes:
    return sha256(call.encode()).digest()[:8]


def _seal(kind: bytes, body: bytes) -> str:
    sealed = kind + body
    check = crc32(sealed).to_bytes(4, "big")
    return urlsafe_b64encode(sealed + check).rstrip(b"=").decode()


def _unseal(kind: bytes, text: str, field: str) -> bytes:
    try:
        raw = urlsafe_b64decode(text.encode("ascii") + b"=" * (-len(text) % 4))
    except (BadBase64, UnicodeEncodeError):
        raise InvalidCursorError(field=field) from None
    sealed, check = raw[:-4], raw[-4:]
    if not sealed.startswith(kind) or crc32(sealed).to_bytes(4, "big") != check:
        raise InvalidCursorError(field=field)
    return sealed[len(kind) :]


def _varint(number: int) -> bytes:
    out = bytearray()
    while number >= _MORE:
        out.append(number & 0x7F | _MORE)
        number >>= 7
    out.append(number)
    return bytes(out)


def _varints(data: bytes) -> list[int] | None:
    numbers: list[int] = []
    number = shift = 0
    for byte in data:
        number |= (byte & 0x7F) << shift
        shift += 7
        if shift > 7 * _SEQ_BYTES_MAX:
            return None
        if not byte & _MORE:
            numbers.append(number)
            number = shift = 0
    return None if shift else numbers
