"""What every call has in common: who asks, how long a page is, which view."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from itertools import accumulate
from typing import TYPE_CHECKING, Final, TypeAlias

from daylily.workset.v1 import workset_pb2

from daylily_runtime.calls import ANONYMOUS, current_call
from daylily_state.api import answers
from daylily_state.app.queries import View
from daylily_state.domain.limits import PAGE_DEFAULT, PAGE_MAX

if TYPE_CHECKING:
    from daylily.state.v1 import state_pb2_grpc

# The generated stubs have a type of their own for it, and only for the type checker.
Context: TypeAlias = "state_pb2_grpc._ServicerContext"  # noqa: SLF001

# What the worksets of one answer may weigh: clients take 4 MiB by default. A single one always fits.
_ANSWER_BYTES: Final = 4 * 1024 * 1024 - 64 * 1024
_FRAME_BYTES: Final = 8  # around each of them
# Whole worksets are large; more than these are not even read at once.
_WHOLE_AT_ONCE: Final = 30


def actor(context: Context) -> str:
    """Who asks, as the audit trail records it."""
    del context
    call = current_call()
    return call.actor if call is not None else ANONYMOUS


def page_size(wanted: int) -> int:
    """How many items a page has; more than the most is cut to it (AIP-158)."""
    return min(wanted or PAGE_DEFAULT, PAGE_MAX)


def workset(view: View) -> workset_pb2.Workset:
    """The message of a workset with as many parts as the view has."""
    return answers.workset(view.workset, view.details, view.metadata, view.results, view.wishes)


def how_many_fit(messages: Iterable[workset_pb2.Workset]) -> int:
    """How many of these, from the first on, one answer can carry."""
    sizes = accumulate(message.ByteSize() + _FRAME_BYTES for message in messages)
    return sum(size <= _ANSWER_BYTES for size in sizes)


async def page_that_fits(
    ask: Callable[[int], Awaitable[tuple[Sequence[View], str]]], wanted: int, *, whole: bool
) -> tuple[Sequence[workset_pb2.Workset], str]:
    """A page of worksets that one answer can carry, and the token of the next one.

    `ask` is given the size of the page. Where whole worksets weigh too much, it is asked again for
    fewer: a page may be short.
    """
    size = page_size(wanted)
    if whole:
        size = min(size, _WHOLE_AT_ONCE)
    while True:
        found, token = await ask(size)
        messages = [workset(view) for view in found]
        fit = how_many_fit(messages)
        if fit == len(messages):
            return messages, token
        size = max(fit, 1)
