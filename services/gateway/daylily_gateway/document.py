"""The OpenAPI document: what is true of every call, said once."""

from typing import Any, Final

from fastapi import FastAPI

from daylily_gateway.problems import MEDIA_TYPE, Problem

_DESCRIPTION: Final = """\
REST in front of the Daylily services. It adds no rules of its own: who may do what is decided by the
services, to which it hands on the bearer token of each request.

Errors are problem details (RFC 9457) with the `reason` code of the services; docs/rest.md lists them.
"""

_PROBLEMS: Final[dict[int | str, dict[str, Any]]] = {
    "4XX": {"model": Problem, "description": "Refused: `reason` and `detail` say why."},
    "5XX": {"model": Problem, "description": "A service does not answer, or not now."},
}


class Documented(FastAPI):
    """FastAPI whose document gives errors the media type that they are sent with, not the answer's."""

    def __init__(self) -> None:
        super().__init__(
            title="Daylily workset control plane",
            description=_DESCRIPTION,
            version="0.1.0",
            responses=_PROBLEMS,
            redoc_url=None,
        )

    def openapi(self) -> dict[str, Any]:
        """The document, made at the first call."""
        if self.openapi_schema is None:
            document = super().openapi()
            for path in document["paths"].values():
                for operation in path.values():
                    for status in _PROBLEMS:
                        response = operation["responses"][status]
                        (described,) = response["content"].values()
                        response["content"] = {MEDIA_TYPE: described}
        return super().openapi()
