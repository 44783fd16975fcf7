"""Plain writes to rows, without an event: renewals, promotions, dependents, log tails."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from itertools import islice
from typing import Final

from pynamodb.expressions.update import Action

from daylily_state.domain.model import Workset, WorksetState
from daylily_state.ports import Page, Touch
from daylily_state.store.dynamodb.client import Client, ConditionFailedError
from daylily_state.store.dynamodb.items import item_of, make_row
from daylily_state.store.dynamodb.tables import DETAILS, WORKSETS, DetailRow, WorksetRow
from daylily_state.store.dynamodb.worksets import changes, workset_from
from daylily_state.store.positions import page_position, read_position

_TRIES: Final = 5


# --- renewals ---


def touch(client: Client, wanted: Touch) -> Workset | None:
    """One update without an index attribute, whose condition holds again after it was written."""
    # A stale holder's write never lands, nor one after a cancel.
    condition = (WorksetRow.last_token == wanted.lock_token) & WorksetRow.queue.is_in(
        WorksetState.LOCKED.name, WorksetState.IN_PROGRESS.name
    )
    if wanted.expires_at is not None:
        # A renewal that comes late does not shorten what a later one gave.
        condition &= WorksetRow.expires_at <= wanted.expires_at
    try:
        item = client.update(WORKSETS, (wanted.workset_id, None), _patch(wanted), condition)
    except ConditionFailedError:
        return None
    return workset_from(item)


def _patch(wanted: Touch) -> list[Action]:
    actions: list[Action] = []
    if wanted.expires_at is not None and wanted.lease is not None:
        actions += [
            WorksetRow.expires_at.set(wanted.expires_at),
            WorksetRow.lease.set(wanted.lease),
        ]
    if wanted.progress is not None:
        actions += [
            WorksetRow.percent.set(wanted.progress.percent),
            WorksetRow.reported_at.set(wanted.progress.reported_at),
        ]
        if wanted.progress.step:
            actions.append(WorksetRow.step.set(wanted.progress.step))
        if wanted.progress.message:
            actions.append(WorksetRow.message.set(wanted.progress.message))
    return actions


# --- promotions ---


def promote(client: Client, workset_id: str, available_at: datetime) -> bool:
    """Moves a row in the index, if nothing that its place is made of has changed meanwhile."""
    sent = False
    for _ in range(_TRIES):
        item = client.get(WORKSETS, workset_id)
        before = workset_from(item) if item else None
        if before is None or before.state is not WorksetState.READY:
            return False
        if before.available_at != available_at:
            # After an answer that was lost the row is as this call wanted it.
            return sent and before.available_at is None
        condition = (WorksetRow.version == before.version) & (
            WorksetRow.available_at == available_at
        )
        actions = list(changes(before, replace(before, available_at=None)))
        try:
            client.update(WORKSETS, (workset_id, None), actions, condition)
        except ConditionFailedError:
            sent = True
        else:
            return True
    return False


# --- dependents ---

_DEPENDENT: Final = "dependent#"


def add_dependents(client: Client, workset_id: str, depends_on: Sequence[str]) -> None:
    for dependency in depends_on:
        row = make_row(DetailRow, workset_id=dependency, kind=_DEPENDENT + workset_id)
        client.put(DETAILS, (row.workset_id, row.kind), item_of(row))


def list_dependents(client: Client, workset_id: str, after: str | None, limit: int) -> Page[str]:
    (last,) = read_position(after, str) or ("",)
    items = client.query_items(
        DETAILS,
        workset_id,
        within=DetailRow.kind.between(_DEPENDENT + last, _DEPENDENT + "~"),
        strong=True,
        limit=limit + 2,  # the last one of the page before comes again, and one tells of more
    )
    ids = (item[DetailRow.kind.attr_name]["S"].removeprefix(_DEPENDENT) for item in items)
    found = list(islice((found for found in ids if found > last), limit + 1))
    page = tuple(found[:limit])
    return Page(page, page_position(page[-1]) if len(found) > limit else None)


# --- log tails ---

_LOG: Final = "log"


def put_log_tail(client: Client, workset_id: str, lock_token: int, text: str) -> None:
    row = make_row(DetailRow, workset_id=workset_id, kind=_LOG, body=text, token=lock_token)
    # A holder that was fenced off does not overwrite the log of the run after it.
    condition = DetailRow.token.does_not_exist() | (DetailRow.token <= lock_token)
    try:
        client.put(DETAILS, (workset_id, _LOG), item_of(row), condition)
    except ConditionFailedError:
        return


def get_log_tail(client: Client, workset_id: str) -> str:
    item = client.get(DETAILS, workset_id, _LOG)
    text: str = item.get(DetailRow.body.attr_name, {}).get("S", "") if item else ""
    return text
