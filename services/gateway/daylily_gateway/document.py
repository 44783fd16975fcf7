"""The OpenAPI document: what is true of every call, said once."""

from collections.abc import Sequence
from typing import Any, Final

from fastapi import FastAPI
from starlette.routing import BaseRoute

from daylily_gateway.problems import MEDIA_TYPE, Problem

_DESCRIPTION: Final = """\
REST in front of the Daylily services. It adds no rules of its own: who may do what is decided by the
services, to which it hands on the bearer token of each request.

Errors are problem details (RFC 9457) with the `reason` code of the services; docs/rest.md lists them.
"""

_REF: Final = "#/components/schemas/{model}"
_PROBLEMS: Final = {
    "4XX": "Refused: `reason` and `detail` say why.",
    "5XX": "A service does not answer, or not now.",
}
_FASTAPIS_OWN: Final = ("HTTPValidationError", "ValidationError")


class Documented(FastAPI):
    """FastAPI whose document has the errors that calls really answer with.

    Args:
        routes: as they are. Routers that are included are searched twice for each request, which
            takes longer than everything that the gateway does with it.
    """

    def __init__(self, routes: Sequence[BaseRoute]) -> None:
        super().__init__(
            title="Daylily workset control plane",
            description=_DESCRIPTION,
            version="0.1.0",
            routes=list(routes),
            redoc_url=None,
        )

    def openapi(self) -> dict[str, Any]:
        """The document, made at the first call."""
        if self.openapi_schema is None:
            document = super().openapi()
            schemas = document["components"]["schemas"]
            for name in _FASTAPIS_OWN:
                schemas.pop(name, None)
            problem = Problem.model_json_schema(ref_template=_REF)
            schemas.update(problem.pop("$defs"), Problem=problem)
            for path in document["paths"].values():
                for operation in path.values():
                    operation["responses"].pop("422", None)
                    operation["responses"].update(_problems())
        return super().openapi()


def _problems() -> dict[str, Any]:
    content = {MEDIA_TYPE: {"schema": {"$ref": _REF.format(model="Problem")}}}
    return {status: {"description": said, "content": content} for status, said in _PROBLEMS.items()}
