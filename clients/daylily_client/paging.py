"""All pages of a list."""

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any, ParamSpec, Protocol, TypeVar, cast

P = ParamSpec("P")


class PagedAnswer(Protocol):
    """An answer that says where the next page begins."""

    @property
    def next_page_token(self) -> str: ...


Page = TypeVar("Page", bound=PagedAnswer)


async def async_pages(
    method: Callable[P, Awaitable[Page]], *args: P.args, **kwargs: P.kwargs
) -> AsyncIterator[Page]:
    """Yields each page of a list.

        async for page in async_pages(state.list_worksets, states=[WORKSET_STATE_READY]): ...

    Pages may be empty; the list ends with the last one.
    """
    ask = cast("Callable[..., Awaitable[Page]]", method)
    token: Any = kwargs.get("page_token", "")
    while True:
        page = await ask(*args, **{**kwargs, "page_token": token})
        yield page
        token = page.next_page_token
        if not token:
            return


def pages(method: Callable[P, Page], *args: P.args, **kwargs: P.kwargs) -> Iterator[Page]:
    """As `async_pages`, for the synchronous clients."""
    ask = cast("Callable[..., Page]", method)
    token: Any = kwargs.get("page_token", "")
    while True:
        page = ask(*args, **{**kwargs, "page_token": token})
        yield page
        token = page.next_page_token
        if not token:
            return
