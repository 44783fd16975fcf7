"""The three services, as clients that act for the caller of the request under way."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace

from daylily_client import (
    AsyncNotifierClient,
    AsyncSchedulerClient,
    AsyncStateClient,
    ClientOptions,
    TokenFile,
)
from daylily_client.spans import NO_SPANS, Spans
from daylily_client.wire import PlaintextTokenError
from daylily_gateway import caller
from daylily_gateway.settings import GatewaySettings
from daylily_runtime import StartError


@dataclass(frozen=True, slots=True)
class Services:
    """Clients, open. `own` calls state in the gateway's own name."""

    state: AsyncStateClient
    scheduler: AsyncSchedulerClient
    notifier: AsyncNotifierClient
    own: AsyncStateClient


@asynccontextmanager
async def connected(
    settings: GatewaySettings, tracing: Spans = NO_SPANS
) -> AsyncIterator[Services]:
    """The services that the settings name. Nothing is asked yet. `tracing` makes a span for each call
    that is made for a request.

    Raises:
        StartError: an address or a file cannot be used.
    """
    try:
        options = ClientOptions(
            token=caller.token,
            trusted_network=settings.insecure,
            acting_for=caller.actor,
            timeout=settings.call_seconds,
            tls=settings.services_tls,
            tracing=tracing,
        )
        own = replace(
            options,
            token=TokenFile(settings.own_token_file) if settings.own_token_file else None,
            actor=caller.ACTOR,
            acting_for=None,
            tracing=NO_SPANS,
        )
        services = Services(
            AsyncStateClient(settings.state_address, options),
            AsyncSchedulerClient(settings.scheduler_address, options),
            AsyncNotifierClient(settings.notifier_address, options),
            AsyncStateClient(settings.state_address, own),
        )
    except PlaintextTokenError as error:
        raise StartError(
            f"The services cannot be called: {error}. Set DAYLILY_SERVICES_TLS_CA, or "
            "DAYLILY_INSECURE=true (--insecure) if the network is trusted."
        ) from error
    except (OSError, ValueError) as error:
        raise StartError(f"The services cannot be called: {error}") from error
    async with services.state, services.scheduler, services.notifier, services.own:
        yield services
