"""Where a page of a list ended, as text that goes to the caller and comes back."""

import json
from typing import Any

from daylily_state.domain.errors import InvalidCursorError


def page_position(*key: object) -> str:
    """The key of the last item, in words of this store."""
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
