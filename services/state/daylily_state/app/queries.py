"""Queries of worksets, their lists, and their audit trail."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from daylily_runtime import Clock
from daylily_state.domain import cursor
from daylily_state.domain.errors import (
    InvalidCursorError,
    StoreUnavailableError,
    WorksetNotFoundError,
)
from daylily_state.domain.events import Event
from daylily_state.domain.filters import WorksetFilter
from daylily_state.domain.model import Details, Preferences, Priority, Results, Workset
from daylily_state.ports import Page, ReadSet, Rows, Store

# Whole worksets of one batch: details, metadata and results of each stay within a ReadSet.
_FULL_AT_ONCE: Final = 30
_DETAILS_AT_ONCE: Final = 100
_FAR_FUTURE: Final = datetime(9999, 1, 1, tzinfo=UTC)
# Where a page of the queue goes on: in which of the two lists, and where there.
_WAITING: Final = "waiting:"
_QUEUE: Final = "queue:"
_NO_RESULTS: Final = Results()

# The index of a workset's events may lag behind the workset: how often and how long to look again.
_LAG_LOOKS: Final = 20
_LAG_PAUSE: Final = 0.1

_NUMBER: Final = re.compile("[0-9]{1,10}")


@dataclass(frozen=True, slots=True)
class View:
    """A workset with as many of its parts as were asked for (None: not asked for).

    `wishes` is there without `details` where the workset has any: they are part of what it requires.
    """

    workset: Workset
    details: Details | None = None
    metadata: str | None = None
    results: Results | None = None
    wishes: Preferences | None = None


class Queries:
    """What can be read of worksets.

    Args:
        store: where they are.
        clock: what time it is.
    """

    def __init__(self, store: Store, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    async def get(self, workset_id: str, *, full: bool) -> View:
        """One workset. Raises WorksetNotFoundError."""
        found, missing = await self.batch((workset_id,), full=full)
        if missing:
            raise WorksetNotFoundError(workset_id=workset_id)
        return found[0]

    async def batch(
        self, workset_ids: Sequence[str], *, full: bool
    ) -> tuple[Sequence[View], Sequence[str]]:
        """Those of the worksets that exist, in order, and the ids of the others."""
        ids = tuple(dict.fromkeys(workset_ids))
        rows = await self._store.read(ReadSet(worksets=ids))
        found: Sequence[View] = [View(rows.worksets[key]) for key in ids if key in rows.worksets]
        found = await (self._with_parts(found) if full else self._with_wishes(found))
        return found, [key for key in ids if key not in rows.worksets]

    async def log_tail(self, workset_id: str) -> str:
        """The end of the latest run's log."""
        return await self._store.get_log_tail(workset_id)

    async def list(
        self, wanted: WorksetFilter, token: str, limit: int, *, full: bool
    ) -> tuple[Sequence[View], str]:
        """A page of matching worksets, oldest first, and the token of the next one."""
        call = f"ListWorksets {_words(wanted)}"
        page = await self._store.list_worksets(wanted, cursor.decode_page(call, token), limit)
        return await self._views(page, full=full), cursor.encode_page(call, page.next)

    async def list_ready(
        self,
        priorities: frozenset[Priority],
        token: str,
        limit: int,
        *,
        full: bool,
        backing_off: bool = False,
    ) -> tuple[Sequence[View], str]:
        """A page of the queue, and the token of the next one; on demand with those that back off.

        They come first: one whose time comes meanwhile is found in the queue, which is read after
        them. The other way round it would be missed, and no event tells that a time has come.
        """
        call = f"ListReadyWorksets {sorted(priorities)!r} {backing_off}"
        after = cursor.decode_page(call, token)
        if backing_off and (after is None or after.startswith(_WAITING)):
            page = await self._backing_off(priorities, after, limit)
        else:
            after = after.removeprefix(_QUEUE) or None if after else None
            page = await self._store.queue(priorities, self._clock.now(), after, limit)
            page = Page(page.items, page.next and _QUEUE + page.next)
        return await self._views(page, full=full), cursor.encode_page(call, page.next)

    async def _backing_off(
        self, priorities: frozenset[Priority], after: str | None, limit: int
    ) -> Page[Workset]:
        """A page of those that wait for a time, and where it goes on: with the queue at the end."""
        position = after.removeprefix(_WAITING) if after else None
        page = await self._store.list_waiting(_FAR_FUTURE, position, limit)
        found = tuple(row for row in page.items if not priorities or row.priority in priorities)
        return Page(found, _QUEUE if page.next is None else _WAITING + page.next)

    async def events(self, workset_id: str, token: str, limit: int) -> tuple[Sequence[Event], str]:
        """A page of the audit trail, never short of what the workset's version promises.

        Raises:
            WorksetNotFoundError: no workset has the id.
            StoreUnavailableError: the trail lags behind the workset for too long.
        """
        call = f"ListEvents {workset_id}"
        after = _version(cursor.decode_page(call, token))
        rows = await self._store.read(ReadSet(worksets=(workset_id,)))
        if workset_id not in rows.worksets:
            raise WorksetNotFoundError(workset_id=workset_id)
        last = rows.worksets[workset_id].version
        wanted = min(limit, last - after)
        found: Sequence[Event] = ()
        for _ in range(_LAG_LOOKS):
            found = (await self._store.workset_events(workset_id, after, limit))[:limit]
            if len(found) >= wanted:
                end = after + len(found)
                following = str(end) if end < last else None
                return found, cursor.encode_page(call, following)
            await self._clock.sleep(_LAG_PAUSE)
        raise StoreUnavailableError(retry_after=timedelta(seconds=1))

    # --- parts ---

    async def _with_parts(self, views: Sequence[View]) -> Sequence[View]:
        """The whole worksets.

        The parts are read after the rows: they are as new as the version or newer. Were they older,
        somebody who changes what he was shown, expecting this version, would undo another's change.
        """
        whole: list[View] = []
        for start in range(0, len(views), _FULL_AT_ONCE):
            some = views[start : start + _FULL_AT_ONCE]
            ids = [view.workset.workset_id for view in some]
            rows = await self._store.read(ReadSet(details=ids, metadata=ids, results=ids))
            whole += [_whole(view.workset, rows) for view in some]
        return whole

    async def _with_wishes(self, views: Sequence[View]) -> Sequence[View]:
        """The views, with the wishes of those that have any."""
        ids = [view.workset.workset_id for view in views if view.workset.requirements.has_wishes]
        wishes: dict[str, Preferences] = {}
        for start in range(0, len(ids), _DETAILS_AT_ONCE):
            rows = await self._store.read(ReadSet(details=ids[start : start + _DETAILS_AT_ONCE]))
            wishes |= {key: details.preferences for key, details in rows.details.items()}
        return [replace(view, wishes=wishes.get(view.workset.workset_id)) for view in views]

    async def _views(self, page: Page[Workset], *, full: bool) -> Sequence[View]:
        views = [View(workset) for workset in page.items]
        return await (self._with_parts(views) if full else self._with_wishes(views))


def _whole(workset: Workset, rows: Rows) -> View:
    key = workset.workset_id
    return View(
        workset, rows.details[key], rows.metadata.get(key, "{}"), rows.results.get(key, _NO_RESULTS)
    )


def _version(position: str | None) -> int:
    """The version behind which a page of the trail begins."""
    if position is None:
        return 0
    if not _NUMBER.fullmatch(position):
        raise InvalidCursorError(field="page_token")
    return int(position)


def _words(wanted: WorksetFilter) -> str:
    """A filter in words: the same for the same filter, as sets and maps have no order."""
    orderless = sorted(wanted.states), sorted(wanted.priorities), sorted(wanted.labels.items())
    rest = replace(wanted, states=frozenset(), priorities=frozenset(), labels={})
    return f"{rest!r} {orderless!r}"
