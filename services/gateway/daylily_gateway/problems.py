"""Errors as RFC 9457 problem details: `application/problem+json` with the reason code of the services.

{"type": "about:blank", "title": "Conflict", "status": 409,
 "detail": "ws-1 is held by m2 until …", "reason": "LOCK_HELD", "metadata": {"owner_id": "m2"},
 "request_id": "…"}
"""

from collections.abc import Mapping
from http import HTTPStatus
from math import ceil
from typing import Any

import grpc
from fastapi.responses import JSONResponse
from pydantic import BaseModel, ConfigDict
from starlette.exceptions import HTTPException

from daylily_client import DaylilyError

MEDIA_TYPE = "application/problem+json"


class FieldProblem(BaseModel):
    """One wrong field."""

    field: str
    message: str


class Problem(BaseModel):
    """What went wrong."""

    model_config = ConfigDict(json_schema_extra={"description": "RFC 9457 problem details."})

    type: str = "about:blank"
    title: str
    status: int
    detail: str
    reason: str
    metadata: dict[str, str] = {}
    errors: list[FieldProblem] = []
    request_id: str = ""


class ProblemError(HTTPException):
    """A refusal of the gateway's own. As an HTTPException it also passes through FastAPI's reading of
    bodies, which takes every other exception for bad JSON.
    """

    def __init__(
        self,
        status: HTTPStatus,
        reason: str,
        detail: str,
        *,
        errors: tuple[FieldProblem, ...] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(status, detail, dict(headers or {}))
        self.status = status
        self.reason = reason
        self.errors = errors


_BY_REASON = {
    "INVALID_FIELD": HTTPStatus.UNPROCESSABLE_ENTITY,
    "OVERLOADED": HTTPStatus.TOO_MANY_REQUESTS,
}

_BY_CODE = {
    grpc.StatusCode.INVALID_ARGUMENT: HTTPStatus.BAD_REQUEST,
    grpc.StatusCode.NOT_FOUND: HTTPStatus.NOT_FOUND,
    grpc.StatusCode.ALREADY_EXISTS: HTTPStatus.CONFLICT,
    grpc.StatusCode.FAILED_PRECONDITION: HTTPStatus.CONFLICT,
    grpc.StatusCode.ABORTED: HTTPStatus.CONFLICT,
    # A cluster, a customer or a budget has no room: a state of things, as a held lock is.
    grpc.StatusCode.RESOURCE_EXHAUSTED: HTTPStatus.CONFLICT,
    grpc.StatusCode.UNAUTHENTICATED: HTTPStatus.UNAUTHORIZED,
    grpc.StatusCode.PERMISSION_DENIED: HTTPStatus.FORBIDDEN,
    grpc.StatusCode.UNAVAILABLE: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.CANCELLED: HTTPStatus.SERVICE_UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED: HTTPStatus.GATEWAY_TIMEOUT,
    grpc.StatusCode.UNIMPLEMENTED: HTTPStatus.NOT_IMPLEMENTED,
}


def status_of(error: DaylilyError) -> HTTPStatus:
    """The HTTP status that stands for a service's refusal."""
    return _BY_REASON.get(error.reason) or _BY_CODE.get(error.code, HTTPStatus.BAD_GATEWAY)


def of_service(error: DaylilyError, request_id: str) -> JSONResponse:
    """What a service refused, as a problem."""
    status = status_of(error)
    headers = {}
    if error.retry_after is not None:
        headers["retry-after"] = str(max(1, ceil(error.retry_after)))
    if status is HTTPStatus.UNAUTHORIZED:
        headers["www-authenticate"] = "Bearer"
    return _response(
        status,
        error.message,
        error.reason or error.code.name,
        request_id=request_id,
        metadata=error.metadata,
        errors=tuple(
            FieldProblem(field=wrong.field, message=wrong.description) for wrong in error.violations
        ),
        headers=headers,
    )


def of_gateway(error: ProblemError, request_id: str) -> JSONResponse:
    """What the gateway itself refused, as a problem."""
    return _response(
        error.status,
        error.detail,
        error.reason,
        request_id=request_id,
        errors=error.errors,
        headers=error.headers,
    )


def _response(
    status: HTTPStatus,
    detail: str,
    reason: str,
    *,
    request_id: str,
    metadata: Mapping[str, str] | None = None,
    errors: tuple[FieldProblem, ...] = (),
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    body: dict[str, Any] = Problem(
        title=status.phrase,
        status=status,
        detail=detail,
        reason=reason,
        metadata=dict(metadata or {}),
        errors=list(errors),
        request_id=request_id,
    ).model_dump()
    return JSONResponse(body, status, dict(headers or {}), media_type=MEDIA_TYPE)
