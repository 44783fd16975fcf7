"""Sixteen monitors race for one backlog, without a scheduler between: state alone keeps them apart."""

import asyncio
import random
from collections import Counter

import grpc
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2

from tests.integration.state.asking import (
    COMPLETE,
    IN_PROGRESS,
    READY,
    acquire,
    register,
    release,
    set_state,
)
from tests.integration.state.refusals import refusal
from tests.integration.state.watching import watching

MONITORS = 16
LOST_RACES = {"LOCK_HELD", "ILLEGAL_TRANSITION", "CONTENTION"}


class Ledger:
    """Who works on what at this moment, by what the monitors themselves were told."""

    def __init__(self):
        self.working = {}
        self.finished = Counter()
        self.refused_for = Counter()

    def takes(self, workset_id, monitor):
        assert workset_id not in self.working, f"{workset_id} is held by two"
        self.working[workset_id] = monitor

    def leaves(self, workset_id):
        del self.working[workset_id]


async def next_of(stub, chance):
    """A workset near the head of the queue, as monitors that know nothing of each other pick."""
    answer = await stub.ListReadyWorksets(state_pb2.ListReadyWorksetsRequest(page_size=20))
    return chance.choice(answer.worksets).workset_id if answer.worksets else None


async def monitor(name, stub, ledger, total):
    """Takes, runs and completes worksets until all are done; gives every fifth back at first."""
    chance = random.Random(name)
    while ledger.finished.total() < total:
        workset_id = await next_of(stub, chance)
        if workset_id is None:
            await asyncio.sleep(0.02)
            continue
        try:
            token = await acquire(stub, workset_id, owner_id=name)
        except grpc.aio.AioRpcError as error:
            ledger.refused_for[refusal(error).reason] += 1
            continue
        ledger.takes(workset_id, name)
        if token == 1 and int(workset_id[2:]) % 5 == 0:
            ledger.leaves(workset_id)
            await release(stub, workset_id, token)
            continue
        await set_state(stub, workset_id, IN_PROGRESS, token)
        ledger.leaves(workset_id)
        await set_state(stub, workset_id, COMPLETE, token)
        ledger.finished[workset_id] += 1


async def test_no_workset_is_ever_locked_by_two_and_each_is_run_once(pair, shared):
    total = 200 if shared.store == "sqlite" else 60
    names = [f"ws{number}" for number in range(total)]
    for start in range(0, total, 20):
        some = names[start : start + 20]
        await asyncio.gather(*(register(pair[0].stub, name) for name in some))
    ledger = Ledger()
    async with asyncio.timeout(60):
        await asyncio.gather(
            *(monitor(f"m{n}", pair[n % 2].stub, ledger, total) for n in range(MONITORS))
        )
    assert ledger.refused_for.total() > 0
    assert set(ledger.refused_for) <= LOST_RACES
    assert ledger.finished == dict.fromkeys(names, 1)

    async with watching(pair[1].stub, from_beginning=True) as watch:
        # registered, locked, started, completed; and every fifth locked and given back before
        trail = await watch.until(4 * total + 2 * (total // 5))
    for name in names:
        events = [event for event in trail if event.workset_id == name]
        assert [event.version for event in events] == list(range(1, len(events) + 1))
        given_back = int(name[2:]) % 5 == 0
        tokens = [
            event.lock_token for event in events if event.type == event_pb2.EVENT_TYPE_LOCK_ACQUIRED
        ]
        assert tokens == ([1, 2] if given_back else [1])
        kinds = Counter(event.type for event in events)
        assert kinds[event_pb2.EVENT_TYPE_STARTED] == kinds[event_pb2.EVENT_TYPE_COMPLETED] == 1
        # A lock is only ever given to what is READY, so two locks never overlap.
        assert all(
            event.from_state == READY
            for event in events
            if event.type == event_pb2.EVENT_TYPE_LOCK_ACQUIRED
        )
