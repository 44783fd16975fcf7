"""What handlers ask for by the types of their parameters."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Request

from daylily_gateway.measuring import Measures
from daylily_gateway.recent import Recent
from daylily_gateway.services import Services
from daylily_gateway.settings import GatewaySettings
from daylily_gateway.spans import NO_SPANS, RequestSpans
from daylily_runtime import Lifecycle


@dataclass(frozen=True)
class Context:
    """All of it; in `app.state.context`."""

    services: Services
    settings: GatewaySettings
    measures: Measures
    lifecycle: Lifecycle
    recent: Recent
    spans: RequestSpans = NO_SPANS


async def _context(request: Request) -> Context:
    found: Context = request.app.state.context
    return found


async def _services(request: Request) -> Services:
    found: Context = request.app.state.context
    return found.services


Ctx = Annotated[Context, Depends(_context)]
Calls = Annotated[Services, Depends(_services)]
