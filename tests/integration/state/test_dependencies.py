"""Worksets that wait for others, from registration to the events that tell how it went."""

import asyncio
from itertools import pairwise

from daylily.workset.v1 import event_pb2

from tests.integration.state.asking import (
    DATA,
    IGNORED,
    READY,
    acquire,
    cancel,
    complete,
    events,
    fail,
    get,
    register,
    restore,
)
from tests.integration.state.refusals import refused
from tests.integration.state.replicas import replica, settings_on_file

MET = event_pb2.EVENT_TYPE_DEPENDENCY_MET
FAILED = event_pb2.EVENT_TYPE_DEPENDENCY_FAILED


async def told(stub, workset_id, kind, count=1):
    """The events of this type on a workset, when there are as many."""
    async with asyncio.timeout(30):
        while True:
            found = [event for event in await events(stub, workset_id) if event.type == kind]
            if len(found) >= count:
                return found
            await asyncio.sleep(0.02)


async def test_a_workset_can_start_when_the_last_of_all_is_complete(stub):
    for name in ("a", "b", "c"):
        await register(stub, name)
    await register(stub, "all", depends_on=["a", "b", "c"])
    for name in ("b", "a"):
        await complete(stub, name)
    assert (await refused(acquire(stub, "all"))).metadata["dependency"] == "c"
    await complete(stub, "c")
    (met,) = await told(stub, "all", MET)
    assert (met.actor, met.from_state, met.to_state) == ("state", READY, READY)
    assert (await get(stub, "all")).dependencies_met
    assert await acquire(stub, "all") == 1


async def test_a_chain_is_met_link_by_link(stub):
    names = [f"w{number}" for number in range(5)]
    for before, name in zip(["", *names], names, strict=False):
        await register(stub, name, depends_on=[before] if before else [])
    for name, following in pairwise(names):
        await complete(stub, name)
        await told(stub, following, MET)
    assert await acquire(stub, names[-1]) == 1


async def test_a_dependency_that_fails_or_is_cancelled_is_an_event_and_a_reason(stub):
    for name in ("a", "b"):
        await register(stub, name)
    await register(stub, "both", depends_on=["a", "b"])
    await fail(stub, "a", DATA)
    (first,) = await told(stub, "both", FAILED)
    assert first.details["dependency"] == "a"
    assert first.details["state"] == "ERROR"
    await cancel(stub, "b")
    found = await told(stub, "both", FAILED, 2)
    assert found[1].details["dependency"] == "b"
    assert (await get(stub, "both")).state == READY
    refusal = await refused(acquire(stub, "both"))
    assert (refusal.reason, refusal.metadata["state"]) == ("DEPENDENCY_NOT_MET", "ERROR")
    for name in ("a", "b"):
        await restore(stub, name)
        await complete(stub, name)
    await told(stub, "both", MET)


async def test_one_that_waited_and_was_cancelled_is_told_and_may_be_restored(stub):
    await register(stub, "a")
    await register(stub, "b", depends_on=["a"])
    await cancel(stub, "b")
    await complete(stub, "a")
    await told(stub, "b", MET)
    assert (await get(stub, "b")).state == IGNORED
    await restore(stub, "b")
    assert await acquire(stub, "b") == 1


async def test_a_hundred_wait_for_one(stub):
    await register(stub, "a")
    names = [f"w{number}" for number in range(110)]
    await asyncio.gather(*(register(stub, name, depends_on=["a"]) for name in names))
    await complete(stub, "a")
    for name in names:
        await told(stub, name, MET)


async def test_the_successor_of_a_server_that_stopped_goes_on_at_once(file):
    async with replica(settings_on_file(file)) as first:
        await register(first.stub, "a")
        await register(first.stub, "b", depends_on=["a"])
    async with replica(settings_on_file(file)) as second:
        await complete(second.stub, "a")
        await told(second.stub, "b", MET)
