"""Lists of worksets by filter: pages that are full, and everything that matches."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from daylily_client import AsyncStateClient, async_pages, timestamp
from daylily_gateway.rest.words import Priority, State

_PAGE = 500
_FULL = workset_pb2.WORKSET_VIEW_FULL
_BASIC = workset_pb2.WORKSET_VIEW_BASIC
# A page of state may be short where few match. After so many a page of ours may be, too: its reader
# follows the link, and no request reads a whole table.
_MOST_READS = 20


@dataclass(frozen=True)
class Filters:
    """What a workset has to match; empty means anything."""

    states: tuple[State, ...] = ()
    priorities: tuple[Priority, ...] = ()
    customer_id: str = ""
    cluster_name: str = ""
    owner_id: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    created_after: datetime | None = None
    created_before: datetime | None = None
    updated_before: datetime | None = None


async def some_worksets(
    state: AsyncStateClient, filters: Filters, limit: int, cursor: str
) -> tuple[list[workset_pb2.Workset], str]:
    """Up to `limit` worksets with everything, and the cursor of the next ones; empty after the last."""
    found: list[workset_pb2.Workset] = []
    for _ in range(_MOST_READS):
        page = await _page(state, filters, limit - len(found), cursor, _FULL)
        found.extend(page.worksets)
        cursor = page.next_page_token
        if not cursor or len(found) >= limit:
            break
    return found, cursor


async def every_workset(
    state: AsyncStateClient, filters: Filters
) -> AsyncIterator[workset_pb2.Workset]:
    """All worksets that match throughout, each once, oldest first, in the basic view."""

    async def page(page_token: str = "") -> state_pb2.ListWorksetsResponse:
        return await _page(state, filters, _PAGE, page_token, _BASIC)

    async for answer in async_pages(page):
        for workset in answer.worksets:
            yield workset


async def _page(
    state: AsyncStateClient,
    filters: Filters,
    size: int,
    cursor: str,
    view: workset_pb2.WorksetView.ValueType,
) -> state_pb2.ListWorksetsResponse:
    return await state.list_worksets(
        states=[one.number for one in filters.states],
        priorities=[one.number for one in filters.priorities],
        customer_id=filters.customer_id,
        cluster_name=filters.cluster_name,
        owner_id=filters.owner_id,
        labels=filters.labels,
        created_after=_moment(filters.created_after),
        created_before=_moment(filters.created_before),
        updated_before=_moment(filters.updated_before),
        page_size=size,
        page_token=cursor,
        view=view,
    )


def _moment(at: datetime | None) -> Timestamp | None:
    return timestamp(at) if at else None
