"""What went wrong, as a page."""

from http import HTTPStatus
from urllib.parse import quote

from fastapi import Request
from fastapi.responses import RedirectResponse, Response

from daylily_client import DaylilyError, Unauthenticated
from daylily_gateway.pages.negotiation import PREFIX
from daylily_gateway.pages.rendering import page
from daylily_gateway.problems import ProblemError, status_of

_WHAT_TO_DO = {
    HTTPStatus.NOT_FOUND: "Check the address, or look for it among the worksets.",
    HTTPStatus.FORBIDDEN: "Ask an operator, or sign in with another token.",
    HTTPStatus.CONFLICT: "It has changed since the page was shown. Look again and decide anew.",
    HTTPStatus.SERVICE_UNAVAILABLE: "Nothing is lost. The page can be asked for again in a moment.",
    HTTPStatus.GATEWAY_TIMEOUT: "Look again before you repeat what you did: it may have been done.",
}


def is_for_people(request: Request) -> bool:
    """Whether the request is one of the page's."""
    return request.url.path.startswith(f"{PREFIX}/")


def of_service(request: Request, error: DaylilyError) -> Response:
    """A service refused. Who is not known is asked for a token."""
    if isinstance(error, Unauthenticated):
        path = request.url.path.removeprefix(PREFIX) or "/"
        where = f"{PREFIX}/sign-in?following={quote(path if request.method == 'GET' else '/')}"
        if request.headers.get("hx-request") == "true":
            return Response(status_code=HTTPStatus.OK, headers={"hx-redirect": where})
        return RedirectResponse(where, HTTPStatus.SEE_OTHER)
    return _page(request, status_of(error), error.message, error.reason or error.code.name)


def of_gateway(request: Request, error: ProblemError) -> Response:
    """The gateway refused."""
    return _page(request, error.status, error.detail, error.reason)


def _page(request: Request, status: HTTPStatus, detail: str, reason: str) -> Response:
    return page(
        request,
        "failure.html",
        status=status,
        title=status.phrase,
        detail=detail,
        reason=reason,
        todo=_WHAT_TO_DO.get(status, ""),
        request_id=request.state.request_id,
    )
