"""The three services, as clients that act for the caller of the request under way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from daylily_client import (
    AsyncNotifierClient,
    AsyncSchedulerClient,
    AsyncStateClient,
    ClientOptions,
)
from daylily_gateway import caller
from daylily_gateway.settings import GatewaySettings
from daylily_runtime import StartError


@dataclass(frozen=True, slots=True)
class Services:
    """Clients, open."""

    state: AsyncStateClient
    scheduler: AsyncSchedulerClient
    notifier: AsyncNotifierClient


@asynccontextmanager
async def connected(settings: GatewaySettings) -> AsyncIterator[Services]:
    """The services that the settings name. Nothing is asked yet.

    Raises:
        StartError: an address or a file cannot be used.
    """
    try:
        options = ClientOptions(
            token=caller.token,
            acting_for=caller.actor,
            timeout=settings.call_seconds,
            tls=settings.services_tls,
        )
        services = Services(
            AsyncStateClient(settings.state_address, options),
            AsyncSchedulerClient(settings.scheduler_address, options),
            AsyncNotifierClient(settings.notifier_address, options),
        )
    except (OSError, ValueError) as error:
        raise StartError(f"The services cannot be called: {error}") from error
    async with services.state, services.scheduler, services.notifier:
        yield services
