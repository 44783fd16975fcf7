"""Calls on worksets."""

from daylily.state.v1 import state_pb2

from daylily_state.api.calls import Context, actor, how_many_fit, page_that_fits, workset
from daylily_state.api.reading import Reader
from daylily_state.app.queries import Queries
from daylily_state.app.worksets import Worksets
from daylily_state.domain import limits
from daylily_state.domain.commands import Register, Update
from daylily_state.domain.filters import WorksetFilter
from daylily_state.domain.model import Priority, WorksetState

_BATCH_MOST = 100


class WorksetCalls:
    """RegisterWorkset to ListReadyWorksets."""

    queries: Queries
    worksets: Worksets

    async def RegisterWorkset(
        self, request: state_pb2.RegisterWorksetRequest, context: Context
    ) -> state_pb2.RegisterWorksetResponse:
        read = Reader()
        command = Register(
            workset_id=request.workset_id,
            bucket=request.bucket,
            prefix=request.prefix,
            priority=read.choice(Priority, request.priority, "priority", Priority.NORMAL),
            customer_id=request.customer_id,
            pipeline=request.pipeline,
            labels=dict(request.labels),
            metadata=read.struct(request.metadata, "metadata"),
            requirements=read.requirements(request.requirements, "requirements"),
            preferences=read.preferences(request.requirements),
            depends_on=tuple(request.depends_on),
            deadline=read.moment(request, "deadline"),
            max_attempts=request.max_attempts or limits.ATTEMPTS_DEFAULT,
            rerun_of=request.rerun_of,
            request_id=request.request_id,
            actor=actor(context),
        )
        read.done()
        registered = await self.worksets.register(command)
        return state_pb2.RegisterWorksetResponse(workset=workset(registered))

    async def GetWorkset(
        self, request: state_pb2.GetWorksetRequest, context: Context
    ) -> state_pb2.GetWorksetResponse:
        del context
        read = Reader()
        read.id("workset_id", request.workset_id, limits.WORKSET_ID_BYTES)
        full = read.whole(request.view, by_default=True)
        read.done()
        found = await self.queries.get(request.workset_id, full=full)
        tail = ""
        if request.include_log_tail:
            tail = await self.queries.log_tail(request.workset_id)
        return state_pb2.GetWorksetResponse(workset=workset(found), log_tail=tail)

    async def BatchGetWorksets(
        self, request: state_pb2.BatchGetWorksetsRequest, context: Context
    ) -> state_pb2.BatchGetWorksetsResponse:
        del context
        read = Reader()
        if not 0 < len(request.workset_ids) <= _BATCH_MOST:
            read.wrong("workset_ids", f"takes 1 to {_BATCH_MOST} ids")
        for at, key in enumerate(request.workset_ids[:_BATCH_MOST]):
            read.id(f"workset_ids[{at}]", key, limits.WORKSET_ID_BYTES)
        full = read.whole(request.view, by_default=False)
        read.done()
        found, missing = await self.queries.batch(request.workset_ids, full=full)
        messages = [workset(view) for view in found]
        fit = how_many_fit(messages)
        if fit < len(messages):
            read.wrong("workset_ids", f"whole, only the first {fit} fit one answer: ask for fewer")
        read.done()
        return state_pb2.BatchGetWorksetsResponse(worksets=messages, missing=missing)

    async def ListWorksets(
        self, request: state_pb2.ListWorksetsRequest, context: Context
    ) -> state_pb2.ListWorksetsResponse:
        del context
        read = Reader()
        wanted = WorksetFilter(
            states=read.choices(WorksetState, request.states, "states"),
            priorities=read.choices(Priority, request.priorities, "priorities"),
            customer_id=request.customer_id,
            cluster_name=request.cluster_name,
            owner_id=request.owner_id,
            labels=dict(request.labels),
            created_after=read.moment(request, "created_after"),
            created_before=read.moment(request, "created_before"),
            updated_before=read.moment(request, "updated_before"),
        )
        for name in ("created_after", "created_before", "updated_before"):
            read.time(name, getattr(wanted, name))
        full = read.whole(request.view, by_default=False)
        read.done()
        found, token = await page_that_fits(
            lambda size: self.queries.list(wanted, request.page_token, size, full=full),
            request.page_size,
            whole=full,
        )
        return state_pb2.ListWorksetsResponse(worksets=found, next_page_token=token)

    async def UpdateWorkset(
        self, request: state_pb2.UpdateWorksetRequest, context: Context
    ) -> state_pb2.UpdateWorksetResponse:
        read = Reader()
        command = Update(
            workset_id=request.workset_id,
            fields=frozenset(request.update_mask.paths),
            priority=read.choice(Priority, request.priority, "priority", Priority.NORMAL),
            metadata=read.struct(request.metadata, "metadata"),
            requirements=read.requirements(request.requirements, "requirements"),
            preferences=read.preferences(request.requirements),
            deadline=read.moment(request, "deadline"),
            labels=dict(request.labels),
            expected_version=request.expected_version,
            reason=request.reason,
            request_id=request.request_id,
            actor=actor(context),
        )
        read.done()
        updated = await self.worksets.update(command)
        return state_pb2.UpdateWorksetResponse(workset=workset(updated))

    async def ListReadyWorksets(
        self, request: state_pb2.ListReadyWorksetsRequest, context: Context
    ) -> state_pb2.ListReadyWorksetsResponse:
        del context
        read = Reader()
        priorities = read.choices(Priority, request.priorities, "priorities")
        full = read.whole(request.view, by_default=False)
        read.done()
        found, token = await page_that_fits(
            lambda size: self.queries.list_ready(
                priorities,
                request.page_token,
                size,
                full=full,
                backing_off=request.include_backing_off,
            ),
            request.page_size,
            whole=full,
        )
        return state_pb2.ListReadyWorksetsResponse(worksets=found, next_page_token=token)
