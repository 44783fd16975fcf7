"""Answers as JSON, without a detour: what a service says is valid, and is shown as it is.

The schemas beside them are for the OpenAPI document.
"""

from collections.abc import Iterable
from typing import Any, Final
from urllib.parse import urlencode

from daylily.scheduler.v1 import scheduler_pb2
from daylily.workset.v1 import workset_pb2
from fastapi import Request
from fastapi.responses import JSONResponse
from google.protobuf.message import Message

from daylily_gateway.messages import model_of, plain

Workset: Final = model_of(workset_pb2.Workset)
Placement: Final = model_of(scheduler_pb2.Placement)


def one(message: Message, status: int = 200) -> JSONResponse:
    """A message as the whole answer."""
    return JSONResponse(plain(message), status)


def many(
    messages: Iterable[Message], request: Request | None = None, cursor: str = ""
) -> JSONResponse:
    """Messages as an array. Where there are more, the header `link` has the next page's address."""
    headers = {}
    if cursor and request is not None:
        kept: list[tuple[str, Any]] = [
            (name, value) for name, value in request.query_params.multi_items() if name != "cursor"
        ]
        following = f"{request.url.path}?{urlencode([*kept, ('cursor', cursor)])}"
        headers["link"] = f'<{following}>; rel="next"'
    return JSONResponse([plain(message) for message in messages], headers=headers)
