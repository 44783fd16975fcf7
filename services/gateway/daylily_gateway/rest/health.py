"""Whether the gateway runs, and whether it can do its work."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, Final

import grpc
import grpc.aio
from fastapi import APIRouter
from fastapi.responses import JSONResponse
from grpc_health.v1 import health_pb2

from daylily_client import AsyncClient
from daylily_gateway.context import Ctx

router = APIRouter(tags=["health"])

SERVICE: Final = "daylily-workset-monitor"
_SECONDS: Final = 2.0


@router.get("/")
async def root() -> dict[str, Any]:
    """As clients of the system before this one ask for it; a browser gets the page."""
    return health()


@router.get("/healthz")
async def healthz() -> dict[str, str]:
    """Whether the gateway itself runs; asks nobody else."""
    return health()


@router.get("/readyz")
async def readyz(context: Ctx) -> JSONResponse:
    """Whether each service serves: 200 when state does, else 503."""
    services = context.services
    said = await asyncio.gather(
        _asked(services.state), _asked(services.scheduler), _asked(services.notifier)
    )
    found = dict(zip(("state", "scheduler", "notifier"), said, strict=True))
    ready = found["state"] == "serving" and not context.lifecycle.is_stopping
    return JSONResponse({"ready": ready, "services": found}, 200 if ready else 503)


def health() -> dict[str, Any]:
    """As clients of the system before this one expect it."""
    return {
        "status": "healthy",
        "service": SERVICE,
        "timestamp": datetime.now(UTC).isoformat().replace("+00:00", "Z"),
    }


async def _asked(client: AsyncClient) -> str:
    check: Callable[..., Awaitable[health_pb2.HealthCheckResponse]] = client.channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    try:
        answer = await check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
    except grpc.aio.AioRpcError as error:
        return error.code().name.lower()
    return health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status).lower()
