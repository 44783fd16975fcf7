"""What every call has in common: who asks, how long a page is, which view."""

from typing import TYPE_CHECKING, Final, TypeAlias

from daylily.workset.v1 import workset_pb2

from daylily_state.api import answers
from daylily_state.app.worksets import View
from daylily_state.domain.limits import PAGE_DEFAULT, PAGE_MAX

if TYPE_CHECKING:
    from daylily.state.v1 import state_pb2_grpc

# The identity that a call is made under, as the caller says: access control is not built yet.
ACTOR_KEY: Final = "x-daylily-actor"
ANONYMOUS: Final = "anonymous"

# The generated stubs have a type of their own for it, and only for the type checker.
Context: TypeAlias = "state_pb2_grpc._ServicerContext"  # noqa: SLF001
FULL: Final = workset_pb2.WORKSET_VIEW_FULL
BASIC: Final = workset_pb2.WORKSET_VIEW_BASIC


def actor(context: Context) -> str:
    """Who asks."""
    for key, value in context.invocation_metadata() or ():
        if key == ACTOR_KEY and isinstance(value, str) and value:
            return value
    return ANONYMOUS


def page_size(wanted: int) -> int:
    """How many items a page has; more than the most is cut to it (AIP-158)."""
    return min(wanted or PAGE_DEFAULT, PAGE_MAX)


def workset(view: View) -> workset_pb2.Workset:
    """The message of a workset with as many parts as the view has."""
    return answers.workset(view.workset, view.details, view.metadata, view.results)
