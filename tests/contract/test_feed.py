"""The feed: lanes without gaps, in the order of commits, and a workset's trail."""

import asyncio
from datetime import timedelta

from daylily_state.domain.commit import Clash, Commit, Committed, Conflict
from daylily_state.domain.events import EventType
from daylily_state.domain.model import LANES, Priority, SubjectKind
from daylily_state.ports import ReadSet
from tests.contract.conftest import on_engines_that_race
from tests.support.state_rows import (
    apply_change,
    change,
    commit,
    load,
    make_event,
    make_workset,
    next_seq,
    register,
)


async def test_an_empty_feed_has_sixteen_empty_lanes(store):
    assert await store.heads() == (0,) * LANES
    assert await store.probe((0,) * LANES) == frozenset()
    assert list(await store.read_lane(3, 0, 10)) == []


async def test_heads_and_probes_follow_the_commits(store, replicas):
    before = await store.heads()
    workset = await register(store, make_workset())
    await apply_change(store, workset)
    for replica in (store, replicas()):
        heads = await replica.heads()
        assert heads[workset.lane] == 2
        assert sum(heads) == 2
        assert await replica.probe(before) == {workset.lane}
        assert await replica.probe(heads) == frozenset()


async def test_a_load_finds_the_head_that_another_replica_moved(store, replicas):
    other = replicas()
    workset = await register(store, make_workset())
    assert await next_seq(other, workset.lane) == 2
    for _ in range(3):
        workset = await apply_change(store, workset)
    assert await next_seq(other, workset.lane) == 5
    assert (await apply_change(other, workset)).last_seq == 5


async def test_a_lane_is_read_from_anywhere(store):
    workset = await register(store, make_workset())
    for _ in range(5):
        workset = await apply_change(store, workset)

    async def seqs(after, limit, **how):
        return [event.seq for event in await store.read_lane(workset.lane, after, limit, **how)]

    assert await seqs(0, 100) == [1, 2, 3, 4, 5, 6]
    assert await seqs(0, 100, strong=True) == [1, 2, 3, 4, 5, 6]
    assert await seqs(2, 3) == [3, 4, 5]
    assert await seqs(6, 10) == []


async def test_a_worksets_events_are_one_to_its_version(store):
    workset = await register(store, make_workset())
    await register(store, make_workset("ws-2"))
    for _ in range(11):
        workset = await apply_change(store, workset)

    async def versions(after, limit):
        events = await store.workset_events("ws-1", after, limit)
        assert {event.workset_id for event in events} <= {"ws-1"}
        return [event.version for event in events]

    assert await versions(0, 100) == list(range(1, 13))
    assert await versions(8, 3) == [9, 10, 11]
    assert await versions(12, 3) == []
    assert list(await store.workset_events("ws-3", 0, 10)) == []


async def test_a_request_is_found_in_the_whole_trail(store):
    workset = await register(store, make_workset())
    made = await change(store, workset, event={"request_id": "r-1", "request_digest": b"12345678"})
    await commit(store, made)
    workset = await load(store, "ws-1")
    for _ in range(20):
        workset = await apply_change(store, workset)
    assert await store.find_request("ws-1", "r-1") == made.event
    assert await store.find_request("ws-1", "r-2") is None
    assert await store.find_request("ws-2", "r-1") is None


async def test_hundreds_of_rows_are_read_at_once(store):
    for number in range(105):
        await register(store, make_workset(f"ws-{number}"), metadata=f'{{"n":{number}}}')
    ids = [f"ws-{number}" for number in range(110)]
    rows = await store.read(
        ReadSet(worksets=[*ids, "ws-1"], details=ids, metadata=ids, lanes=range(LANES))
    )
    assert len(rows.worksets) == len(rows.details) == len(rows.metadata) == 105
    assert rows.metadata["ws-7"] == '{"n":7}'
    assert sum(rows.heads.values()) == 105


async def test_an_empty_read_set_reads_nothing(store):
    rows = await store.read(ReadSet())
    assert (rows.worksets, rows.heads) == ({}, {})


async def test_missing_rows_are_missing(store):
    rows = await store.read(
        ReadSet(
            worksets=("a",),
            details=("a",),
            metadata=("a",),
            results=("a",),
            clusters=("a",),
            customers=("a",),
            requests=("a",),
        )
    )
    assert not any(
        (
            rows.worksets,
            rows.details,
            rows.metadata,
            rows.results,
            rows.clusters,
            rows.customers,
            rows.requests,
        )
    )


# --- races ---


async def write_through(store, workset_id, times):
    """Commits so many changes, deciding again after each conflict, as state does."""
    conflicts = 0
    for _ in range(times):
        while True:
            workset = await load(store, workset_id)
            if await commit(store, await change(store, workset)) == Committed():
                break
            conflicts += 1
    return conflicts


@on_engines_that_race
async def test_writers_of_one_workset_on_two_replicas_lose_nothing(store, replicas):
    workset = await register(store, make_workset())
    other = replicas()
    await asyncio.gather(
        *(write_through(writer, "ws-1", 4) for writer in (store, other, store, other))
    )
    assert (await load(store, "ws-1")).version == 17
    events = await store.read_lane(workset.lane, 0, 100, strong=True)
    assert [event.seq for event in events] == list(range(1, 18))
    assert [event.version for event in events] == list(range(1, 18))


@on_engines_that_race
async def test_writers_of_one_lane_leave_no_gap(store, replicas):
    """Eight subjects of one lane, written through two replicas at once."""
    lane, subjects = 5, []
    number = 0
    while len(subjects) < 8:
        number += 1
        workset = make_workset(f"ws-{number}")
        if workset.lane == lane:
            subjects.append(await register(store, workset))
    stores = [store, replicas()]
    await asyncio.gather(
        *(
            write_through(stores[index % 2], workset.workset_id, 3)
            for index, workset in enumerate(subjects)
        )
    )
    events = await store.read_lane(lane, 0, 1_000, strong=True)
    assert [event.seq for event in events] == list(range(1, 8 * 4 + 1))
    assert len({event.event_id for event in events}) == len(events)


@on_engines_that_race
async def test_of_many_that_take_one_version_one_wins(store, replicas):
    workset = await register(store, make_workset())
    stores = [store, replicas(), replicas()]
    made = [await change(store, workset, priority=Priority.LOW) for _ in range(12)]
    outcomes = await asyncio.gather(
        *(commit(stores[index % 3], attempt) for index, attempt in enumerate(made))
    )
    assert outcomes.count(Committed()) == 1
    assert (await load(store, "ws-1")).version == 2


@on_engines_that_race
async def test_of_many_that_take_one_slot_one_wins(store, replicas):
    stores = [store, replicas()]
    events = [
        make_event("x", 1, EventType.EXTERNAL, subject_kind=SubjectKind.SYSTEM, version=0)
        for _ in range(10)
    ]
    outcomes = await asyncio.gather(
        *(commit(stores[index % 2], Commit(event)) for index, event in enumerate(events))
    )
    assert outcomes.count(Committed()) == 1
    lost = [outcome for outcome in outcomes if isinstance(outcome, Conflict)]
    assert all(outcome.clashes <= {Clash.SLOT, Clash.BUSY} for outcome in lost)


async def test_a_commit_that_nobody_waits_for_any_more_is_not_undone(store):
    workset = await register(store, make_workset())
    made = await change(store, workset, priority=Priority.LOW)
    waiting = asyncio.create_task(store.commit(made, timedelta(seconds=10)))
    await asyncio.sleep(0)  # it has begun
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    found = await commit(store, made)
    assert found == Committed()
    assert (await load(store, "ws-1")).version == 2
