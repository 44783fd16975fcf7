"""Templates, and the headers of a page."""

from datetime import UTC, datetime
from typing import Any, Final

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from daylily_gateway.pages.words import FILTERS, NOTHING, share

_CSP: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)

_templates = Environment(
    loader=PackageLoader("daylily_gateway.pages"),
    autoescape=select_autoescape(default=True, default_for_string=True),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_templates.filters.update(FILTERS)
_templates.globals.update(NOTHING=NOTHING, share=share)


def page(request: Request, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
    """A page. `now` is the same for all that it shows."""
    text = _templates.get_template(template).render(
        request=request,
        now=datetime.now(UTC),
        here=_address(request),
        signed_in=bool(request.cookies.get("daylily_token")),
        **values,
    )
    headers = {"content-security-policy": _CSP, "cache-control": "no-store"}
    return HTMLResponse(text, status, headers)


def _address(request: Request) -> str:
    """The page's own address, for reading it again."""
    path = request.url.path
    return f"{path}?{request.url.query}" if request.url.query else path
