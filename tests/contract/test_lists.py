"""Lists see each workset once, in order, page by page; the queue has its turn right."""

from datetime import timedelta

import pytest

from daylily_state.domain.errors import InvalidCursorError
from daylily_state.domain.filters import WorksetFilter
from daylily_state.domain.model import Details, Priority, WorksetState
from daylily_state.store.sqlite import queries
from tests.support.state_rows import (
    NOW,
    apply_change,
    load,
    lock,
    make_workset,
    register,
)

SECOND = timedelta(seconds=1)
ALL = frozenset[Priority]()


async def register_many(store, count, **changes):
    """Worksets ws-00 and on, one second apart."""
    return [
        await register(
            store, make_workset(f"ws-{number:02}", created_at=NOW + number * SECOND, **changes)
        )
        for number in range(count)
    ]


async def ids_of_pages(read_page, limit):
    """The ids of all pages, and how many pages there were."""
    ids, after, pages = [], None, 0
    while True:
        page = await read_page(after, limit)
        assert len(page.items) <= limit
        ids += [workset.workset_id for workset in page.items]
        pages += 1
        if page.next is None:
            return ids, pages
        after = page.next


async def listed(store, limit=3, **wanted):
    ids, _ = await ids_of_pages(
        lambda after, size: store.list_worksets(WorksetFilter(**wanted), after, size), limit
    )
    return ids


async def queued(store, priorities=ALL, now=NOW, limit=3):
    ids, _ = await ids_of_pages(
        lambda after, size: store.queue(priorities, now, after, size), limit
    )
    return ids


# --- list_worksets ---


async def test_a_list_is_by_age_and_paged(store):
    await register_many(store, 10)
    ids, pages = await ids_of_pages(
        lambda after, size: store.list_worksets(WorksetFilter(), after, size), 4
    )
    assert ids == [f"ws-{number:02}" for number in range(10)]
    assert pages >= 3


async def test_worksets_of_one_moment_are_all_listed_once(store):
    ids = [f"a-long-common-beginning-{number:02}" for number in range(12)]
    for workset_id in reversed(ids):
        await register(store, make_workset(workset_id))
    assert await listed(store, limit=5) == ids


async def test_an_empty_store_lists_nothing(store):
    assert await listed(store) == []
    assert await queued(store) == []
    assert (await store.list_held(None, 10)).items == ()


async def test_a_list_of_one_state_is_by_age(store):
    worksets = await register_many(store, 8)
    for workset in worksets[::-2]:
        await apply_change(store, workset, state=WorksetState.COMPLETE)
    complete = await listed(store, limit=2, states=frozenset({WorksetState.COMPLETE}))
    assert complete == ["ws-01", "ws-03", "ws-05", "ws-07"]
    ready = await listed(store, limit=2, states=frozenset({WorksetState.READY}))
    assert ready == ["ws-00", "ws-02", "ws-04", "ws-06"]


async def test_few_in_a_state_are_found_however_many_are_in_others(store, monkeypatch):
    monkeypatch.setattr(queries, "_READ_AT_MOST", 3)
    *_, last = await register_many(store, 8)
    await apply_change(store, last, state=WorksetState.ERROR)
    page = await store.list_worksets(WorksetFilter(states=frozenset({WorksetState.ERROR})), None, 3)
    assert [workset.workset_id for workset in page.items] == ["ws-07"]
    assert page.next is None


async def test_several_states_are_listed_by_age_together(store):
    worksets = await register_many(store, 6)
    await apply_change(store, worksets[1], state=WorksetState.ERROR)
    await apply_change(store, worksets[2], state=WorksetState.COMPLETE)
    await apply_change(store, worksets[4], state=WorksetState.ERROR, priority=Priority.URGENT)
    both = frozenset({WorksetState.ERROR, WorksetState.READY})
    assert await listed(store, limit=2, states=both) == [
        "ws-00",
        "ws-01",
        "ws-03",
        "ws-04",
        "ws-05",
    ]


async def test_ready_lists_those_that_wait_as_well(store):
    await register(store, make_workset("a", available_at=NOW + SECOND))
    await register(store, make_workset("b", dependencies_met=False))
    assert await listed(store, states=frozenset({WorksetState.READY})) == ["a", "b"]


async def test_a_list_goes_by_what_is_asked_for(store):
    await register(store, make_workset("a", customer_id="x", priority=Priority.URGENT))
    await register(store, make_workset("b", customer_id="y", created_at=NOW + SECOND))
    await lock(store, await load(store, "b"), cluster_name="c1")
    await register(
        store,
        make_workset("c", customer_id="y", created_at=NOW + 2 * SECOND, updated_at=NOW - SECOND),
    )
    assert await listed(store, customer_id="y") == ["b", "c"]
    assert await listed(store, cluster_name="c1") == ["b"]
    assert await listed(store, owner_id="head-node-1") == ["b"]
    assert await listed(store, priorities=frozenset({Priority.URGENT, Priority.LOW})) == ["a"]
    assert await listed(store, updated_before=NOW) == ["c"]
    assert await listed(store, customer_id="y", states=frozenset({WorksetState.LOCKED})) == ["b"]
    locked_or_ready = frozenset({WorksetState.LOCKED, WorksetState.READY})
    assert await listed(store, states=locked_or_ready) == ["a", "b", "c"]
    assert await listed(store, customer_id="z") == []


async def test_a_list_between_two_ages(store):
    await register_many(store, 5)
    between = {"created_after": NOW + SECOND, "created_before": NOW + 4 * SECOND}
    assert await listed(store, limit=2, **between) == ["ws-01", "ws-02", "ws-03"]
    assert await listed(store, created_after=NOW + 5 * SECOND) == []
    assert await listed(store, created_after=NOW + SECOND, created_before=NOW + SECOND) == []
    ready = frozenset({WorksetState.READY})
    assert await listed(store, limit=2, states=ready, **between) == ["ws-01", "ws-02", "ws-03"]
    await lock(store, await load(store, "ws-02"))
    locked = frozenset({WorksetState.LOCKED})
    assert await listed(store, states=locked, **between) == ["ws-02"]
    assert await listed(store, states=locked, created_before=NOW + 2 * SECOND) == []


async def test_a_list_by_label(store):
    for name, labels in [("a", {"run": "1", "lab": "x"}), ("b", {"run": "2"}), ("c", {})]:
        await register(store, make_workset(name), details=Details("lab", "p/", labels=labels))
    assert await listed(store, labels={"run": "1"}) == ["a"]
    assert await listed(store, labels={"run": "1", "lab": "y"}) == []


async def test_what_changes_while_a_list_is_read_is_seen_once(store):
    worksets = await register_many(store, 9)
    first = await store.list_worksets(WorksetFilter(), None, 3)
    await apply_change(store, worksets[0], priority=Priority.LOW)
    await apply_change(store, worksets[5], priority=Priority.URGENT)
    await lock(store, worksets[8])
    ids = [workset.workset_id for workset in first.items]
    after = first.next
    while after is not None:
        page = await store.list_worksets(WorksetFilter(), after, 3)
        ids += [workset.workset_id for workset in page.items]
        after = page.next
    assert ids == [workset.workset_id for workset in worksets]


async def test_a_position_of_another_make_is_refused(store):
    for position in ("", "nonsense", "[1]", '{"a":1}', '["a","b"]'):
        with pytest.raises(InvalidCursorError):
            await store.list_worksets(WorksetFilter(), position, 3)
        with pytest.raises(InvalidCursorError):
            await store.queue(ALL, NOW, position, 3)


async def test_list_rows_are_whole(store):
    workset = await lock(store, await register(store, make_workset()))
    for states in (frozenset(), frozenset({WorksetState.LOCKED})):
        assert (await store.list_worksets(WorksetFilter(states=states), None, 5)).items == (
            workset,
        )


# --- the queue ---


async def test_the_queue_is_by_priority_then_age(store):
    for number, priority in enumerate(
        [Priority.LOW, Priority.NORMAL, Priority.URGENT, Priority.NORMAL, Priority.URGENT]
    ):
        await register(
            store, make_workset(f"w{number}", priority=priority, created_at=NOW + number * SECOND)
        )
    for limit in (1, 2, 3, 10):
        assert await queued(store, limit=limit) == ["w2", "w4", "w1", "w3", "w0"]
    some = frozenset({Priority.URGENT, Priority.LOW})
    assert await queued(store, some) == ["w2", "w4", "w0"]


async def test_worksets_of_one_moment_queue_by_id(store):
    ids = [f"a-long-common-beginning-{number}" for number in range(7)]
    for workset_id in reversed(ids):
        await register(store, make_workset(workset_id))
    assert await queued(store, limit=3) == ids


async def test_a_queued_row_is_whole(store):
    workset = await register(store, make_workset(deadline=NOW + SECOND))
    assert (await store.queue(ALL, NOW, None, 5)).items == (workset,)


async def test_a_change_of_priority_changes_the_place(store):
    worksets = await register_many(store, 3)
    await apply_change(store, worksets[2], priority=Priority.URGENT)
    assert await queued(store) == ["ws-02", "ws-00", "ws-01"]


async def test_what_cannot_start_is_not_in_the_queue(store):
    await register(store, make_workset("later", available_at=NOW + SECOND))
    await register(store, make_workset("blocked", dependencies_met=False))
    await register(store, make_workset("both", available_at=NOW, dependencies_met=False))
    await lock(store, await register(store, make_workset("held")))
    assert await queued(store) == []
    assert await queued(store, now=NOW + SECOND) == ["later"]


async def test_what_waits_though_its_time_has_come_is_merged_in(store):
    await register_many(store, 4)
    await register(
        store, make_workset("due", created_at=NOW + 1.5 * SECOND, available_at=NOW - SECOND)
    )
    await register(
        store,
        make_workset("due-urgent", priority=Priority.URGENT, created_at=NOW, available_at=NOW),
    )
    expected = ["due-urgent", "ws-00", "ws-01", "due", "ws-02", "ws-03"]
    for limit in (1, 2, 10):
        assert await queued(store, limit=limit) == expected
    assert await queued(store, frozenset({Priority.URGENT})) == ["due-urgent"]


async def test_promoting_moves_a_row_into_the_queue(store):
    due = NOW - SECOND
    waiting = await register(store, make_workset(available_at=due))
    assert await store.promote("ws-1", due)
    found = await load(store, "ws-1")
    assert (found.available_at, found.version) == (None, waiting.version)
    assert (await store.list_waiting(NOW, None, 10)).items == ()
    assert await queued(store, now=due - SECOND) == ["ws-1"]


async def test_only_what_waits_for_exactly_this_time_is_promoted(store):
    assert not await store.promote("ws-1", NOW)
    waiting = await register(store, make_workset(available_at=NOW))
    assert not await store.promote("ws-1", NOW + SECOND)
    await lock(store, waiting)
    assert not await store.promote("ws-1", NOW)
    assert (await load(store, "ws-1")).state is WorksetState.LOCKED


async def test_waiting_rows_come_earliest_first(store):
    for name, seconds in [("b", 2), ("a", 1), ("c", 3)]:
        await register(store, make_workset(name, available_at=NOW + seconds * SECOND))
    await register(store, make_workset("unmet", available_at=NOW, dependencies_met=False))
    await register(store, make_workset("ready"))

    async def waiting(due_before):
        page = await store.list_waiting(due_before, None, 10)
        assert page.next is None
        return [workset.workset_id for workset in page.items]

    assert await waiting(NOW + 10 * SECOND) == ["a", "b", "c"]
    assert await waiting(NOW + 3 * SECOND) == ["a", "b"]


@pytest.mark.parametrize("limit", [1, 2, 3, 7])
async def test_pages_of_waiting_rows_are_whole_and_in_order(store, limit):
    for number in range(7):
        due = NOW + (number // 3) * SECOND  # several at one moment
        await register(store, make_workset(f"workset-{number}", available_at=due))

    async def page(after, limit):
        return await store.list_waiting(NOW + 10 * SECOND, after, limit)

    ids, _ = await ids_of_pages(page, limit)
    assert ids == [f"workset-{number}" for number in range(7)]


async def test_whatever_has_a_lock_is_held(store):
    worksets = await register_many(store, 7)
    await lock(store, worksets[1])
    await lock(store, worksets[6])
    running = await lock(store, worksets[3])
    await apply_change(store, running, state=WorksetState.IN_PROGRESS)
    cancelled = await lock(store, worksets[4])
    await apply_change(store, cancelled, state=WorksetState.IGNORED)
    await apply_change(store, worksets[5], state=WorksetState.IGNORED)
    ids, _ = await ids_of_pages(store.list_held, 2)
    assert sorted(ids) == ["ws-01", "ws-03", "ws-04", "ws-06"]


async def test_the_lists_of_ninety_worksets_are_whole(store):
    for number in range(90):
        await register(
            store,
            make_workset(
                f"ws-{number:03}",
                priority=Priority(number % 3 + 1),
                created_at=NOW + (number // 10) * SECOND,
            ),
        )
    everything = [f"ws-{number:03}" for number in range(90)]
    assert await listed(store, limit=25) == everything
    turns = sorted(everything, key=lambda name: (int(name[3:]) % 3, int(name[3:]) // 10, name))
    assert await queued(store, limit=25) == turns
