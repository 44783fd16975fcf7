"""What every request passes before its handler: its id, its caller, its size, its origin, its count."""

import re
import time
import uuid
from collections.abc import Sequence
from http import HTTPStatus
from typing import Final
from urllib.parse import urlsplit

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from daylily_gateway import caller
from daylily_gateway.caller import Caller
from daylily_gateway.measuring import Measures, route_of
from daylily_gateway.problems import ProblemError, of_gateway
from daylily_gateway.settings import GatewaySettings
from daylily_gateway.spans import NO_SPAN, NO_SPANS, RequestSpans

TOKEN_COOKIE: Final = "daylily_token"  # noqa: S105 - its name, not a token
REQUEST_ID: Final = "x-request-id"
ACTOR: Final = "x-daylily-actor"

_REQUEST_ID = re.compile(r"[!-~]{1,128}")
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# A stream lasts for hours, and what looks after us would drown the rest.
_UNTRACED = re.compile(r"/events$|/healthz$|/readyz$|/ui/static/")
_TOKEN = re.compile(r"[!-~]{1,8192}")

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)


class Entrance:
    """The outermost layer of the application.

    Args:
        app: what is inside.
        settings: limits and origins.
        measures: counts each request.
        spans: makes a span for each request.
    """

    def __init__(
        self,
        app: ASGIApp,
        settings: GatewaySettings,
        measures: Measures,
        spans: RequestSpans = NO_SPANS,
    ) -> None:
        self._app = app
        self._most_bytes = settings.max_body_bytes
        self._most_requests = settings.max_requests
        self._origins = frozenset(settings.cors_origins)
        self._measures = measures
        self._spans = spans
        self._under_way = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        request_id = _request_id(headers)
        scope.setdefault("state", {})["request_id"] = request_id
        answer = _Answer(send, request_id)
        begun = time.perf_counter()
        span = NO_SPAN if _UNTRACED.match(scope["path"]) else self._spans.begin(scope, headers)
        self._under_way += 1
        try:
            # Each request has a task and so a context of its own: nothing has to be unbound.
            structlog.contextvars.bind_contextvars(request_id=request_id, **span.ids)
            await self._serve(scope, headers, receive, answer)
        finally:
            self._under_way -= 1
            span.ended(route_of(scope), answer.status)
            if answer.status:
                self._measures.served(scope, answer.status, time.perf_counter() - begun)

    async def _serve(
        self, scope: Scope, headers: Headers, receive: Receive, answer: "_Answer"
    ) -> None:
        try:
            self._let_in(scope, headers)
        except ProblemError as refusal:
            response = of_gateway(refusal, scope["state"]["request_id"])
            await response(scope, receive, answer)
            return
        caller.enter(_caller(headers))
        await self._app(scope, _Body(receive, self._most_bytes), answer)

    def _let_in(self, scope: Scope, headers: Headers) -> None:
        """Raises:
        ProblemError: the request is not for the handlers.
        """
        if self._under_way > self._most_requests + self._measures.streams:
            raise ProblemError(
                HTTPStatus.TOO_MANY_REQUESTS,
                "OVERLOADED",
                f"{self._most_requests} requests are under way already. Try again in a second.",
                headers={"retry-after": "1"},
            )
        length = headers.get("content-length", "0")
        if not length.isdecimal() or int(length) > self._most_bytes:
            raise _too_large(self._most_bytes)
        if scope["method"] not in _SAFE and not self._is_own(headers):
            raise ProblemError(
                HTTPStatus.FORBIDDEN,
                "CROSS_ORIGIN",
                f"A page of {headers.get('origin', 'another site')} may not change anything here. "
                "Whoever runs the gateway can allow it with DAYLILY_CORS_ORIGINS.",
            )

    def _is_own(self, headers: Headers) -> bool:
        """Whether the request comes from a page of ours, a page we trust, or no page at all: a
        browser would send a stranger's form with our cookie, and to localhost without asking.
        """
        origin = headers.get("origin")
        if origin is None:
            return headers.get("sec-fetch-site", "none") in {"none", "same-origin"}
        return origin in self._origins or urlsplit(origin).netloc == headers.get("host")


class _Answer:
    """Passes an answer on, with what every answer carries."""

    def __init__(self, send: Send, request_id: str) -> None:
        self._send = send
        self._request_id = request_id
        self.status = 0

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[REQUEST_ID] = self._request_id
            headers["x-content-type-options"] = "nosniff"
            headers["referrer-policy"] = "same-origin"
        await self._send(message)


class _Body:
    """Receives a body up to a size, whatever its headers said."""

    def __init__(self, receive: Receive, most: int) -> None:
        self._receive = receive
        self._most = most
        self._received = 0

    async def __call__(self) -> Message:
        message = await self._receive()
        self._received += len(message.get("body", b""))
        if self._received > self._most:
            raise _too_large(self._most)
        return message


def _too_large(most: int) -> ProblemError:
    return ProblemError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "BODY_TOO_LARGE",
        f"The body of a request may have {most} bytes.",
    )


def _request_id(headers: Headers) -> str:
    """The caller's, where it is a short printable text: it ends up in logs and headers."""
    given = headers.get(REQUEST_ID, "")
    return given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex


def _caller(headers: Headers) -> Caller:
    scheme, _, bearer = headers.get("authorization", "").partition(" ")
    token = bearer.strip() if scheme.lower() == "bearer" else ""
    if not token:
        token = _cookies(headers.getlist("cookie")).get(TOKEN_COOKIE, "")
    if not _TOKEN.fullmatch(token):
        token = ""  # no token of ours looks like that, and a call's metadata could not carry it
    return Caller(token, headers.get(ACTOR, "") or caller.ACTOR)


def _cookies(headers: Sequence[str]) -> dict[str, str]:
    return cookie_parser("; ".join(headers)) if headers else {}
