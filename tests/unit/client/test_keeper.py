"""The lock keeper, second by second; tests/property/client puts it through random outages."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2

from daylily_client import (
    DaylilyError,
    InvalidField,
    LockKeeper,
    LockLost,
    LockState,
    PermissionDenied,
    StoreUnavailable,
    WorksetCancelled,
    duration,
)
from tests.support.virtual_time import VirtualTime

LEASE = 90.0


@dataclass
class Lock:
    """A lock at a state service that answers as the test says."""

    clock: VirtualTime
    slow: float = 0.0
    refusal: DaylilyError | None = None
    renewals: list[float] = field(default_factory=list)
    progress: list[str] = field(default_factory=list)
    releases: list[str] = field(default_factory=list)
    release_refusals: list[DaylilyError] = field(default_factory=list)

    def with_timeout(self, seconds: float) -> "Lock":
        return self

    async def renew_lock(
        self,
        *,
        workset_id: str = "",
        lock_token: int = 0,
        lease: object = None,
        progress: workset_pb2.Progress | None = None,
    ) -> state_pb2.RenewLockResponse:
        self.renewals.append(self.clock.seconds)
        self.progress.append(progress.step if progress else "")
        await self.clock.sleep(self.slow)
        if self.refusal:
            raise self.refusal
        return state_pb2.RenewLockResponse(lock=workset_pb2.Lock(lease=duration(LEASE)))

    async def release_lock(
        self, *, workset_id: str = "", lock_token: int = 0, reason: str = "", request_id: str = ""
    ) -> state_pb2.ReleaseLockResponse:
        self.releases.append(request_id)
        if self.release_refusals:
            raise self.release_refusals.pop(0)
        return state_pb2.ReleaseLockResponse()


@pytest.fixture
def clock() -> VirtualTime:
    return VirtualTime()


@pytest.fixture
def lock(clock: VirtualTime) -> Lock:
    return Lock(clock)


@asynccontextmanager
async def kept(
    lock: Lock, on_change: Callable[[LockState], None] = lambda _: None
) -> AsyncIterator[LockKeeper]:
    async with LockKeeper(
        lock,
        workset_id="ws-1",
        lock_token=7,
        lease=timedelta(seconds=LEASE),
        sent_at=lock.clock.seconds,
        on_change=on_change,
        time=lock.clock.time,
    ) as keeper:
        yield keeper


async def test_a_lock_is_renewed_every_third_of_its_lease(clock: VirtualTime, lock: Lock):
    async with kept(lock):
        await clock.advance(100)
    assert lock.renewals == [30, 60, 90]


async def test_the_lease_counts_from_the_sending_of_a_renewal_and_not_from_its_answer(
    clock: VirtualTime, lock: Lock
):
    async with kept(lock) as keeper:
        lock.slow = 20
        await clock.advance(50)
        lock.refusal = StoreUnavailable("away")
        await clock.advance(30 + 90 - 50 - 1)
        assert keeper.state is LockState.HELD
        await clock.advance(1)
        assert keeper.state is LockState.UNCONFIRMED


async def test_a_lock_granted_long_ago_is_renewed_at_once(clock: VirtualTime, lock: Lock):
    async with LockKeeper(
        lock,
        workset_id="ws-1",
        lock_token=7,
        lease=timedelta(seconds=LEASE),
        sent_at=-200,
        time=clock.time,
    ) as keeper:
        assert keeper.state is LockState.UNCONFIRMED
        await clock.settle()
        assert keeper.state is LockState.HELD


async def test_an_outage_makes_the_lock_unconfirmed_and_its_end_makes_it_held(
    clock: VirtualTime, lock: Lock
):
    told: list[LockState] = []
    async with kept(lock, told.append) as keeper:
        lock.refusal = StoreUnavailable("away")
        await clock.advance(24 * 3600)
        assert keeper.state is LockState.UNCONFIRMED
        assert keeper.last_failure is lock.refusal
        lock.refusal = None
        await clock.advance(20)
        assert keeper.state is LockState.HELD
    assert told == [LockState.UNCONFIRMED, LockState.HELD, LockState.ENDED]


async def test_no_other_refusal_takes_the_lock_away(clock: VirtualTime, lock: Lock):
    async with kept(lock) as keeper:
        lock.refusal = PermissionDenied("certificate expired")
        await clock.advance(LEASE * 3)
        assert keeper.state is LockState.UNCONFIRMED


@pytest.mark.parametrize("refusal", [LockLost("gone"), WorksetCancelled("cancelled")])
async def test_state_alone_takes_the_lock_away(
    refusal: DaylilyError, clock: VirtualTime, lock: Lock
):
    async with kept(lock) as keeper:
        waiting = asyncio.ensure_future(keeper.wait_lost())
        lock.refusal = refusal
        await clock.advance(31)
        assert keeper.state is LockState.LOST
        assert await waiting is refusal
        with pytest.raises(type(refusal)):
            await keeper.confirmed()
        await clock.advance(LEASE)
    assert lock.renewals == [30]


async def test_a_gate_sends_a_renewal_of_its_own(clock: VirtualTime, lock: Lock):
    async with kept(lock) as keeper:
        await clock.advance(5)
        await keeper.confirmed()
        assert lock.renewals == [5]


async def test_a_gate_does_not_open_by_a_renewal_that_was_under_way(clock: VirtualTime, lock: Lock):
    async with kept(lock) as keeper:
        lock.slow = 4
        await clock.advance(31)
        gate = asyncio.ensure_future(keeper.confirmed())
        await clock.advance(3)
        assert not gate.done()
        await clock.advance(4)
        assert gate.done()
        assert lock.renewals == [30, 34]


async def test_a_gate_waits_through_an_outage(clock: VirtualTime, lock: Lock):
    async with kept(lock) as keeper:
        lock.refusal = StoreUnavailable("away")
        gate = asyncio.ensure_future(keeper.confirmed())
        await clock.advance(3600)
        assert not gate.done()
        lock.refusal = None
        await clock.advance(20)
        assert gate.done()


async def test_progress_rides_on_the_next_renewal_until_one_got_through(
    clock: VirtualTime, lock: Lock
):
    async with kept(lock) as keeper:
        keeper.report(step="run_pipeline", percent=40)
        lock.refusal = StoreUnavailable("away")
        await clock.advance(30)
        lock.refusal = None
        await clock.advance(40)
    assert lock.progress[0] == lock.progress[1] == "run_pipeline"
    assert not any(lock.progress[2:])


async def test_the_last_write_is_repeated_while_the_lock_is_renewed(clock: VirtualTime, lock: Lock):
    tries: list[float] = []

    async def complete() -> str:
        tries.append(clock.seconds)
        if clock.seconds < 200:
            raise StoreUnavailable("away")
        return "done"

    async with kept(lock) as keeper:
        ending = asyncio.ensure_future(keeper.conclude(complete))
        await clock.advance(220)
        assert ending.done()
        assert keeper.state is LockState.ENDED
    assert len(tries) > 5
    assert lock.renewals[:4] == [0, 30, 60, 90]


async def test_a_lock_that_the_last_write_itself_ended_is_not_lost(clock: VirtualTime, lock: Lock):
    async def complete() -> str:
        # It lands, its answer is lost, and the next renewal finds the lock gone.
        lock.refusal = LockLost("the workset is COMPLETE")
        if clock.seconds < 50:
            raise StoreUnavailable("the connection broke")
        return "done"

    async with kept(lock) as keeper:
        ending = asyncio.ensure_future(keeper.conclude(complete))
        await clock.advance(70)
        assert ending.result() == "done"
        assert keeper.state is LockState.ENDED
        assert await keeper.wait_lost() is None


async def test_a_last_write_that_is_refused_for_good_leaves_the_lock_kept(
    clock: VirtualTime, lock: Lock
):
    async def complete() -> None:
        raise InvalidField("metrics are too large")

    async with kept(lock) as keeper:
        with pytest.raises(InvalidField):
            await keeper.conclude(complete)
        assert keeper.state is LockState.HELD
        await clock.advance(31)
        assert len(lock.renewals) == 2


async def test_a_last_write_that_finds_the_lock_taken_says_so(clock: VirtualTime, lock: Lock):
    async def complete() -> None:
        raise LockLost("somebody else has it")

    async with kept(lock) as keeper:
        with pytest.raises(LockLost):
            await keeper.conclude(complete)
        assert keeper.state is LockState.LOST


async def test_a_release_is_one_intent_however_often_it_is_sent(clock: VirtualTime, lock: Lock):
    lock.release_refusals = [StoreUnavailable("away"), StoreUnavailable("away")]
    async with kept(lock) as keeper:
        giving_back = asyncio.ensure_future(keeper.release("stopping"))
        await clock.advance(30)
        assert giving_back.done()
    assert len(lock.releases) == 3
    assert len(set(lock.releases)) == 1


async def test_a_lock_that_ended_is_not_renewed_any_more(clock: VirtualTime, lock: Lock):
    async with kept(lock) as keeper:
        await keeper.release()
        await clock.advance(LEASE)
        assert lock.renewals == []


async def test_a_fault_in_the_keeper_itself_reaches_those_who_wait(clock: VirtualTime, lock: Lock):
    def fails(state: LockState) -> None:
        if state is LockState.UNCONFIRMED:
            raise ZeroDivisionError

    async with kept(lock, fails) as keeper:
        waiting = asyncio.ensure_future(keeper.wait_lost())
        lock.refusal = StoreUnavailable("away")
        await clock.advance(LEASE + 1)
        with pytest.raises(ZeroDivisionError):
            await waiting


async def test_a_cancel_is_acknowledged_by_a_release(clock: VirtualTime, lock: Lock):
    async with kept(lock) as keeper:
        lock.refusal = WorksetCancelled("an operator cancelled it")
        await clock.advance(31)
        await keeper.release("stopped the run")
    assert len(lock.releases) == 1


async def test_a_lost_lock_cannot_be_given_back(clock: VirtualTime, lock: Lock):
    async with kept(lock) as keeper:
        lock.refusal = LockLost("gone")
        await clock.advance(31)
        with pytest.raises(LockLost):
            await keeper.release()
    assert lock.releases == []


async def test_a_lost_lock_stays_lost_when_the_keeper_stops(clock: VirtualTime, lock: Lock):
    async with kept(lock) as keeper:
        lock.refusal = LockLost("gone")
        await clock.advance(31)
    assert keeper.state is LockState.LOST


async def test_a_gate_of_a_stopped_keeper_fails_instead_of_waiting(lock: Lock):
    async with kept(lock) as keeper:
        await keeper.stop()
        await keeper.stop()
        with pytest.raises(RuntimeError):
            await keeper.confirmed()
