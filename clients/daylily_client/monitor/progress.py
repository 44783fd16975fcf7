"""Tells state how far a run is: a step when it changes, the end of the log now and then."""

import asyncio
from collections.abc import Callable
from datetime import timedelta

from daylily_client import (
    AsyncStateClient,
    DaylilyError,
    LockLost,
    NotFound,
    WorksetCancelled,
)
from daylily_client.monitor.steps import INITIALIZING, Step

_SECONDS_TO_ANSWER = 5.0


class ProgressReports:
    """Sends what is new, one report at a time. A report that fails is made up for by the next."""

    def __init__(
        self,
        state: AsyncStateClient,
        *,
        workset_id: str,
        lock_token: int,
        interval: timedelta,
        log_tail: Callable[[], str],
        on_loss: Callable[[], None],
    ) -> None:
        """`on_loss` is called when state answers that the lock is lost or the workset cancelled."""
        self._state = state.with_timeout(_SECONDS_TO_ANSWER)
        self._workset_id = workset_id
        self._lock_token = lock_token
        self._interval = interval.total_seconds()
        self._log_tail = log_tail
        self._on_loss = on_loss
        self._changed = asyncio.Event()
        self._sent: tuple[Step, str] | None = None
        self.step = Step(INITIALIZING)

    def enter(self, step: Step) -> None:
        """The run is at this step from now on."""
        if step != self.step:
            self.step = step
            self._changed.set()

    async def send_for_ever(self) -> None:
        while True:
            await self.send()
            try:
                await asyncio.wait_for(self._changed.wait(), self._interval)
            except asyncio.TimeoutError:
                continue

    async def send(self) -> None:
        """Send the step and the log's end, if they are not what was sent last."""
        self._changed.clear()
        step, tail = self.step, self._log_tail()
        if (step, tail) == self._sent:
            return
        try:
            await self._state.report_progress(
                workset_id=self._workset_id,
                lock_token=self._lock_token,
                step=step.name,
                percent=step.percent,
                message=step.message,
                log_tail=tail,
            )
        except (LockLost, WorksetCancelled, NotFound):
            self._on_loss()
        except DaylilyError:
            return  # an outage is the lock keeper's matter, and in its log
        else:
            self._sent = (step, tail)
