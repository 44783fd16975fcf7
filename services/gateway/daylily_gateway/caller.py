"""Who makes the request under way: passed on to the services, which decide what that may do."""

from contextvars import ContextVar
from dataclasses import dataclass

ACTOR = "gateway"
"""The name under which unnamed callers act, where services ask nobody for proof."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Attributes:
    token: the bearer token as it came; empty for none.
    actor: who the caller says it is; services that ask for proof do not believe it.
    """

    token: str = ""
    actor: str = ACTOR


_NOBODY = Caller()
_current: ContextVar[Caller] = ContextVar("daylily_gateway_caller", default=_NOBODY)


def enter(caller: Caller) -> None:
    """Make it the caller for the rest of this task."""
    _current.set(caller)


def token() -> str:
    """The token of the request under way, for the clients of the services."""
    return _current.get().token


def actor() -> str:
    """The name of the caller of the request under way, for the clients of the services."""
    return _current.get().actor
