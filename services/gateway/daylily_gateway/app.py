"""The application: routes, and what happens to what they raise."""

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any, Final

import structlog
from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.middleware.cors import CORSMiddleware
from starlette.exceptions import HTTPException
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from daylily_client import DaylilyError
from daylily_gateway.context import Context
from daylily_gateway.document import Documented
from daylily_gateway.entrance import ACTOR, REQUEST_ID, Entrance
from daylily_gateway.pages import actions, failures, views
from daylily_gateway.pages.negotiation import PREFIX, Negotiation
from daylily_gateway.problems import FieldProblem, ProblemError, of_gateway, of_service
from daylily_gateway.rest import bulk, clusters, deliveries, events, queue, worksets
from daylily_gateway.rest.health import router as health

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_ROUTERS: Final[tuple[APIRouter, ...]] = (
    worksets.router,
    bulk.router,
    queue.router,
    clusters.router,
    deliveries.router,
    events.router,
    health,
    views.router,
    actions.router,
)


def application(context: Context) -> ASGIApp:
    """The gateway as an ASGI application."""
    app = Documented([route for router in _ROUTERS for route in router.routes])
    app.state.context = context
    app.mount(f"{PREFIX}/static", StaticFiles(packages=[("daylily_gateway.pages", "static")]))
    app.exception_handler(DaylilyError)(_service_refused)
    app.exception_handler(ProblemError)(_gateway_refused)
    app.exception_handler(RequestValidationError)(_malformed)
    app.exception_handler(HTTPException)(_no_route)
    app.exception_handler(Exception)(_fault)
    inside: ASGIApp = Negotiation(app)
    if context.settings.cors_origins:
        inside = CORSMiddleware(
            inside,
            allow_origins=context.settings.cors_origins,
            allow_methods=["GET", "POST", "PUT", "PATCH", "DELETE"],
            allow_headers=["authorization", "content-type", "last-event-id", ACTOR, REQUEST_ID],
            expose_headers=["link", "retry-after", REQUEST_ID],
        )
    return Entrance(inside, context.settings, context.measures, context.spans)


# --- what handlers raise ---

_Handler = Callable[[Request, Any], Awaitable[Response]]


async def _service_refused(request: Request, error: DaylilyError) -> Response:
    if failures.is_for_people(request):
        return failures.of_service(request, error)
    return of_service(error, request.state.request_id)


async def _gateway_refused(request: Request, error: ProblemError) -> Response:
    return _answer(request, error)


async def _malformed(request: Request, error: RequestValidationError) -> Response:
    wrong = tuple(
        FieldProblem(field=_field(detail["loc"]), message=str(detail["msg"]))
        for detail in error.errors()
    )
    sentence = "; ".join(f"{one.field}: {one.message}" for one in wrong)
    refusal = ProblemError(HTTPStatus.UNPROCESSABLE_ENTITY, "INVALID_FIELD", sentence, errors=wrong)
    return _answer(request, refusal)


async def _no_route(request: Request, error: HTTPException) -> Response:
    status = HTTPStatus(error.status_code)
    detail = f"{request.method} {request.url.path}: {status.phrase.lower()}."
    refusal = ProblemError(status, status.name, detail, headers=error.headers)
    return _answer(request, refusal)


async def _fault(request: Request, error: Exception) -> Response:
    """The boundary: the log gets the trace, the caller a request id to ask about."""
    _log.error("request_failed", path=request.url.path, exc_info=error)
    refusal = ProblemError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "INTERNAL",
        "A fault of the gateway; its log has it under this request id.",
    )
    return _answer(request, refusal)


def _answer(request: Request, refusal: ProblemError) -> Response:
    if failures.is_for_people(request):
        return failures.of_gateway(request, refusal)
    return of_gateway(refusal, request.state.request_id)


def _field(location: tuple[int | str, ...]) -> str:
    """A field's path as its writer knows it: without "body" or "query" in front."""
    path = [str(part) for part in location[1:] if part != "[key]"]
    return ".".join(path) or str(location[0])
