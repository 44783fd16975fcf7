"""One address for people and programs: a browser gets the page of what a program gets as JSON."""

import re
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFIX: Final = "/ui"

_PAGES: Final = re.compile(r"/|/worksets|/worksets/(?!next$)[^/]+|/clusters")
_QUALITY: Final = re.compile(r";\s*q=0(?:\.0*)?$")


class Negotiation:
    """Leads browsers that ask for what has a page to that page."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        asked = scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}
        if not asked or not _PAGES.fullmatch(scope["path"]):
            await self._app(scope, receive, send)
            return
        if wants_page(Headers(scope=scope)):
            path = PREFIX + scope["path"]
            scope = {**scope, "path": path, "raw_path": path.encode()}

        async def varying(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).add_vary_header("accept, hx-request")
            await send(message)

        await self._app(scope, receive, varying)


def wants_page(headers: Headers) -> bool:
    """Whether a browser asks, and not a program that takes what comes."""
    if headers.get("hx-request") == "true":
        return True
    for part in headers.get("accept", "").split(","):
        kind = part.strip().lower()
        if kind.startswith("text/html") and not _QUALITY.search(kind):
            return True
        if kind.startswith("application/json"):
            return False
    return False
