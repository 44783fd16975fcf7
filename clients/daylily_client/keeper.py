"""Keeping a lock while a pipeline runs for hours, through outages of the control plane.

A holder knows three things about its lock, and the difference between the last two is the point:

    HELD         by the holder's own clock the lease has not run out. The clock starts before the
                 first send of the renewal that got through, so it runs out here before it does at
                 state, however long the answer took.
    UNCONFIRMED  the lease ran out and no renewal got through. Nobody may have noticed, for as long
                 as state is down nobody can take the lock. The pipeline runs on, nothing is
                 published, and renewals are sent for ever.
    LOST         state said so. The work is stopped.

An outage therefore stops no pipeline; in a partition two may compute, but one alone publishes:
each publishing step waits for `LockKeeper.confirmed`, a renewal that was sent after the step was
asked for and got through. That also finds a takeover by force, a cancel, and a lease that ran out
while the machine slept.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from enum import Enum
from types import TracebackType
from typing import Protocol, TypeVar

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2
from google.protobuf import duration_pb2
from typing_extensions import Self

from daylily_client.calling import new_request_id
from daylily_client.errors import (
    Contention,
    DaylilyError,
    DeadlineExceeded,
    LockLost,
    Overloaded,
    Unavailable,
    WorksetCancelled,
    WorksetNotFound,
)
from daylily_client.options import RetryPolicy
from daylily_client.retries import backoff
from daylily_client.timing import AsyncTime
from daylily_client.values import duration

Written = TypeVar("Written")

# The only answers that take a lock away.
FINAL = (LockLost, WorksetCancelled, WorksetNotFound)
# A write that ended so is worth sending again.
PASSING = (Unavailable, DeadlineExceeded, Contention, Overloaded)

LONGEST_ATTEMPT = 10.0


class LockState(Enum):
    """What a holder knows about its lock."""

    HELD = "the lease has not run out"
    UNCONFIRMED = "the lease ran out here, and state has not said that the lock is lost"
    LOST = "state said that the lock is lost, or the workset cancelled"
    ENDED = "the holder itself ended it, or stopped keeping it"


class LockCalls(Protocol):
    """The part of `AsyncStateClient` that a keeper uses."""

    def with_timeout(self, seconds: float) -> Self: ...

    async def renew_lock(
        self,
        *,
        workset_id: str = ...,
        lock_token: int = ...,
        lease: duration_pb2.Duration | None = ...,
        progress: workset_pb2.Progress | None = ...,
    ) -> state_pb2.RenewLockResponse: ...

    async def release_lock(
        self,
        *,
        workset_id: str = ...,
        lock_token: int = ...,
        reason: str = ...,
        request_id: str = ...,
    ) -> state_pb2.ReleaseLockResponse: ...


class LockKeeper:
    """Renews one lock every third of its lease, and knows what may be done under it.

    Use it as an async context manager: it renews while the block runs and stops at its end. Leaving
    the block does not give the lock back; `conclude` and `release` do.

    Args:
        state: the client to renew through.
        workset_id: the workset that is locked.
        lock_token: the token that the grant came with.
        lease: how long the lock lasts from a renewal on.
        sent_at: `time.monotonic()` before the first send of the call that got the lock; use the
            client's own clock, `state.time.monotonic()`.
        on_change: called with each new state, in the event loop; it must not raise.
        time: for tests.
    """

    def __init__(
        self,
        state: LockCalls,
        *,
        workset_id: str,
        lock_token: int,
        lease: timedelta,
        sent_at: float,
        on_change: Callable[[LockState], None] = lambda _: None,
        time: AsyncTime | None = None,
    ) -> None:
        self.workset_id = workset_id
        self.lock_token = lock_token
        self.lost_by: DaylilyError | None = None
        self.last_failure: DaylilyError | None = None
        self._calls = state
        self._time = time or AsyncTime()
        self._on_change = on_change
        self._lease = lease.total_seconds()
        self._valid_until = sent_at + self._lease
        self._next_renewal = sent_at + self._lease / 3
        self._announced = LockState.HELD
        self._progress: workset_pb2.Progress | None = None
        # Renewals are numbered: a gate asks for one that is sent after it began to wait.
        self._sent = 0
        self._through = 0
        self._failures = 0
        self._concluding = False
        self._doubt: DaylilyError | None = None
        self._ended = False
        self._wake = asyncio.Event()
        self._changed = asyncio.Event()
        self._tasks: tuple[asyncio.Task[None], ...] = ()

    async def __aenter__(self) -> Self:
        self._tasks = (
            asyncio.create_task(self._renew_for_ever()),
            asyncio.create_task(self._announce_expiry()),
        )
        for task in self._tasks:
            task.add_done_callback(lambda _: self._notify())
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.stop()

    @property
    def state(self) -> LockState:
        """What is known now. Read from the clock, so it is right even in an event loop that hung."""
        if self._ended:
            return LockState.ENDED
        if self.lost_by is not None:
            return LockState.LOST
        if self._time.monotonic() < self._valid_until:
            return LockState.HELD
        return LockState.UNCONFIRMED

    def report(self, *, step: str = "", percent: int = 0, message: str = "") -> None:
        """Sets the progress that the next renewal carries."""
        self._progress = workset_pb2.Progress(step=step, percent=percent, message=message)

    async def confirmed(self) -> None:
        """Waits until a renewal that is sent after this call has got through.

        The gate of every step that publishes something: an export, a sentinel, a state write. It
        waits for as long as state is away.

        Raises:
            LockLost, WorksetCancelled, WorksetNotFound: state said that the lock is lost.
            RuntimeError: the keeper was stopped, or the lock ended.
        """
        number = self._sent + 1
        self._wake.set()
        await self._until(lambda: self._through >= number)

    async def wait_lost(self) -> DaylilyError | None:
        """Waits until the lock is lost and returns what state said; None when it ended otherwise."""
        while self.lost_by is None and not self._ended:
            await self._next_change()
        return self.lost_by

    async def conclude(self, write: Callable[[], Awaitable[Written]]) -> Written:
        """Ends the lock by the holder's last write, such as UpdateState to COMPLETE.

        Waits for `confirmed`, then writes until there is an answer, renewing meanwhile. When the
        write landed and its answer was lost, a renewal finds the lock gone: that is not taken for a
        loss, the answer of the write decides. So `write` must carry the same request_id each time.

        Raises:
            LockLost, WorksetCancelled, WorksetNotFound: state said that the lock is lost.
            DaylilyError: the write was refused for a reason that waiting does not change; the lock
                is kept on.
        """
        await self.confirmed()
        return await self._end_by(write)

    async def release(self, reason: str = "") -> None:
        """Gives the workset back; after a cancel, acknowledges it. Tries until state answers.

        Raises:
            LockLost, WorksetNotFound: the lock is somebody else's by now.
        """
        if isinstance(self.lost_by, LockLost | WorksetNotFound):
            raise self.lost_by
        request_id = new_request_id()
        await self._end_by(
            lambda: self._calls.release_lock(
                workset_id=self.workset_id,
                lock_token=self.lock_token,
                reason=reason,
                request_id=request_id,
            )
        )

    async def stop(self) -> None:
        """Stops renewing and leaves the lock as it is. May be called twice, and before the start."""
        if self.lost_by is None:
            self._end()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def _end_by(self, write: Callable[[], Awaitable[Written]]) -> Written:
        self._concluding = True
        failures = 0
        try:
            while True:
                try:
                    written = await write()
                except PASSING as error:
                    pause = self._pause(error, failures)
                    failures += 1
                except FINAL as error:
                    self._lose(error)
                    raise
                else:
                    self._end()
                    return written
                await self._time.sleep(pause)
        finally:
            self._concluding = False
            if self._doubt is not None and not self._ended:
                self._lose(self._doubt)

    async def _renew_for_ever(self) -> None:
        while self._worth_renewing():
            await self._until_next_renewal()
            if self._worth_renewing():  # the wait also ends when the lock does
                await self._renew()

    def _worth_renewing(self) -> bool:
        return self.lost_by is None and not self._ended and self._doubt is None

    async def _renew(self) -> None:
        self._sent += 1
        number, progress = self._sent, self._progress
        sent_at = self._time.monotonic()
        try:
            answer = await self._calls.with_timeout(
                min(self._lease / 3, LONGEST_ATTEMPT)
            ).renew_lock(
                workset_id=self.workset_id,
                lock_token=self.lock_token,
                lease=duration(self._lease),
                progress=progress,
            )
        except FINAL as error:
            if self._concluding:
                self._doubt = error
            else:
                self._lose(error)
        except DaylilyError as error:
            # Whatever else went wrong, state did not say that the lock is lost.
            self.last_failure = error
            self._next_renewal = self._time.monotonic() + self._pause(error, self._failures)
            self._failures += 1
        else:
            self._failures = 0
            self.last_failure = None
            self._through = number
            if self._progress is progress:
                self._progress = None
            self._lease = answer.lock.lease.ToTimedelta().total_seconds() or self._lease
            self._valid_until = max(self._valid_until, sent_at + self._lease)
            self._next_renewal = sent_at + self._lease / 3
        self._notify()

    def _pause(self, error: DaylilyError, failures: int) -> float:
        policy = RetryPolicy(first_pause=0.5, longest_pause=min(self._lease / 6, 15.0))
        return (error.retry_after or 0.0) + backoff(policy, failures, self._time.random())

    async def _until_next_renewal(self) -> None:
        delay = self._next_renewal - self._time.monotonic()
        if delay > 0:
            await self._until_first(self._time.sleep(delay), self._wake.wait())
        self._wake.clear()

    async def _announce_expiry(self) -> None:
        """Tells `on_change` when the lease runs out, which is no event but the passing of time."""
        while self.lost_by is None and not self._ended:
            delay = self._valid_until - self._time.monotonic()
            self._announce()
            if delay > 0:
                await self._time.sleep(delay)
            else:
                await self._next_change()

    @staticmethod
    async def _until_first(*awaitables: Awaitable[object]) -> None:
        tasks = [asyncio.ensure_future(awaitable) for awaitable in awaitables]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()

    async def _until(self, reached: Callable[[], bool]) -> None:
        while True:
            if self.lost_by is not None:
                raise self.lost_by
            if reached():
                return
            if self._ended or not self._tasks:
                raise RuntimeError(f"the lock of {self.workset_id} is not kept any more")
            await self._next_change()

    async def _next_change(self) -> None:
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()  # a fault of the keeper itself must not look like waiting
        await self._changed.wait()

    def _notify(self) -> None:
        self._announce()
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    def _announce(self) -> None:
        if self.state is not self._announced:
            self._announced = self.state
            self._on_change(self.state)

    def _lose(self, error: DaylilyError) -> None:
        if self.lost_by is None and not self._ended:
            self.lost_by = error
            self._wake.set()
        self._notify()

    def _end(self) -> None:
        self._ended = True
        self._wake.set()
        self._notify()
