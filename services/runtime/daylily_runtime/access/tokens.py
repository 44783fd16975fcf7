"""Bearer tokens: 256 random bits, of which the server keeps a hash.

A slow hash such as argon2 protects passwords that can be guessed. Nobody guesses 256 bits, so
SHA-256 does, and costs a call a microsecond.
"""

import hashlib
import re
import secrets
from typing import Final

PREFIX: Final = "dlt_"
"""Begins every token, so that scanners of repositories and logs know one when they see it."""

_SCHEME: Final = "sha256:"
_HASH: Final = re.compile(r"sha256:[0-9a-f]{64}")


def new_token() -> str:
    """A token that nobody has."""
    return PREFIX + secrets.token_urlsafe(32)


def hash_of(token: str) -> str:
    """What the file of identities keeps of a token: `sha256:` and 64 hexadecimal digits."""
    return _SCHEME + hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def is_hash(text: str) -> bool:
    """Whether `text` is what `hash_of` gives."""
    return _HASH.fullmatch(text) is not None
