"""What people do on the pages: forms that are sent, and lead back to a page."""

from enum import Enum
from http import HTTPStatus
from typing import Annotated, Final, TypeVar
from urllib.parse import quote, urlsplit

from daylily.workset.v1 import workset_pb2
from fastapi import APIRouter, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from google.protobuf.field_mask_pb2 import FieldMask

from daylily_client.actions import Action
from daylily_gateway.context import Calls
from daylily_gateway.entrance import TOKEN_COOKIE
from daylily_gateway.pages.negotiation import PREFIX
from daylily_gateway.pages.rendering import page
from daylily_gateway.problems import ProblemError
from daylily_gateway.rest.bulk import BulkRequest, Selection, act
from daylily_gateway.rest.parameters import Name, Text, WorksetId
from daylily_gateway.rest.words import Priority, State

router = APIRouter(prefix=PREFIX, include_in_schema=False)

_Field = Annotated[str, Form(max_length=65_536)]
_Many = Annotated[list[str], Form(default_factory=list, max_length=500)]
Word = TypeVar("Word", bound=Enum)

_TOKEN_SECONDS: Final = 12 * 3600


@router.post("/worksets/{workset_id}/retry")
async def retry(workset_id: WorksetId, calls: Calls, reason: _Field = "") -> Response:
    """Make it ready again."""
    await calls.state.update_state(
        workset_id=workset_id, state=workset_pb2.WORKSET_STATE_READY, reason=reason
    )
    return _to_workset(workset_id)


@router.post("/worksets/{workset_id}/ignore")
async def ignore(workset_id: WorksetId, calls: Calls, reason: _Field = "") -> Response:
    """Cancel it."""
    await calls.state.update_state(
        workset_id=workset_id, state=workset_pb2.WORKSET_STATE_IGNORED, reason=reason
    )
    return _to_workset(workset_id)


@router.post("/worksets/{workset_id}/priority")
async def reprioritise(
    workset_id: WorksetId,
    calls: Calls,
    priority: Annotated[Priority, Form()],
    reason: _Field = "",
) -> Response:
    """Give it another priority."""
    await calls.state.update_workset(
        workset_id=workset_id,
        priority=priority.number,
        update_mask=FieldMask(paths=["priority"]),
        reason=reason,
    )
    return _to_workset(workset_id)


@router.post("/bulk")
async def bulk(
    request: Request,
    calls: Calls,
    *,
    action: Annotated[str, Form()],
    workset_id: _Many,
    state: _Field = "",
    priority: _Field = "",
    customer_id: _Field = "",
    cluster_name: _Field = "",
    owner_id: _Field = "",
    label: _Field = "",
    reason: _Field = "",
    confirmed: _Field = "",
) -> HTMLResponse:
    """Show what an action on many would do, and when that is confirmed, do it."""
    verb, _, rank = action.partition(":")
    name, equals, value = label.partition("=")
    asked = BulkRequest(
        action=_one_of(Action, verb, "action"),
        priority=_one_of(Priority, rank, "action") if rank else None,
        select=Selection(
            workset_ids=workset_id,
            state=[_one_of(State, state, "state")] if state else [],
            priority=[_one_of(Priority, priority, "priority")] if priority else [],
            customer_id=customer_id,
            cluster_name=cluster_name,
            owner_id=owner_id,
            labels={name: value} if equals else {},
        ),
        reason=reason,
        dry_run=not confirmed,
    )
    answer = await act(asked, calls)
    kept = {
        "action": action,
        "state": state,
        "priority": priority,
        "customer_id": customer_id,
        "cluster_name": cluster_name,
        "owner_id": owner_id,
        "label": label,
    }
    return page(request, "bulk.html", answer=answer, kept=kept, chosen=workset_id, reason=reason)


@router.post("/clusters/{cluster_name}/drain")
async def drain(cluster_name: Name, calls: Calls, undo: _Field = "") -> Response:
    """No new work for a cluster, or new work again."""
    await calls.scheduler.drain_cluster(cluster_name=cluster_name, undo=bool(undo))
    return _to("/clusters")


@router.post("/channels/{channel}/{what}")
async def channel(request: Request, channel: Name, what: str, calls: Calls) -> Response:
    """Test, pause or resume a channel."""
    match what:
        case "test":
            answer = await calls.notifier.test_channel(channel=channel)
            return page(request, "tested.html", channel=channel, answer=answer)
        case "pause":
            await calls.notifier.pause_channel(channel=channel, reason="from the page")
        case "resume":
            await calls.notifier.resume_channel(channel=channel)
        case _:
            return Response(status_code=HTTPStatus.NOT_FOUND)
    return _to(f"{PREFIX}/notifications")


@router.post("/deliveries/{delivery_id}/redeliver")
async def redeliver(delivery_id: Name, calls: Calls) -> Response:
    """Send a delivery again."""
    await calls.notifier.redeliver(delivery_id=delivery_id)
    return _to(f"{PREFIX}/notifications")


# --- signing in ---


@router.get("/sign-in")
async def ask_for_token(request: Request, following: Text = "/") -> HTMLResponse:
    """The form for a token."""
    return page(request, "sign_in.html", following=_own(following), refused=False)


@router.post("/sign-in")
async def sign_in(request: Request, token: _Field, following: _Field = "/") -> Response:
    """Keep the token in a cookie that no script reads, and no other site's page sends."""
    answer = _to(_own(following))
    answer.set_cookie(
        TOKEN_COOKIE,
        token.strip(),
        max_age=_TOKEN_SECONDS,
        httponly=True,
        secure=request.url.scheme == "https",
        samesite="strict",
    )
    return answer


@router.post("/sign-out")
async def sign_out() -> Response:
    """Forget the token."""
    answer = _to(f"{PREFIX}/sign-in")
    answer.delete_cookie(TOKEN_COOKIE)
    return answer


def _one_of(words: type[Word], text: str, field: str) -> Word:
    try:
        return words(text)
    except ValueError:
        raise ProblemError(
            HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID_FIELD", f"{field}: {text!r} is none."
        ) from None


def _to(path: str) -> RedirectResponse:
    return RedirectResponse(path, HTTPStatus.SEE_OTHER)


def _to_workset(workset_id: str) -> RedirectResponse:
    return _to(f"/worksets/{quote(workset_id, safe='')}")


def _own(path: str) -> str:
    """A path of this gateway: a link to the form must not lead elsewhere after it."""
    parts = urlsplit(path)
    outside = parts.scheme or parts.netloc or not path.startswith("/") or "\\" in path
    return "/" if outside or path.startswith("//") else path
