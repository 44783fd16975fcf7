"""Calls on locks and states."""

from daylily.state.v1 import state_pb2

from daylily_state.api import answers
from daylily_state.api.calls import Context, actor, workset
from daylily_state.api.reading import Reader
from daylily_state.app.worksets import Worksets
from daylily_state.domain import limits
from daylily_state.domain.commands import (
    Acquire,
    Release,
    Renew,
    ReportedProgress,
    ReportProgress,
    SetState,
)
from daylily_state.domain.model import ErrorCategory, WorksetState


class LockCalls:
    """AcquireLock to ReportProgress."""

    worksets: Worksets

    async def AcquireLock(
        self, request: state_pb2.AcquireLockRequest, context: Context
    ) -> state_pb2.AcquireLockResponse:
        read = Reader()
        lease = read.length(request, "lease")
        read.done()
        granted = await self.worksets.acquire(
            Acquire(
                workset_id=request.workset_id,
                owner_id=request.owner_id,
                lease=limits.LEASE_DEFAULT if lease is None else lease,
                cluster_name=request.cluster_name,
                force=request.force,
                picked=request.picked,
                reason=request.reason,
                request_id=request.request_id,
                actor=actor(context),
            )
        )
        held = granted.workset.lock
        return state_pb2.AcquireLockResponse(
            workset=workset(granted), lock_token=held.token if held else 0
        )

    async def GetGrant(
        self, request: state_pb2.GetGrantRequest, context: Context
    ) -> state_pb2.GetGrantResponse:
        del context
        read = Reader()
        read.word("request_id", request.request_id, limits.REQUEST_ID_BYTES)
        read.done()
        granted = await self.worksets.grant(request.request_id)
        held = granted.workset.lock
        return state_pb2.GetGrantResponse(
            workset=workset(granted), lock_token=held.token if held else 0
        )

    async def RenewLock(
        self, request: state_pb2.RenewLockRequest, context: Context
    ) -> state_pb2.RenewLockResponse:
        del context
        read = Reader()
        lease = read.length(request, "lease")
        read.done()
        held = await self.worksets.renew(
            Renew(
                workset_id=request.workset_id,
                lock_token=request.lock_token,
                lease=lease,
                progress=read.progress(request.progress) if request.HasField("progress") else None,
            )
        )
        return state_pb2.RenewLockResponse(lock=answers.lock(held))

    async def ReleaseLock(
        self, request: state_pb2.ReleaseLockRequest, context: Context
    ) -> state_pb2.ReleaseLockResponse:
        released = await self.worksets.release(
            Release(
                workset_id=request.workset_id,
                lock_token=request.lock_token,
                reason=request.reason,
                request_id=request.request_id,
                actor=actor(context),
            )
        )
        return state_pb2.ReleaseLockResponse(workset=workset(released))

    async def UpdateState(
        self, request: state_pb2.UpdateStateRequest, context: Context
    ) -> state_pb2.UpdateStateResponse:
        read = Reader()
        command = SetState(
            workset_id=request.workset_id,
            state=read.needed_choice(WorksetState, request.state, "state"),
            lock_token=request.lock_token,
            reason=request.reason,
            error_details=request.error_details,
            error_category=read.choice(
                ErrorCategory, request.error_category, "error_category", ErrorCategory.PERMANENT
            ),
            metrics=read.struct(request.metrics, "metrics"),
            cluster_name=request.cluster_name,
            expected_version=request.expected_version,
            request_id=request.request_id,
            actor=actor(context),
        )
        read.done()
        moved = await self.worksets.set_state(command)
        return state_pb2.UpdateStateResponse(workset=workset(moved))

    async def ReportProgress(
        self, request: state_pb2.ReportProgressRequest, context: Context
    ) -> state_pb2.ReportProgressResponse:
        del context
        said = ReportedProgress(step=request.step, percent=request.percent, message=request.message)
        await self.worksets.report_progress(
            ReportProgress(
                workset_id=request.workset_id,
                lock_token=request.lock_token,
                progress=said,
                log_tail=request.log_tail,
            )
        )
        return state_pb2.ReportProgressResponse()
