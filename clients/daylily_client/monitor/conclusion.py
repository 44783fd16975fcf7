"""The last write of a run: how it ended. Hours of computing hang on it."""

import asyncio
from dataclasses import replace
from typing import Any

from daylily.state.v1 import state_pb2
from daylily.workset.v1 import workset_pb2

from daylily_client import (
    AsyncStateClient,
    DaylilyError,
    FailedPrecondition,
    InvalidArgument,
    LockKeeper,
    LockLost,
    NotFound,
    WorksetCancelled,
    new_request_id,
    struct,
)
from daylily_client.monitor.logs import EventLog
from daylily_client.monitor.outcome import Outcome

_PAUSE_SECONDS = 30.0


async def write_end(
    state: AsyncStateClient, keeper: LockKeeper, outcome: Outcome, log: EventLog
) -> workset_pb2.Workset:
    """Wait until the lock is confirmed and tell state how the run ended, however long it takes.

    Returns:
        The workset as it is now: COMPLETE, ERROR, or READY if it will be tried again.

    Raises:
        LockLost, WorksetCancelled, NotFound: state says that the lock is lost.
        DaylilyError: state will not take any end of this workset.
    """
    request_id = new_request_id()
    while True:
        try:
            return await _write(state, keeper, outcome, request_id)
        except (LockLost, WorksetCancelled, NotFound, FailedPrecondition):
            raise
        except InvalidArgument as error:
            log.warning("outcome_refused", answer=error)
            if not outcome.metrics:
                raise
            # State will not take what the pipeline said. That it ended is to be said anyway.
            outcome = replace(outcome, error_details=str(error), metrics={})
            request_id = new_request_id()
        except DaylilyError as error:
            # A fault of the service, or credentials that ran out: somebody will mend it.
            log.warning("outcome_not_written", answer=error)
            await asyncio.sleep(_PAUSE_SECONDS)


async def _write(
    state: AsyncStateClient, keeper: LockKeeper, outcome: Outcome, request_id: str
) -> workset_pb2.Workset:
    request: dict[str, Any] = {"state": workset_pb2.WORKSET_STATE_COMPLETE}
    if not outcome.succeeded:
        request = {
            "state": workset_pb2.WORKSET_STATE_ERROR,
            "error_category": outcome.error_category,
            "error_details": outcome.error_details,
        }

    async def write() -> state_pb2.UpdateStateResponse:
        return await state.update_state(
            workset_id=keeper.workset_id,
            lock_token=keeper.lock_token,
            metrics=struct(outcome.metrics),
            request_id=request_id,
            **request,
        )

    answer = await keeper.conclude(write)
    return answer.workset
