"""Where a page of a list ended, as text that goes to the caller and comes back."""

import json
from typing import Any, Final

from daylily_state.domain.errors import InvalidCursorError

# Numbers of keys are ranks and microseconds since 1970 (or the negative), up to the year 2286.
_NUMBER_MOST: Final = 10**16 - 1


def page_position(*key: object) -> str:
    """The key of the last item, in words of a store."""
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
    except (ValueError, RecursionError):
        raise InvalidCursorError(field="page_token") from None
    if not isinstance(key, list) or [type(part) for part in key] != list(kinds):
        raise InvalidCursorError(field="page_token")
    if any(isinstance(part, int) and abs(part) > _NUMBER_MOST for part in key):
        raise InvalidCursorError(field="page_token")
    return tuple(key)
