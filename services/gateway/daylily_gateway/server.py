"""The gateway from start to stop: an HTTP server beside the gRPC servers of the other services."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Iterator
from typing import Any, Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from daylily_client.spans import NO_SPANS as NO_CALL_SPANS
from daylily_client.spans import Spans as CallSpans
from daylily_client.spans import client_spans
from daylily_gateway.app import application
from daylily_gateway.context import Context
from daylily_gateway.exposure import Exposure
from daylily_gateway.measuring import Measures
from daylily_gateway.recent import Recent
from daylily_gateway.services import Services, connected
from daylily_gateway.settings import GatewaySettings
from daylily_gateway.spans import NO_SPANS, RequestSpans
from daylily_runtime import BackgroundTaskError, Lifecycle, Metrics, StartError, SystemClock
from daylily_runtime.exporters import prometheus_page
from daylily_runtime.spans import exported_spans

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_LISTENING: Final = 2048
_IDLE_SECONDS: Final = 75


class GatewayServer:
    """One gateway on one port. `start`, `stop` and `failed` are those of `daylily_runtime.Server`.

    Stopping, in this order: event streams end, the port closes, requests under way may end within
    `drain_seconds`, then they are cut off; then the clients of the services close.

    Args:
        settings: see `GatewaySettings`.
    """

    def __init__(self, settings: GatewaySettings) -> None:
        self.name = "gateway"
        self.settings = settings
        self.lifecycle = Lifecycle()
        self.metrics = Metrics()
        self._resources = contextlib.AsyncExitStack()
        self._http: _Http | None = None
        self._serving: asyncio.Task[None] | None = None
        self._looking: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._port = 0

    @property
    def port(self) -> int:
        """The port it listens on; 0 before that."""
        return self._port

    @property
    def address(self) -> str:
        """Where a browser finds it."""
        scheme = "https" if self.settings.tls_cert else "http"
        host = f"[{self.settings.host}]" if ":" in self.settings.host else self.settings.host
        return f"{scheme}://{host}:{self._port}"

    @property
    def connections(self) -> frozenset[Any]:
        """Uvicorn's protocols of the connections that are open."""
        return frozenset(self._http.server_state.connections if self._http else ())

    async def start(self) -> None:
        """Listen. What was opened is closed again when that fails.

        Raises:
            StartError: the port, a file or an address of a service cannot be used.
        """
        try:
            await self._start()
        except BaseException:
            await self._resources.aclose()
            raise

    async def _start(self) -> None:
        settings = self.settings
        around, inside = self._traces() if settings.tracing else (NO_SPANS, NO_CALL_SPANS)
        services = await self._resources.enter_async_context(connected(settings, inside))
        if settings.metrics_port is not None:
            page = prometheus_page(self.metrics, settings.host, settings.metrics_port)
            await self._resources.enter_async_context(page)
        if settings.is_exposed:
            await self._look_for_open_services(services)
        recent = Recent(services.own, SystemClock())
        following = asyncio.create_task(recent.run(), name="gateway.recent")
        self._resources.push_async_callback(_ended, following)
        context = Context(
            services, settings, Measures(self.metrics), self.lifecycle, recent, around
        )
        listening = _bind(settings)
        self._port = listening.getsockname()[1]
        self._http = _Http(_config(application(context), settings))
        self._serving = asyncio.create_task(self._http.serve([listening]), name="gateway.http")
        while not self._http.started:
            if self._serving.done():
                self._serving.result()
                raise StartError("The gateway's HTTP server ended while it started.")
            await asyncio.sleep(0.005)
        _log.info("listening", address=self.address)

    async def _look_for_open_services(self, services: Services) -> None:
        exposure = Exposure(services, SystemClock())
        await exposure.look()
        self._looking = asyncio.create_task(exposure.run(), name="gateway.exposure")
        self._resources.push_async_callback(_ended, self._looking)

    def _traces(self) -> tuple[RequestSpans, CallSpans]:
        """Spans around requests, and inside them around the calls of services."""
        tracing = exported_spans(f"daylily-{self.name}")
        # Imported here: a gateway without traces does not need the libraries.
        from daylily_gateway.tracing import HttpSpans  # noqa: PLC0415

        # The first to open is the last to close: what ends before is in the traces as well.
        self._resources.push_async_callback(tracing.close)
        return HttpSpans(tracing.provider), client_spans(tracing.provider)

    async def stop(self) -> None:
        """Stop in order and return when everything is closed. Safe twice, and before `start`."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name="gateway.stop")
        await asyncio.shield(self._stopping)

    async def _stop(self) -> None:
        self.lifecycle.stopping.set()
        if self._http is not None and self._serving is not None:
            self._http.should_exit = True
            await asyncio.wait([self._serving])
        await self._resources.aclose()
        _log.info("stopped", service=self.name)

    async def failed(self) -> BackgroundTaskError:
        """Return what failed, when the HTTP server came to an end by itself, or a service turned out to
        be open to everybody.
        """
        if self._serving is None:
            raise RuntimeError("the gateway was not started")
        if self._looking is not None:
            await asyncio.wait([self._serving, self._looking], return_when="FIRST_COMPLETED")
            found = self._looking.exception() if _has_failed(self._looking) else None
            if found is not None:
                error = BackgroundTaskError(str(found))
                error.__cause__ = found
                return error
        await asyncio.wait([self._serving])
        if self.lifecycle.is_stopping:
            await asyncio.Event().wait()
        error = BackgroundTaskError("gateway: the HTTP server came to an end")
        error.__cause__ = self._serving.exception()
        return error


class _Http(uvicorn.Server):
    """uvicorn without signal handlers: signals are the process's, which may run other servers too."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


def _config(app: ASGIApp, settings: GatewaySettings) -> uvicorn.Config:
    try:
        return uvicorn.Config(
            app,
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
            ws="none",
            timeout_keep_alive=_IDLE_SECONDS,
            timeout_graceful_shutdown=max(1, round(settings.drain_seconds)),
            ssl_certfile=settings.tls_cert,
            ssl_keyfile=settings.tls_key,
        )
    except (OSError, ssl.SSLError) as error:
        raise StartError(f"DAYLILY_TLS_CERT and DAYLILY_TLS_KEY: {error}") from error


def _has_failed(task: asyncio.Task[None]) -> bool:
    return task.done() and not task.cancelled()


async def _ended(task: asyncio.Task[None]) -> None:
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


def _bind(settings: GatewaySettings) -> socket.socket:
    """The port, open.

    Raises:
        StartError: it is taken, or the address is not one.
    """
    host = settings.host.strip("[]")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host, settings.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # With the protocol named, asyncio sends small answers at once (TCP_NODELAY); without it,
        # each one waits for the acknowledgement of its head, some 40 ms.
        listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(_LISTENING)
    except OSError as error:
        raise StartError(
            f"Cannot listen on {host}:{settings.port} ({error.strerror}). Choose another "
            "DAYLILY_PORT, or stop what uses it."
        ) from error
    listening.setblocking(False)
    return listening
