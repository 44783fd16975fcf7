"""Worksets: register, look, list, change, lock."""

from datetime import timedelta
from http import HTTPStatus
from typing import Annotated, Any

from daylily.scheduler.v1 import scheduler_pb2
from daylily.state.v1 import state_pb2
from daylily.workset.v1 import event_pb2, workset_pb2
from fastapi import APIRouter, Query, Request, Response
from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.struct_pb2 import Struct
from pydantic import AwareDatetime

from daylily_client import (
    AsyncStateClient,
    DeadlineExceeded,
    LockLost,
    Unavailable,
    duration,
    struct,
    timestamp,
)
from daylily_gateway.context import Calls
from daylily_gateway.messages import model_of, plain
from daylily_gateway.problems import FieldProblem, ProblemError
from daylily_gateway.rest.answers import Workset, many, one
from daylily_gateway.rest.bodies import Change, Reason, Registration, StateChange
from daylily_gateway.rest.listing import Filters, some_worksets
from daylily_gateway.rest.parameters import (
    Cursor,
    Limit,
    Priorities,
    States,
    Text,
    WorksetId,
)

router = APIRouter(prefix="/worksets", tags=["worksets"])

_CHANGEABLE = ("priority", "metadata", "labels", "requirements", "deadline")
_Labels = Annotated[
    list[str],
    Query(
        alias="label",
        default_factory=list,
        description="NAME=VALUE; all of those given have to hold.",
    ),
]


@router.post("", status_code=201, response_model=Workset)
async def register(body: Registration, calls: Calls) -> Response:
    """Register a workset as ready. 409 where the id is taken, also by a workset that ended."""
    answer = await calls.state.register_workset(
        workset_id=body.workset_id,
        bucket=body.bucket,
        prefix=body.prefix,
        priority=body.priority.number if body.priority else workset_pb2.PRIORITY_UNSPECIFIED,
        customer_id=body.customer_id,
        pipeline=body.pipeline,
        labels=body.labels,
        metadata=_object(body.metadata, "metadata") if body.metadata else None,
        requirements=body.requirements.message() if body.requirements else None,
        depends_on=body.depends_on,
        deadline=timestamp(body.deadline) if body.deadline else None,
        max_attempts=body.max_attempts,
        rerun_of=body.rerun_of,
        request_id=body.request_id,
    )
    return one(answer.workset, HTTPStatus.CREATED)


@router.get("", response_model=list[Workset])  # type: ignore[valid-type]
async def list_worksets(
    *,
    request: Request,
    calls: Calls,
    state: States,
    priority: Priorities,
    limit: Limit = 100,
    cursor: Cursor = "",
    customer_id: Text = "",
    cluster_name: Text = "",
    owner_id: Text = "",
    label: _Labels,
    created_after: AwareDatetime | None = None,
    created_before: AwareDatetime | None = None,
    updated_before: AwareDatetime | None = None,
) -> Response:
    """List worksets that match every filter, oldest first. The header `link` leads to more."""
    filters = Filters(
        states=tuple(state),
        priorities=tuple(priority),
        customer_id=customer_id,
        cluster_name=cluster_name,
        owner_id=owner_id,
        labels=_labels(label),
        created_after=created_after,
        created_before=created_before,
        updated_before=updated_before,
    )
    found, following = await some_worksets(calls.state, filters, limit, cursor)
    return many(found, request, following)


@router.get("/next", response_model=Workset | None)
async def next_workset(calls: Calls, cluster_name: Text = "") -> Response:
    """What would start next, on this cluster or on any; null when nothing would. Takes nothing."""
    answer = await calls.scheduler.get_next_workset(cluster_name=cluster_name)
    if not answer.HasField("workset"):
        return Response("null", media_type="application/json")
    return one(answer.workset)


@router.get("/{workset_id}", response_model=Workset)
async def get(workset_id: WorksetId, calls: Calls) -> Response:
    """One workset, with everything."""
    answer = await calls.state.get_workset(workset_id=workset_id)
    return one(answer.workset)


@router.patch("/{workset_id}", response_model=Workset)
async def change(workset_id: WorksetId, body: Change, calls: Calls) -> Response:
    """Change priority, metadata, labels, requirements or deadline."""
    fields = [name for name in _CHANGEABLE if name in body.model_fields_set]
    answer = await calls.state.update_workset(
        workset_id=workset_id,
        priority=body.priority.number if body.priority else workset_pb2.PRIORITY_UNSPECIFIED,
        metadata=_object(body.metadata, "metadata") if body.metadata else None,
        labels=body.labels,
        requirements=body.requirements.message() if body.requirements else None,
        deadline=timestamp(body.deadline) if body.deadline else None,
        update_mask=FieldMask(paths=fields),
        expected_version=body.expected_version,
        reason=body.reason,
        request_id=body.request_id,
    )
    return await _whole(calls.state, answer.workset)


@router.put("/{workset_id}/state", response_model=Workset)
async def set_state(workset_id: WorksetId, body: StateChange, calls: Calls) -> Response:
    """Move a workset as the state machine allows. 409 where it does not, or where another holds it."""
    token = body.lock_token
    if token is None and body.owner_id:
        token = await _token_of(calls.state, workset_id, body.owner_id)
    answer = await calls.state.update_state(
        workset_id=workset_id,
        state=body.state.number,
        lock_token=token or 0,
        reason=body.reason,
        error_details=body.error_details or "",
        error_category=body.error_category.number
        if body.error_category
        else workset_pb2.ERROR_CATEGORY_UNSPECIFIED,
        metrics=_object(body.metrics, "metrics") if body.metrics else None,
        cluster_name=body.cluster_name or "",
        expected_version=body.expected_version,
        request_id=body.request_id,
    )
    return await _whole(calls.state, answer.workset)


@router.post("/{workset_id}/retry", response_model=Workset)
async def retry(workset_id: WorksetId, calls: Calls, body: Reason | None = None) -> Response:
    """Make a workset that failed or was ignored ready again, with all its attempts."""
    return await _set(calls.state, workset_id, workset_pb2.WORKSET_STATE_READY, body)


@router.post("/{workset_id}/ignore", response_model=Workset)
async def ignore(workset_id: WorksetId, calls: Calls, body: Reason | None = None) -> Response:
    """Cancel a workset; its holder is told to stop."""
    return await _set(calls.state, workset_id, workset_pb2.WORKSET_STATE_IGNORED, body)


# --- locks ---


@router.post("/{workset_id}/lock")
async def lock(
    *,
    workset_id: WorksetId,
    owner_id: Text,
    calls: Calls,
    lease_seconds: Annotated[float | None, Query(ge=0, le=1e9)] = None,
    cluster_name: Text = "",
    force: bool = False,
    reason: Text = "",
    request_id: Text = "",
) -> dict[str, Any]:
    """Take a workset's lock. 409 where somebody else holds it."""
    answer = await calls.state.acquire_lock(
        workset_id=workset_id,
        owner_id=owner_id,
        lease=None if lease_seconds is None else duration(timedelta(seconds=lease_seconds)),
        cluster_name=cluster_name,
        force=force,
        reason=reason,
        request_id=request_id,
    )
    held = plain(answer.workset.lock)
    return {
        "status": "locked",
        "workset_id": workset_id,
        "owner_id": held["owner_id"],
        "token": answer.lock_token,
        "expires_at": held["expires_at"],
    }


@router.delete("/{workset_id}/lock")
async def unlock(
    *,
    workset_id: WorksetId,
    owner_id: Text,
    calls: Calls,
    lock_token: Annotated[int | None, Query(ge=1, le=2**32 - 1)] = None,
    reason: Text = "",
    request_id: Text = "",
) -> dict[str, Any]:
    """Give a workset back. 403 for who does not hold its lock."""
    token = lock_token or await _token_of(calls.state, workset_id, owner_id)
    if not token:
        raise _not_the_owner(workset_id, owner_id)
    try:
        await calls.state.release_lock(
            workset_id=workset_id, lock_token=token, reason=reason, request_id=request_id
        )
    except LockLost as error:
        raise _not_the_owner(workset_id, owner_id) from error
    return {"status": "unlocked", "workset_id": workset_id}


# --- why, and what happened ---


@router.get("/{workset_id}/history", response_model=list[model_of(event_pb2.Event)])  # type: ignore[misc]
async def history(
    request: Request, workset_id: WorksetId, calls: Calls, limit: Limit = 100, cursor: Cursor = ""
) -> Response:
    """The audit trail, oldest first, complete up to now."""
    answer = await calls.state.list_events(
        workset_id=workset_id, page_size=limit, page_token=cursor
    )
    return many(answer.events, request, answer.next_page_token)


@router.get("/{workset_id}/log", response_class=Response)
async def log_tail(workset_id: WorksetId, calls: Calls) -> Response:
    """The end of the run's log, as its monitor last reported it."""
    answer = await calls.state.get_workset(workset_id=workset_id, include_log_tail=True)
    return Response(answer.log_tail, media_type="text/plain; charset=utf-8")


@router.get("/{workset_id}/explain", response_model=model_of(scheduler_pb2.ExplainWorksetResponse))
async def explain(workset_id: WorksetId, calls: Calls) -> Response:
    """Why it waits, and what would start it."""
    return one(await calls.scheduler.explain_workset(workset_id=workset_id))


@router.get("/{workset_id}/estimate", response_model=model_of(scheduler_pb2.EstimateWaitResponse))
async def estimate(workset_id: WorksetId, calls: Calls) -> Response:
    """When it will start."""
    return one(await calls.scheduler.estimate_wait(workset_id=workset_id))


@router.get(
    "/{workset_id}/placements", response_model=model_of(scheduler_pb2.ScheduleWorksetResponse)
)
async def placements(workset_id: WorksetId, calls: Calls) -> Response:
    """Where it would go now, with every cluster's cost in parts and why not the others."""
    return one(await calls.scheduler.schedule_workset(workset_id=workset_id))


# --- inside ---


async def _set(
    state: AsyncStateClient,
    workset_id: str,
    to: workset_pb2.WorksetState.ValueType,
    body: Reason | None,
) -> Response:
    answer: state_pb2.UpdateStateResponse = await state.update_state(
        workset_id=workset_id, state=to, reason=body.reason if body else ""
    )
    return await _whole(state, answer.workset)


async def _whole(state: AsyncStateClient, changed: workset_pb2.Workset) -> Response:
    """A workset that was changed, with everything. The change is made: where it cannot be read
    again, what the change was answered with has to do.
    """
    try:
        found = await state.get_workset(workset_id=changed.workset_id)
    except (DeadlineExceeded, Unavailable):
        return one(changed)
    return one(found.workset)


async def _token_of(state: AsyncStateClient, workset_id: str, owner_id: str) -> int:
    """The token of the lock that the owner holds; 0 where it holds none. Nothing hangs on when it is
    looked up: the write that carries it is refused if it is old.
    """
    view = workset_pb2.WORKSET_VIEW_BASIC
    workset = (await state.get_workset(workset_id=workset_id, view=view)).workset
    return workset.lock.token if workset.lock.owner_id == owner_id else 0


def _not_the_owner(workset_id: str, owner_id: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.FORBIDDEN,
        "LOCK_NOT_OWNED",
        f"{owner_id} does not hold the lock of {workset_id}.",
    )


def _labels(given: list[str]) -> dict[str, str]:
    found = {}
    for text in given:
        name, equals, value = text.partition("=")
        if not equals:
            raise _invalid("label", f"{text!r} is not of the form NAME=VALUE")
        found[name] = value
    return found


def _object(value: dict[str, Any], field: str) -> Struct:
    """An object as a Struct; what JSON has and a Struct has not is a wrong field."""
    try:
        return struct(value)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise _invalid(field, f"it cannot be kept: {error}") from error


def _invalid(field: str, message: str) -> ProblemError:
    return ProblemError(
        HTTPStatus.UNPROCESSABLE_ENTITY,
        "INVALID_FIELD",
        f"{field}: {message}.",
        errors=(FieldProblem(field=field, message=message),),
    )
