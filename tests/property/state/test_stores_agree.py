"""Whatever is done, both stores answer the same."""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from daylily_state.domain.events import EventType
from daylily_state.domain.filters import WorksetFilter
from daylily_state.domain.model import (
    Amount,
    ErrorCategory,
    Failure,
    Lock,
    Priority,
    Reservation,
    Workset,
    WorksetState,
)
from daylily_state.ports import ProgressPatch, ReadSet, Store, Touch
from tests.support.dynamodb_local import DynamoDBLocal
from tests.support.state_rows import LEASE, NOW, change, commit, make_workset, registration
from tests.support.stores import dynamodb_replicas, sqlite_replicas

IDS = ("a", "b", "ws:1", "ws:2", "a-long-common-beginning-1", "a-long-common-beginning-2")
MINUTE = timedelta(minutes=1)
WORKED_ON = {WorksetState.LOCKED, WorksetState.IN_PROGRESS}

Step = tuple[str, dict[str, Any]]

minutes = st.integers(-3, 3).map(lambda number: NOW + number * MINUTE)
names = st.sampled_from(IDS)
states = st.sampled_from(WorksetState)
steps = st.one_of(
    st.tuples(
        st.just("register"),
        st.fixed_dictionaries(
            {
                "workset_id": names,
                "priority": st.sampled_from(Priority),
                "created_at": minutes,
                "available_at": st.none() | minutes,
                "dependencies_met": st.booleans(),
            }
        ),
    ),
    st.tuples(
        st.just("move"),
        st.fixed_dictionaries(
            {
                "workset_id": names,
                "state": states,
                "priority": st.sampled_from(Priority),
                "available_at": st.none() | minutes,
                "locked": st.sampled_from(["keep", "take", "end"]),
                "failed": st.booleans(),
                "stale": st.booleans(),
                "expiry_seen": st.booleans(),
            }
        ),
    ),
    st.tuples(
        st.just("touch"),
        st.fixed_dictionaries(
            {
                "workset_id": names,
                "token": st.integers(0, 3),
                "expires_at": st.none() | minutes,
                "step": st.none() | st.sampled_from(["", "run_pipeline"]),
            }
        ),
    ),
    st.tuples(
        st.just("promote"), st.fixed_dictionaries({"workset_id": names, "available_at": minutes})
    ),
)


@settings(
    max_examples=15,
    phases=[Phase.explicit, Phase.generate],  # each step is real I/O: shrinking would take minutes
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(story=st.lists(steps, min_size=5, max_size=30))
def test_both_stores_answer_the_same_whatever_is_done(
    dynamodb_local: DynamoDBLocal, story: Sequence[Step]
):
    asyncio.run(_play(dynamodb_local, story))


async def _play(dynamodb_local: DynamoDBLocal, story: Sequence[Step]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        async with (
            sqlite_replicas(Path(folder)) as files,
            dynamodb_replicas(dynamodb_local) as tables,
        ):
            both = _Both(files.first, tables.first)
            for name, arguments in story:
                await getattr(both, name)(**arguments)
            await both.compare_everything()


class _Both:
    def __init__(self, file: Store, tables: Store) -> None:
        self._file = file
        self._tables = tables
        self._seen: dict[str, Workset] = {}

    async def _same(self, call: Callable[[Store], Awaitable[Any]]) -> Any:
        file, tables = await call(self._file), await call(self._tables)
        assert file == tables
        return file

    async def _row(self, workset_id: str) -> Workset | None:
        rows = await self._same(lambda store: store.read(ReadSet(worksets=(workset_id,))))
        return rows.worksets.get(workset_id)

    # --- steps ---

    async def register(self, **fields: Any) -> None:
        made = await registration(self._file, make_workset(**fields))
        await self._same(lambda store: commit(store, made))

    async def move(
        self,
        workset_id: str,
        state: WorksetState,
        priority: Priority,
        available_at: Any,
        locked: str,
        *,
        failed: bool,
        stale: bool,
        expiry_seen: bool,
    ) -> None:
        row = await self._row(workset_id)
        if row is None:
            return
        before = self._seen.get(workset_id, row) if stale else row
        self._seen[workset_id] = row
        # As the domain has it: held while it is worked on, perhaps when cancelled, else never; a
        # failure and a lock do not go together.
        if state in WORKED_ON:
            locked = "take" if before.lock is None else locked.replace("end", "keep")
        elif state is not WorksetState.IGNORED or before.lock is None:
            locked = "end"
        changes: dict[str, Any] = {
            "state": state,
            "priority": priority,
            "available_at": available_at if state is WorksetState.READY else None,
        }
        if locked == "take":
            token = before.last_token + 1
            changes["lock"] = Lock("node", token, NOW, LEASE, NOW)
            changes |= {"last_token": token, "failure": None}
            changes["reservation"] = Reservation(
                Amount(1, 2, 3, 1), on_customer=False, cost_cents=4
            )
        if locked == "end":
            failure = Failure(ErrorCategory.DATA, "it broke") if failed else None
            changes |= {"lock": None, "progress": None, "reservation": None, "failure": failure}
        seen = before.lock.expires_at if expiry_seen and before.lock else None
        made = await change(self._file, before, EventType.UPDATED, expiry_seen=seen, **changes)
        # A promotion has no version, and one store knows better than to clash with it; see the
        # contract suite for what both guarantee.
        if before.available_at == row.available_at:
            await self._same(lambda store: commit(store, made))

    async def touch(self, workset_id: str, token: int, expires_at: Any, step: str | None) -> None:
        report = None if step is None else ProgressPatch(step, 5, step, NOW)
        if report is None and expires_at is None:
            return
        wanted = Touch(workset_id, token, LEASE if expires_at else None, expires_at, report)
        await self._same(lambda store: store.touch(wanted))

    async def promote(self, workset_id: str, available_at: Any) -> None:
        await self._same(lambda store: store.promote(workset_id, available_at))

    # --- everything that can be seen ---

    async def compare_everything(self) -> None:
        await self._same(lambda store: store.read(ReadSet(worksets=IDS, details=IDS)))
        await self._same(lambda store: store.heads())
        for lane in range(16):
            await self._same(lambda store, lane=lane: store.read_lane(lane, 0, 100, strong=True))
        for workset_id in IDS:
            await self._same(lambda store, one=workset_id: store.workset_events(one, 0, 100))
        for wanted in (
            WorksetFilter(),
            WorksetFilter(priorities=frozenset({Priority.LOW})),
            WorksetFilter(owner_id="node"),
            WorksetFilter(created_after=NOW, created_before=NOW + 2 * MINUTE),
            *(WorksetFilter(states=frozenset({state})) for state in WorksetState),
        ):
            await self._pages(lambda store, after, w=wanted: store.list_worksets(w, after, 2))
        for now in (NOW - 2 * MINUTE, NOW, NOW + 3 * MINUTE):
            await self._pages(lambda store, after, now=now: store.queue(frozenset(), now, after, 2))
            await self._pages(lambda store, after, now=now: store.list_waiting(now, after, 2))
        await self._pages(lambda store, after: store.list_held(after, 2), in_order=False)

    async def _pages(
        self, read: Callable[[Store, str | None], Awaitable[Any]], *, in_order: bool = True
    ) -> None:
        async def whole(store: Store) -> list[Workset]:
            found: list[Workset] = []
            after: str | None = None
            while True:
                page = await read(store, after)
                found += page.items
                after = page.next
                if after is None:
                    return found if in_order else sorted(found, key=lambda row: row.workset_id)

        await self._same(whole)


async def _ids_of(found: Awaitable[Sequence[Workset]]) -> list[tuple[Any, str]]:
    """By the time they wait for; rows of one time in any order."""
    return sorted((row.available_at, row.workset_id) for row in await found)
