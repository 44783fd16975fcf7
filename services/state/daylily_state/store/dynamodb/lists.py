"""Lists of worksets: by age, by state, the queue, what waits, what is held."""

import asyncio
import math
from datetime import datetime, timedelta
from typing import Final

from daylily_state.domain.filters import WorksetFilter
from daylily_state.domain.model import LANES, Priority, Workset, WorksetState
from daylily_state.ports import Page
from daylily_state.store.dynamodb.attributes import micros, moment_at
from daylily_state.store.dynamodb.client import Client
from daylily_state.store.dynamodb.items import Item
from daylily_state.store.dynamodb.reads import labels, worksets
from daylily_state.store.dynamodb.stretches import (
    SortKey,
    Stretch,
    merge,
    read_stretch,
    rows_to_ask_for,
)
from daylily_state.store.dynamodb.tables import (
    WORKSETS,
    CreatedIndex,
    StatePriorityIndex,
    WorksetRow,
)
from daylily_state.store.dynamodb.threads import Threads
from daylily_state.store.dynamodb.worksets import (
    WAITING,
    ready_place,
    time_key,
    workset_from,
)
from daylily_state.store.positions import page_position, read_position

_BY_STATE: Final = StatePriorityIndex.Meta.index_name
_BY_AGE: Final = CreatedIndex.Meta.index_name
# A page of a filter that few worksets match ends after reading so many rows, and comes back short.
_READ_AT_MOST: Final = 1_000
_READ_AT_LEAST: Final = 50
_FIRST: Final = moment_at(0)
_LAST: Final = moment_at(10**16 - 1)
_END: Final = "~"  # sorts behind every character of a place
_MICROSECOND: Final = timedelta(microseconds=1)


# --- by age ---


async def list_worksets(
    threads: Threads, client: Client, wanted: WorksetFilter, after: str | None, limit: int
) -> Page[Workset]:
    """Matching worksets by (created_at, workset_id), which never change.

    One state that is not READY is read from its own part of the index, whose order is age as well.
    Everything else (READY moves there with its priority) goes by age over all lanes.
    """
    position = read_position(after, int, str)
    found: list[Workset] = []
    read = 0
    while True:
        # What is missing, at the rate at which rows matched.
        enough = math.ceil((limit - len(found)) * read / len(found)) if found else limit
        stretch = await _next_by_age(threads, client, wanted, position, min(enough, limit))
        matching = await threads.run(_matching, client, wanted, stretch)
        found += matching
        read += len(stretch.items)
        if len(found) >= limit:
            more = len(found) > limit or not stretch.ended
            page = found[:limit]
            return Page(tuple(page), page_position(*_age(page[-1])) if more else None)
        if stretch.ended:
            return Page(tuple(found), None)
        position = stretch.items[-1][0]
        if read >= _READ_AT_MOST:
            return Page(tuple(found), page_position(*position))


async def _next_by_age(
    threads: Threads,
    client: Client,
    wanted: WorksetFilter,
    position: SortKey | None,
    limit: int,
) -> Stretch:
    at_least = max(limit, _READ_AT_LEAST)
    if len(wanted.states) == 1 and WorksetState.READY not in wanted.states:
        (state,) = wanted.states
        return await threads.run(_of_state, client, state, wanted, position, at_least)
    each = at_least // LANES + 4
    lanes = (threads.run(_of_lane, client, lane, wanted, position, each) for lane in range(LANES))
    return merge(await asyncio.gather(*lanes))


def _of_state(
    client: Client,
    state: WorksetState,
    wanted: WorksetFilter,
    position: SortKey | None,
    limit: int,
) -> Stretch:
    first, last = _bounds(wanted, position)
    if first > last:
        return Stretch((), ended=True)
    pages = client.query(
        WORKSETS,
        state.name,
        WorksetRow.place.between(time_key(first), time_key(last) + _END),
        index=_BY_STATE,
        limit=rows_to_ask_for(limit, position),
    )
    return read_stretch(pages, _place, _age_of_item, position, limit)


def _of_lane(
    client: Client, lane: int, wanted: WorksetFilter, position: SortKey | None, limit: int
) -> Stretch:
    first, last = _bounds(wanted, position)
    if first > last:
        return Stretch((), ended=True)
    pages = client.query(
        WORKSETS,
        str(lane),
        WorksetRow.created_at.between(first, last),
        index=_BY_AGE,
        limit=rows_to_ask_for(limit, position),
    )
    return read_stretch(pages, _created, _age_of_item, position, limit)


def _bounds(wanted: WorksetFilter, position: SortKey | None) -> tuple[datetime, datetime]:
    first = max(wanted.created_after or _FIRST, moment_at(position[0]) if position else _FIRST)
    last = wanted.created_before - _MICROSECOND if wanted.created_before else _LAST
    return first, last


def _matching(client: Client, wanted: WorksetFilter, stretch: Stretch) -> list[Workset]:
    """Those of a stretch that match, as strong reads find them now."""
    ids = [key[-1] for key, _ in stretch.items]
    rows = worksets(client, ids)
    matching = [rows[found] for found in ids if found in rows and wanted.matches(rows[found])]
    if not wanted.labels or not matching:
        return matching
    details = labels(client, [workset.workset_id for workset in matching])
    return [
        workset
        for workset in matching
        if workset.workset_id in details
        and wanted.matches_labels(details[workset.workset_id].labels)
    ]


# --- the queue ---


def queue(
    client: Client,
    priorities: frozenset[Priority],
    now: datetime,
    after: str | None,
    limit: int,
) -> Page[Workset]:
    """READY rows in the order of the index, those merged in whose time has come."""
    position = read_position(after, int, int, str)
    found = _due(client, priorities or frozenset(Priority), now, position)
    ready = 0
    more = False
    for priority in sorted(priorities or Priority):
        if position is not None and priority < position[0]:
            continue
        if ready >= limit:
            more = True
            break
        stretch = _ready(client, priority, position, limit - ready)
        found += [workset_from(item) for _, item in stretch.items]
        ready += len(stretch.items)
        more = not stretch.ended
    found.sort(key=_turn)
    page = tuple(found[:limit])
    more = more or len(found) > limit
    return Page(page, page_position(*_turn(page[-1])) if more else None)


def _ready(client: Client, priority: Priority, position: SortKey | None, limit: int) -> Stretch:
    first = f"{priority:d}#"
    if position is not None and position[0] == priority:
        first = ready_place(priority, moment_at(position[1]), position[2])
    pages = client.query(
        WORKSETS,
        WorksetState.READY.name,
        WorksetRow.place.between(first, f"{priority:d}#{_END}"),
        index=_BY_STATE,
        limit=rows_to_ask_for(limit, position),
    )
    return read_stretch(pages, _place, _turn_of_item, position, limit)


def _due(
    client: Client, priorities: frozenset[Priority], now: datetime, position: SortKey | None
) -> list[Workset]:
    """Rows that wait in the index though their time has come: few, as they are promoted soon."""
    items = client.query_items(
        WORKSETS,
        WAITING,
        within=WorksetRow.place.between("0", time_key(now) + _END),
        index=_BY_STATE,
    )
    return [
        workset
        for workset in map(workset_from, items)
        if workset.can_start(now)
        and workset.priority in priorities
        and (position is None or _turn(workset) > position)
    ]


def list_waiting(
    client: Client, due_before: datetime, after: str | None, limit: int
) -> Page[Workset]:
    position = read_position(after, int, str)
    first = time_key(moment_at(position[0])) if position else "0"
    last = time_key(min(due_before - _MICROSECOND, _LAST))
    pages = client.query(
        WORKSETS,
        WAITING,
        WorksetRow.place.between(first, last + _END),
        index=_BY_STATE,
        limit=rows_to_ask_for(limit, position),
    )
    stretch = read_stretch(pages, _place, _due_of_item, position, limit)
    found = stretch.items[:limit]
    more = len(stretch.items) > limit or not stretch.ended
    worksets = tuple(workset_from(item) for _, item in found)
    return Page(worksets, page_position(*found[-1][0]) if more else None)


# --- held ---

_MAY_BE_HELD: Final = (WorksetState.LOCKED, WorksetState.IN_PROGRESS, WorksetState.IGNORED)


def list_held(client: Client, after: str | None, limit: int) -> Page[Workset]:
    """Rows of the states that can have a lock, and have one, as strong reads find them.

    The index may lag by moments behind a lock that was just taken.
    """
    place, created, last_id = read_position(after, int, int, str) or (0, 0, "")
    position: SortKey | None = (created, last_id)
    for number in range(place, len(_MAY_BE_HELD)):
        stretch = _of_state(client, _MAY_BE_HELD[number], WorksetFilter(), position, limit)
        rows = worksets(client, [key[-1] for key, _ in stretch.items])
        held = tuple(row for row in rows.values() if row.lock is not None)
        if not stretch.ended:
            return Page(held, page_position(number, *stretch.items[-1][0]))
        if held and number + 1 < len(_MAY_BE_HELD):
            return Page(held, page_position(number + 1, 0, ""))
        if number + 1 == len(_MAY_BE_HELD):
            return Page(held, None)
        position = None
    return Page((), None)


# --- sort keys ---


def _age(workset: Workset) -> SortKey:
    return micros(workset.created_at), workset.workset_id


def _turn(workset: Workset) -> SortKey:
    return int(workset.priority), micros(workset.created_at), workset.workset_id


def _id(item: Item) -> str:
    found: str = item["id"]["S"]
    return found


def _place(item: Item) -> str:
    found: str = item[WorksetRow.place.attr_name]["S"]
    return found


def _created(item: Item) -> int:
    return int(item[WorksetRow.created_at.attr_name]["N"])


def _due_of_item(item: Item) -> SortKey:
    return int(item[WorksetRow.available_at.attr_name]["N"]), _id(item)


def _age_of_item(item: Item) -> SortKey:
    return _created(item), _id(item)


def _turn_of_item(item: Item) -> SortKey:
    return int(item[WorksetRow.priority.attr_name]["N"]), _created(item), _id(item)
