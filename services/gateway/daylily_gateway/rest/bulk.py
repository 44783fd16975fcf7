"""One action on every workset that a filter matches."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from http import HTTPStatus

from daylily.workset.v1 import workset_pb2
from fastapi import APIRouter
from google.protobuf.field_mask_pb2 import FieldMask
from pydantic import AwareDatetime, BaseModel, Field

from daylily_client import AsyncStateClient, DaylilyError
from daylily_client.actions import APPLIES_TO, Action
from daylily_gateway.context import Calls
from daylily_gateway.problems import ProblemError
from daylily_gateway.rest.bodies import Body, Text
from daylily_gateway.rest.listing import Filters, every_workset
from daylily_gateway.rest.words import Priority, State, state_word

router = APIRouter(tags=["worksets"])

_AT_ONCE = 16
_SHOWN = 100


class Selection(Body):
    """Which worksets: those of `workset_ids`, or those that match every given filter."""

    workset_ids: list[Text] = Field(default_factory=list, max_length=500)
    state: list[State] = Field(default_factory=list)
    priority: list[Priority] = Field(default_factory=list)
    customer_id: Text = ""
    cluster_name: Text = ""
    owner_id: Text = ""
    labels: dict[str, Text] = Field(default_factory=dict)
    created_after: AwareDatetime | None = None
    created_before: AwareDatetime | None = None
    updated_before: AwareDatetime | None = None


class BulkRequest(Body):
    """An action on many worksets. Without `dry_run: false` it only says what it would do."""

    action: Action
    select: Selection
    priority: Priority | None = None
    reason: Text = ""
    dry_run: bool = True


class Refusal(BaseModel):
    """A workset that the action was refused for."""

    workset_id: str
    reason: str
    detail: str


class BulkAnswer(BaseModel):
    """What came of it. `matched` worksets were found, `changed` of them changed."""

    action: Action
    dry_run: bool
    matched: int
    changed: int
    refused: int
    by_state: dict[str, int]
    workset_ids: list[str]
    """The first 100 that changed, or would."""
    refusals: list[Refusal]
    """The first 100 refusals."""


@router.post("/bulk")
async def act(body: BulkRequest, calls: Calls) -> BulkAnswer:
    """Retry, ignore or reprioritise every workset that is selected; a dry run shows which.

    Each workset changes by itself, so some may be refused: what changed stays changed, and asking
    again goes on with the others.
    """
    if (body.priority is None) == (body.action is Action.REPRIORITISE):
        wish = "needs" if body.priority is None else "takes no"
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID_FIELD", f"priority: {body.action} {wish} one."
        )
    selected = [w async for w in _selected(calls.state, body.select) if _applies(body.action, w)]
    refusals: list[Refusal] = []
    if not body.dry_run:
        refusals = await _act_on(calls.state, body, [w.workset_id for w in selected])
    refused = {refusal.workset_id for refusal in refusals}
    return BulkAnswer(
        action=body.action,
        dry_run=body.dry_run,
        matched=len(selected),
        changed=0 if body.dry_run else len(selected) - len(refused),
        refused=len(refused),
        by_state=Counter(_state(workset) for workset in selected),
        workset_ids=[w.workset_id for w in selected if w.workset_id not in refused][:_SHOWN],
        refusals=refusals[:_SHOWN],
    )


async def _act_on(state: AsyncStateClient, body: BulkRequest, ids: list[str]) -> list[Refusal]:
    refusals: list[Refusal] = []
    left = iter(ids)

    async def work() -> None:
        for workset_id in left:
            try:
                await _act(state, body, workset_id)
            except DaylilyError as error:
                refusals.append(
                    Refusal(workset_id=workset_id, reason=error.reason, detail=error.message)
                )

    await asyncio.gather(*(work() for _ in range(_AT_ONCE)))
    return refusals


async def _act(state: AsyncStateClient, body: BulkRequest, workset_id: str) -> None:
    if body.action is Action.REPRIORITISE and body.priority is not None:
        await state.update_workset(
            workset_id=workset_id,
            priority=body.priority.number,
            update_mask=FieldMask(paths=["priority"]),
            reason=body.reason,
        )
        return
    retry = body.action is Action.RETRY
    to = workset_pb2.WORKSET_STATE_READY if retry else workset_pb2.WORKSET_STATE_IGNORED
    await state.update_state(workset_id=workset_id, state=to, reason=body.reason)


async def _selected(
    state: AsyncStateClient, select: Selection
) -> AsyncIterator[workset_pb2.Workset]:
    if select.workset_ids:
        for start in range(0, len(select.workset_ids), 100):
            some = select.workset_ids[start : start + 100]
            answer = await state.batch_get_worksets(workset_ids=some)
            for workset in answer.worksets:
                yield workset
        return
    filters = Filters(
        states=tuple(select.state),
        priorities=tuple(select.priority),
        customer_id=select.customer_id,
        cluster_name=select.cluster_name,
        owner_id=select.owner_id,
        labels=select.labels,
        created_after=select.created_after,
        created_before=select.created_before,
        updated_before=select.updated_before,
    )
    async for workset in every_workset(state, filters):
        yield workset


def _applies(action: Action, workset: workset_pb2.Workset) -> bool:
    return workset.state in APPLIES_TO[action]


def _state(workset: workset_pb2.Workset) -> str:
    return state_word(workset.state)
