"""One workset from its registration to its end, and the write units that each step costs."""

import json
from collections import defaultdict
from collections.abc import Awaitable
from datetime import timedelta
from typing import TypeVar

from daylily_runtime.testing import ManualClock
from daylily_state.app.deciding import Decider
from daylily_state.app.worksets import Worksets
from daylily_state.domain import limits
from daylily_state.domain.commands import (
    Acquire,
    Register,
    Renew,
    ReportedProgress,
    SetState,
)
from daylily_state.domain.model import Requirements, WorksetState
from daylily_state.ports import Store
from daylily_state.settings import StateSettings
from tests.support.write_units import WriteMeter

T = TypeVar("T")

BUDGET = 60
"""Units that a life may cost, the row of details apart."""
RENEWALS = 30


def worksets_on(store: Store, clock: ManualClock) -> Worksets:
    """The use cases over a store."""
    policy = StateSettings.load().retry_policy
    return Worksets(store, Decider(store, clock, lambda _: None), clock, policy)


async def live(store: Store, meter: WriteMeter, kilobytes: float) -> dict[str, int]:
    """Register with so much metadata, lock, start, renew 30 times, complete.

    Returns:
        Units by step, those of the details table apart.
    """
    clock = ManualClock()
    worksets = worksets_on(store, clock)
    costs: defaultdict[str, int] = defaultdict(int)

    async def costing(step: str, call: Awaitable[T]) -> T:
        before = meter.total(without="details")
        result = await call
        costs[step] += meter.total(without="details") - before
        return result

    workset_id = f"ws-2026-03-01-lab-7-novaseq-run-{int(kilobytes * 10):04}"
    await costing(
        "register",
        worksets.register(
            Register(
                workset_id=workset_id,
                bucket="lab",
                prefix=f"daylily_monitoring/active_worksets/{workset_id}/",
                customer_id="lab-7",
                pipeline="germline",
                metadata=json.dumps({"text": "x" * (int(kilobytes * 1024) - 20)}),
                requirements=Requirements(96, 786_432, 0, 800.0, 4_250, timedelta(hours=9), 9_900),
                request_id=f"register-{kilobytes}",
                actor="monitor",
            )
        ),
    )
    granted = await costing(
        "lock",
        worksets.acquire(
            Acquire(
                workset_id=workset_id,
                owner_id="head-node-1/4711",
                request_id=f"{kilobytes}".ljust(limits.REQUEST_ID_BYTES, "r"),
                actor="head-node-of-cluster-1",
            )
        ),
    )
    token = granted.workset.last_token
    await costing(
        "start",
        worksets.set_state(
            SetState(
                workset_id=workset_id,
                state=WorksetState.IN_PROGRESS,
                lock_token=token,
                cluster_name="cluster-1",
                request_id="start",
            )
        ),
    )
    for number in range(RENEWALS):
        await clock.advance(300)
        said = ReportedProgress(step="run_pipeline", percent=number, message="m" * 128)
        renewal = Renew(workset_id=workset_id, lock_token=token, progress=said)
        await costing("renewals", worksets.renew(renewal))
    await costing(
        "complete",
        worksets.set_state(
            SetState(
                workset_id=workset_id,
                state=WorksetState.COMPLETE,
                lock_token=token,
                metrics='{"cost_usd":41.5}',
                request_id="complete",
            )
        ),
    )
    return dict(costs)
