"""Two replicas on one store act as one: locks, requests, feed, counts, consumers, dependencies."""

import asyncio
import time

import grpc
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2

from tests.integration.state.asking import (
    COMPLETE,
    IN_PROGRESS,
    LOCKED,
    READY,
    acquire,
    complete,
    events,
    get,
    needs,
    put_cluster,
    register,
    registration,
    release,
    renew,
    resources,
    run,
    seconds,
    set_state,
    struct,
)
from tests.integration.state.faulty_store import Faults
from tests.integration.state.refusals import refused
from tests.integration.state.replicas import replica
from tests.integration.state.watching import watching


async def test_a_lock_that_one_granted_is_known_to_the_other(pair):
    a, b = (each.stub for each in pair)
    await register(a, "ws-1")
    token = await acquire(b, "ws-1", owner_id="m1")
    assert (await refused(acquire(a, "ws-1", owner_id="m2"))).reason == "LOCK_HELD"
    await renew(a, "ws-1", token, progress={"percent": 10})
    assert (await get(b, "ws-1")).progress.percent == 10
    new = await acquire(a, "ws-1", owner_id="boss", force=True)
    for stub in (a, b):
        assert (await refused(renew(stub, "ws-1", token))).reason == "LOCK_LOST"
        assert (await refused(set_state(stub, "ws-1", COMPLETE, token))).reason == "LOCK_LOST"
    await set_state(b, "ws-1", IN_PROGRESS, new)
    assert (await set_state(a, "ws-1", COMPLETE, new)).state == COMPLETE
    assert [event.version for event in await events(b, "ws-1")] == [1, 2, 3, 4, 5]


async def test_of_many_that_ask_both_at_once_one_gets_the_lock(pair):
    for number in range(4):
        name = f"ws-{number}"
        await register(pair[0].stub, name)
        answers = await asyncio.gather(
            *(acquire(pair[n % 2].stub, name, owner_id=f"m{n}") for n in range(8)),
            return_exceptions=True,
        )
        assert sorted(answer for answer in answers if isinstance(answer, int)) == [1]
        assert (await get(pair[1].stub, name)).version == 2


async def test_a_request_that_one_served_is_answered_again_by_the_other(pair):
    a, b = (each.stub for each in pair)
    asked = registration("ws-1", request_id="r-1")
    assert await a.RegisterWorkset(asked) == await b.RegisterWorkset(asked)
    lock = state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id="r-2")
    first = await b.AcquireLock(lock)
    assert (await a.AcquireLock(lock)).lock_token == first.lock_token
    assert (await a.GetGrant(state_pb2.GetGrantRequest(request_id="r-2"))).lock_token == 1
    other = state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m2", request_id="r-2")
    assert (await refused(a.AcquireLock(other))).reason == "REQUEST_ID_REUSED"
    assert len(await events(a, "ws-1")) == 2


async def test_the_same_request_to_both_at_once_has_one_effect(pair):
    await register(pair[0].stub, "ws-1")
    asked = state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id="r-1")
    answers = await asyncio.gather(*(pair[n % 2].stub.AcquireLock(asked) for n in range(6)))
    assert {answer.lock_token for answer in answers} == {1}
    assert len(await events(pair[0].stub, "ws-1")) == 2


async def test_a_watcher_of_one_sees_what_the_other_commits_within_a_second(pair):
    a, b = (each.stub for each in pair)
    async with watching(a) as watch:
        await watch.next()
        delays = []
        for number in range(5):
            begin = time.monotonic()
            await register(b, f"ws-{number}")
            await watch.until(number + 1)
            delays.append(time.monotonic() - begin)
    delays.sort()
    assert delays[len(delays) // 2] < 1


async def test_the_feed_loses_nothing_and_keeps_order_while_both_write(pair):
    names = [f"ws-{number}" for number in range(12)]

    async def work(name, stub, other):
        await register(stub, name)
        token = await run(other, name)
        await release(stub, name, token)
        await complete(other, name)

    async with watching(pair[0].stub) as first, watching(pair[1].stub) as second:
        await asyncio.gather(first.next(), second.next())
        await asyncio.gather(
            *(
                work(name, pair[number % 2].stub, pair[(number + 1) % 2].stub)
                for number, name in enumerate(names)
            )
        )
        seen = await asyncio.gather(first.until(7 * len(names)), second.until(7 * len(names)))
    for found in seen:
        for name in names:
            versions = [event.version for event in found if event.workset_id == name]
            assert versions == list(range(1, 8))
    async with watching(pair[1].stub, cursor=first.cursor) as rest:
        assert await rest.to_the_end() == []


async def test_both_count_the_same(pair):
    for number in range(6):
        await register(pair[number % 2].stub, f"ws-{number}")
    await run(pair[0].stub, "ws-0")
    await acquire(pair[1].stub, "ws-1")
    for each in pair:
        async with asyncio.timeout(30):
            while True:
                depth = await each.stub.GetQueueDepth(state_pb2.GetQueueDepthRequest())
                if {(found.state, found.count) for found in depth.counts} == {
                    (READY, 4),
                    (LOCKED, 1),
                    (IN_PROGRESS, 1),
                }:
                    break
                await asyncio.sleep(0.05)
        assert (depth.total, depth.ready) == (6, 4)


async def test_a_consumer_is_held_by_one_across_both(pair):
    asked = [
        each.stub.AcquireConsumer(
            state_pb2.AcquireConsumerRequest(consumer="reader", owner_id=f"n{number}")
        )
        for number, each in enumerate(pair)
    ]
    answers = await asyncio.gather(*asked, return_exceptions=True)
    assert sum(not isinstance(answer, Exception) for answer in answers) == 1


async def test_a_cluster_is_never_overbooked_through_both(pair):
    await put_cluster(pair[0].stub, capacity=resources(vcpus=32, slots=8))
    names = [f"ws-{number}" for number in range(6)]
    for name in names:
        await register(pair[0].stub, name, requirements=needs(vcpus=16))
    answers = await asyncio.gather(
        *(
            acquire(pair[number % 2].stub, name, cluster_name="c1")
            for number, name in enumerate(names)
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(answer, int) for answer in answers) == 2
    (cluster,) = (await pair[1].stub.ListClusters(state_pb2.ListClustersRequest())).clusters
    assert (cluster.reserved.vcpus, cluster.reserved.slots) == (32, 2)


async def test_a_dependency_is_met_once_whichever_replica_saw_its_end(pair):
    a, b = (each.stub for each in pair)
    await register(a, "first")
    await register(b, "second", depends_on=["first"])
    await complete(b, "first")
    async with asyncio.timeout(30):
        while not (await get(a, "second")).dependencies_met:  # noqa: ASYNC110 - as callers see it
            await asyncio.sleep(0.05)
    kinds = [event.type for event in await events(a, "second")]
    assert kinds == [event_pb2.EVENT_TYPE_REGISTERED, event_pb2.EVENT_TYPE_DEPENDENCY_MET]


async def test_one_goes_on_when_the_other_stops(shared):
    async with replica(shared) as stays:
        async with replica(shared) as goes:
            await register(goes.stub, "ws-1")
            async with watching(goes.stub, from_beginning=True) as watch:
                await watch.to_the_end()
        await acquire(stays.stub, "ws-1")
        async with watching(stays.stub, cursor=watch.cursor) as resumed:
            found = await resumed.until(1)
        assert [event.version for event in found] == [2]


# --- a writer that is held between its decision and its commit ---

# Real time, and longer than any overlap that a feed by time would be given.
HELD_SECONDS = 5.0


class Held:
    """Holds the first commit on a subject until it is let go, as a stopped process would."""

    def __init__(self, subject_id):
        self.subject_id = subject_id
        self.reached = asyncio.Event()
        self.go_on = asyncio.Event()
        self.tries = 0

    async def __call__(self, commit):
        if commit.event.subject_id != self.subject_id:
            return
        self.tries += 1
        if self.tries == 1:
            self.reached.set()
            await self.go_on.wait()


async def test_nothing_lands_behind_a_reader_when_a_writer_was_held(shared, faults):
    """The slot that it decided on is taken meanwhile: it decides again, and lands at the end."""
    async with (
        replica(shared, make_store=faults) as slow,
        replica(shared) as quick,
        watching(quick.stub) as watch,
    ):
        await watch.next()
        await register(quick.stub, "ws-1")
        held = faults.store.before_commit = Held("ws-1")
        late = asyncio.ensure_future(
            slow.stub.UpdateWorkset(
                state_pb2.UpdateWorksetRequest(
                    workset_id="ws-1", labels={"late": "yes"}, update_mask={"paths": ["labels"]}
                )
            )
        )
        await held.reached.wait()
        token = await run(quick.stub, "ws-1")
        await set_state(quick.stub, "ws-1", COMPLETE, token)
        await watch.until(4)
        read_up_to = watch.cursor
        await asyncio.sleep(HELD_SECONDS)
        held.go_on.set()
        await late
        assert held.tries == 2
        found = await watch.until(5)
        assert [event.version for event in found] == [1, 2, 3, 4, 5]
        for each in (slow, quick):
            async with watching(each.stub, cursor=read_up_to) as rest:
                (event,) = await rest.until(1)
            assert (event.version, event.type) == (5, event_pb2.EVENT_TYPE_UPDATED)
        after = await get(quick.stub, "ws-1")
        assert (after.state, after.version, dict(after.labels)) == (COMPLETE, 5, {"late": "yes"})


async def test_a_writer_that_was_held_takes_no_lock_that_is_given_meanwhile(shared, faults):
    async with replica(shared, make_store=faults) as slow, replica(shared) as quick:
        await register(quick.stub, "ws-1")
        held = faults.store.before_commit = Held("ws-1")
        late = asyncio.ensure_future(refused(acquire(slow.stub, "ws-1", owner_id="late")))
        await held.reached.wait()
        token = await acquire(quick.stub, "ws-1", owner_id="quick")
        held.go_on.set()
        assert (await late).reason == "LOCK_HELD"
        await renew(quick.stub, "ws-1", token)


async def test_a_takeover_that_was_held_does_not_undo_a_renewal(shared, faults):
    """A renewal has no version: what it wrote must outlive a commit that was decided before it."""
    async with replica(shared, make_store=faults) as slow, replica(shared) as quick:
        await register(quick.stub, "ws-1")
        token = await run(quick.stub, "ws-1", lease=seconds(60))
        held = faults.store.before_commit = Held("ws-1")
        late = asyncio.ensure_future(
            slow.stub.UpdateWorkset(
                state_pb2.UpdateWorksetRequest(
                    workset_id="ws-1", labels={"late": "yes"}, update_mask={"paths": ["labels"]}
                )
            )
        )
        await held.reached.wait()
        lock = await renew(quick.stub, "ws-1", token, lease=seconds(600), progress={"percent": 70})
        held.go_on.set()
        await late
        after = await get(quick.stub, "ws-1")
        assert (after.lock, after.progress.percent) == (lock, 70)
        assert dict(after.labels) == {"late": "yes"}


async def test_updates_at_once_lose_nothing_of_each_other(pair):
    await register(pair[0].stub, "ws-1", labels={"a": "b"})

    async def label(number):
        await pair[number % 2].stub.UpdateWorkset(
            state_pb2.UpdateWorksetRequest(
                workset_id="ws-1",
                labels={"n": f"{number}"},
                update_mask={"paths": ["labels"]},
            )
        )

    async def require(number):
        await pair[number % 2].stub.UpdateWorkset(
            state_pb2.UpdateWorksetRequest(
                workset_id="ws-1",
                requirements=needs(preferred_cluster=f"c{number}"),
                update_mask={"paths": ["requirements"]},
            )
        )

    for number in range(6):
        await asyncio.gather(label(number), require(number))
        found = await get(pair[0].stub, "ws-1")
        assert dict(found.labels) == {"n": f"{number}"}
        assert found.requirements.preferred_cluster == f"c{number}"


async def test_a_change_in_the_middle_of_a_read_is_not_undone(shared, faults):
    """A batch of reads is no snapshot: what was read of the parts may be older than the workset."""
    async with replica(shared, make_store=faults) as torn, replica(shared) as other:
        await register(other.stub, "ws-1", labels={"a": "b"})
        token = await run(other.stub, "ws-1")

        async def relabel():
            await other.stub.UpdateWorkset(
                state_pb2.UpdateWorksetRequest(
                    workset_id="ws-1", labels={"new": "yes"}, update_mask={"paths": ["labels"]}
                )
            )

        async def measure():
            await set_state(other.stub, "ws-1", IN_PROGRESS, token, metrics=struct(reads=1))

        faults.store.within_read = relabel
        await torn.stub.UpdateWorkset(
            state_pb2.UpdateWorksetRequest(
                workset_id="ws-1",
                requirements=needs(preferred_cluster="c1"),
                update_mask={"paths": ["requirements"]},
            )
        )
        faults.store.within_read = measure
        await set_state(torn.stub, "ws-1", IN_PROGRESS, token, metrics=struct(cost_usd=2))
        found = await get(other.stub, "ws-1")
        assert dict(found.labels) == {"new": "yes"}
        assert found.requirements.preferred_cluster == "c1"
        assert found.metrics == struct(reads=1, cost_usd=2)


async def test_who_changes_what_was_shown_in_the_middle_of_a_change_is_told(shared, faults):
    """What a workset is shown with is never older than the version that it is shown with."""
    async with replica(shared, make_store=faults) as torn, replica(shared) as other:
        await register(other.stub, "ws-1", labels={"a": "b"})

        async def relabel():
            await label(other, {"a": "b", "new": "yes"})

        async def label(state, labels, version=0):
            await state.stub.UpdateWorkset(
                state_pb2.UpdateWorksetRequest(
                    workset_id="ws-1",
                    labels=labels,
                    update_mask={"paths": ["labels"]},
                    expected_version=version,
                )
            )

        faults.store.within_read = relabel
        shown = await get(torn.stub, "ws-1")
        more = {**shown.labels, "more": "yes"}
        if (shown.version, dict(shown.labels)) != (2, {"a": "b", "new": "yes"}):
            refusal = await refused(label(torn, more, shown.version))
            assert refusal.reason == "VERSION_MISMATCH"
        assert (await get(other.stub, "ws-1")).labels["new"] == "yes"


async def test_an_answer_that_one_lost_is_found_by_the_other(shared, faults):
    async with replica(shared, make_store=faults) as losing, replica(shared) as other:
        await register(other.stub, "ws-1")
        asked = state_pb2.AcquireLockRequest(workset_id="ws-1", owner_id="m1", request_id="r-1")
        faults.store.lost_answers = 1
        refusal = await refused(losing.stub.AcquireLock(asked))
        assert (refusal.code, refusal.reason) == (grpc.StatusCode.UNAVAILABLE, "OUTCOME_UNKNOWN")
        assert (await other.stub.AcquireLock(asked)).lock_token == 1
        assert len(await events(other.stub, "ws-1")) == 2


# --- reaping ---


async def live(clock, seconds_, *all_faults):
    """Lets time pass for replicas that have their heartbeats answered in between."""
    for _ in range(seconds_):
        before = [faults.store.beats for faults in all_faults]
        await clock.advance(1)
        async with asyncio.timeout(30):
            while any(  # noqa: ASYNC110 - they beat in the time of the test
                faults.store.beats == beats
                for faults, beats in zip(all_faults, before, strict=True)
            ):
                await asyncio.sleep(0.001)
        for _ in range(3):  # a look at a lock, and what is committed for it
            await clock.settle()
            for faults in all_faults:
                await faults.store.idle()


async def test_a_dead_holder_is_timed_out_once_by_two_replicas(shared, clock):
    one, two = Faults(), Faults()
    async with replica(shared, clock, one) as first, replica(shared, clock, two) as second:
        await register(first.stub, "ws-1")
        await live(clock, 2, one, two)
        await run(second.stub, "ws-1", lease=seconds(10))
        await live(clock, 10, one, two)
        assert (await get(first.stub, "ws-1")).state == IN_PROGRESS
        await live(clock, 5, one, two)
        found = await get(first.stub, "ws-1")
        assert (found.state, found.infrastructure_failures) == (READY, 1)
        kinds = [event.type for event in await events(second.stub, "ws-1")]
        assert kinds.count(event_pb2.EVENT_TYPE_LOCK_TIMEOUT) == 1


async def test_a_replica_that_lost_its_store_leaves_reaping_to_the_other(shared, clock):
    one, two = Faults(), Faults()
    async with replica(shared, clock, one), replica(shared, clock, two) as second:
        await register(second.stub, "ws-1")
        await live(clock, 2, one, two)
        await run(second.stub, "ws-1", lease=seconds(10))
        one.store.away = True
        await live(clock, 15, one, two)
        assert (await get(second.stub, "ws-1")).state == READY
