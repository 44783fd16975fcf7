"""A grpc.aio server from start to stop."""

import asyncio
import importlib.metadata
import math
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Protocol, TypeVar

import google.rpc.error_details_pb2
import google.rpc.status_pb2  # noqa: F401 - reflection resolves details from what was imported
import grpc
import structlog
from grpc_health.v1 import health_pb2_grpc
from grpc_reflection.v1alpha import reflection

from daylily_runtime.access.gate import Gate
from daylily_runtime.access.roles import Rules
from daylily_runtime.call_metrics import CallMetrics
from daylily_runtime.calls import ActiveCalls
from daylily_runtime.clock import SystemClock
from daylily_runtime.errors import ErrorTable
from daylily_runtime.exporters import CloudWatch, cloudwatch_client, prometheus_page
from daylily_runtime.health import HEALTH_SERVICE, Check, Dependency, Health
from daylily_runtime.interceptor import CallLayer
from daylily_runtime.lifecycle import Lifecycle
from daylily_runtime.metrics import Metrics
from daylily_runtime.settings import ServerSettings
from daylily_runtime.spans import Spans, exported_spans
from daylily_runtime.wire import StartError, bind, channel_options, join_address

R = TypeVar("R")
S = TypeVar("S")

Build = Callable[["Server"], Awaitable[None]]
Close = Callable[[], Awaitable[None]]

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

_STREAMS_END_SECONDS = 2.0  # of the drain: time for streams to end by themselves
_ANSWERS_LEAVE_SECONDS = 1.0  # for the answers of calls that were cut off


class BackgroundTaskError(Exception):
    """A background task crashed or came to an end; the server cannot go on without it."""


class Server:
    """One service on one port.

    Starting calls `build`, which opens what the service needs and registers its servicers, then
    listens, and serves while the dependencies answer. Stopping, in this order:

    1. health says NOT_SERVING, `lifecycle.stopping` is set: streams and long polls end;
    2. streams that did not are cut off (UNAVAILABLE, reason STOPPING);
    3. the port closes, calls under way may end within `drain_seconds`, then they are cut off;
    4. background tasks and resources end in reverse order of their opening.

    `stop` may be called before `start`, during it, and twice.

    Args:
        name: of the service, in logs.
        settings: see `ServerSettings`.
        build: wires the service up, on the running event loop.
        errors: the service's error table.
        span_fields: the fields of requests that go into spans, where calls are traced.
    """

    def __init__(
        self,
        name: str,
        settings: ServerSettings,
        build: Build,
        *,
        errors: ErrorTable = ErrorTable.EMPTY,
        span_fields: Sequence[str] = (),
    ) -> None:
        self.name = name
        self.settings = settings
        self.lifecycle = Lifecycle()
        self.metrics = Metrics()
        """The instruments of this server; build adds the service's own."""
        self.metrics_port = 0
        """Where /metrics is served; 0 when it is not."""
        self.spans: Spans | None = None
        """Makes spans, from the start on; None where calls are not traced."""
        self._span_fields = span_fields
        self._build = build
        self._errors = errors
        self._calls = ActiveCalls()
        self._gate = Gate(settings, SystemClock())
        self._health = Health(
            interval=settings.health_interval_seconds,
            timeout=settings.health_timeout_seconds,
            version=_version(name),
        )
        self._service_names: list[str] = []
        self._closers: list[tuple[str, Close]] = []
        self._grpc: grpc.aio.Server | None = None
        self._port = 0
        self._starting: asyncio.Task[None] | None = None
        self._stopping: asyncio.Task[None] | None = None
        self._failure: BackgroundTaskError | None = None
        self._failed = asyncio.Event()

    # ---- for build -------------------------------------------------------------------------

    def add_service(
        self,
        name: str,
        add_to_server: Callable[[S, Any], None],
        servicer: S,
        rules: Rules | None = None,
    ) -> None:
        """Register a servicer under its full name, like `daylily.state.v1.StateService`.

        Where callers have to prove who they are, an RPC without a rule is for admins alone.
        """
        self._gate.add(name, rules or {})
        add_to_server(servicer, self._registrar())
        self._service_names.append(name)
        self._health.add_service(name)

    def depends_on(self, name: str, check: Check) -> Dependency:
        """Serve only while `check` returns without raising.

        The request path tells the returned object about failures it met (`report_failure`).
        """
        return self._health.add_dependency(name, check)

    async def open(self, name: str, resource: AbstractAsyncContextManager[R]) -> R:
        """Enter `resource` now and leave it when the server stops."""
        entered = await resource.__aenter__()

        async def close() -> None:
            await resource.__aexit__(None, None, None)

        self.on_close(name, close)
        return entered

    def on_close(self, name: str, close: Close) -> None:
        """Call `close` when the server stops, in reverse order of these calls."""
        self._closers.append((name, close))

    def background(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        """Run something as long as the server does, from now on; cancelled when it stops.

        It has to look after itself: a task that raises, or returns before the server stops, ends
        the server with a failure, as a service without its reaper or feed only looks alive.
        """
        task = asyncio.create_task(self._supervise(name, run), name=f"{self.name}.{name}")

        async def end() -> None:
            task.cancel()
            await asyncio.wait([task])

        self.on_close(name, end)

    # ---- for everyone ----------------------------------------------------------------------

    @property
    def port(self) -> int:
        """The port it listens on; 0 before that."""
        return self._port

    @property
    def address(self) -> str:
        """`host:port` as it listens."""
        return join_address(self.settings.host, self._port)

    @property
    def serving(self) -> bool:
        """What health answers."""
        return self._health.serving

    async def wait_serving(self) -> None:
        """Return when every dependency answers."""
        await self._health.wait_serving()

    async def failed(self) -> BackgroundTaskError:
        """Return what failed, when something did that the server cannot go on without."""
        await self._failed.wait()
        assert self._failure is not None  # noqa: S101 - set before the event
        return self._failure

    async def start(self) -> None:
        """Build and listen. What was opened is closed again when that fails.

        Raises:
            StartError: the port or the TLS files cannot be used.
        """
        if self._starting is not None or self._stopping is not None:
            raise RuntimeError(f"{self.name} was started or stopped before")
        self._starting = asyncio.create_task(self._start(), name=f"{self.name}.start")
        try:
            await asyncio.shield(self._starting)
        except BaseException:
            stopped_meanwhile = self._stopping is not None
            await self.stop()
            if stopped_meanwhile and not _is_cancelled():
                raise StartError(f"{self.name} was stopped while it started.") from None
            raise

    async def stop(self) -> None:
        """Stop in order and return when everything is closed."""
        if self._stopping is None:
            self._stopping = asyncio.create_task(self._stop(), name=f"{self.name}.stop")
        # A caller that is cancelled must not leave the stop half done.
        await asyncio.shield(self._stopping)

    # ---- start -----------------------------------------------------------------------------

    def _registrar(self) -> grpc.aio.Server:
        if self._grpc is None:
            raise RuntimeError("services are registered by build, while the server starts")
        return self._grpc

    async def _start(self) -> None:
        structlog.contextvars.bind_contextvars(service=self.name)
        if self.settings.tracing:
            self.spans = self._traces()
        layer = CallLayer(
            service=self.name,
            errors=self._errors,
            calls=self._calls,
            max_call_seconds=self.settings.max_call_seconds,
            max_response_bytes=self.settings.max_response_bytes,
            metrics=CallMetrics(self.metrics, self.name),
            gate=self._gate,
            spans=self.spans,
        )
        self._grpc = grpc.aio.server(interceptors=[layer], options=channel_options(self.settings))
        self._gate.open()
        if self._gate.file is not None:
            self.background("identities", lambda: self._gate.follow(self._calls))
        await self._export_metrics()
        await self._build(self)
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._grpc)
        reflection.enable_server_reflection(
            [*self._service_names, HEALTH_SERVICE, reflection.SERVICE_NAME], self._grpc
        )
        self._port = bind(self._grpc, self.settings)
        await self._grpc.start()
        self.background("grpc", self._until_terminated)
        for dependency in self._health.dependencies:
            self.background(f"check {dependency.name}", dependency.watch)
        await self._health.begin()
        _log.info(
            "listening",
            address=self.address,
            tls=self.settings.uses_tls,
            authentication=self._gate.closed,
        )

    async def _until_terminated(self) -> None:
        # With a timeout, since without one a cancelled waiter breaks the termination itself.
        while self._grpc is not None and await self._grpc.wait_for_termination(3600):
            pass

    def _traces(self) -> Spans:
        tracing = exported_spans(f"daylily-{self.name}", self._span_fields)
        # The first to open is the last to close: what stops before is in the traces as well.
        self.on_close("traces", tracing.close)
        return tracing

    async def _export_metrics(self) -> None:
        settings = self.settings
        if settings.metrics_port is not None:
            page = prometheus_page(self.metrics, settings.host, settings.metrics_port)
            self.metrics_port = await self.open("metrics", page)
        if settings.cloudwatch_namespace:
            sender = CloudWatch(
                self.metrics,
                settings.cloudwatch_namespace,
                cloudwatch_client(),
                SystemClock(),
                settings.cloudwatch_interval_seconds,
            )
            self.on_close("cloudwatch", sender.close)
            self.background("cloudwatch", sender.run)

    async def _supervise(self, name: str, run: Callable[[], Awaitable[None]]) -> None:
        structlog.contextvars.bind_contextvars(service=self.name, task=name)
        try:
            await run()
        except asyncio.CancelledError as error:
            if _is_cancelled():
                raise
            # Something that it awaited was cancelled, not the task: it dies without anybody's wish.
            self._fail(name, "was cancelled from inside", error)
            return
        except Exception as error:  # noqa: BLE001 - the boundary: a crash must not go unseen
            self._fail(name, f"crashed: {error!r}", error)
            return
        if not self.lifecycle.is_stopping:
            self._fail(name, "came to an end", None)

    def _fail(self, name: str, what: str, error: BaseException | None) -> None:
        _log.error("background_task_failed", what=what, exc_info=error)
        if self._failure is None:
            self._failure = BackgroundTaskError(f"{self.name}: {name} {what}")
            self._failure.__cause__ = error
            self._failed.set()

    # ---- stop ------------------------------------------------------------------------------

    async def _stop(self) -> None:
        structlog.contextvars.bind_contextvars(service=self.name)
        _log.info("stopping")
        await self._health.shut_down()
        self.lifecycle.stopping.set()
        if self._starting is not None:
            self._starting.cancel()
            await asyncio.gather(self._starting, return_exceptions=True)
        if self._grpc is not None:
            await self._drain(self._grpc)
        for name, close in reversed(self._closers):
            await self._close(name, close)
        self._closers.clear()
        _log.info("stopped")

    async def _drain(self, server: grpc.aio.Server) -> None:
        loop = asyncio.get_running_loop()
        end = loop.time() + self.settings.drain_seconds
        streams_end = min(end, loop.time() + _STREAMS_END_SECONDS)
        # The port is still open: clients learn from health, and from the ends of their streams,
        # to go elsewhere before the connection closes under them.
        if not await _within(streams_end, self._calls.ended(streams_only=True)):
            _log.warning("streams_cut_off", count=self._calls.cut_off(streams_only=True))
        # With a grace that never runs out: when to end calls is decided here, with an answer.
        closing = asyncio.create_task(server.stop(grace=math.inf))
        try:
            self._calls.end_infrastructure()
            if not await _within(end, self._calls.ended()):
                _log.warning("calls_cut_off", count=self._calls.cut_off())
            answers_end = max(end, loop.time() + _ANSWERS_LEAVE_SECONDS)
            await _within(answers_end, asyncio.shield(closing))
        finally:
            # Whatever did not let itself be cut off is cancelled by core, and not waited for.
            await _within(loop.time() + _ANSWERS_LEAVE_SECONDS, server.stop(None))
            closing.cancel()

    async def _close(self, name: str, close: Close) -> None:
        try:
            async with asyncio.timeout(self.settings.close_seconds):
                await close()
        except TimeoutError:
            _log.error("close_timed_out", resource=name, seconds=self.settings.close_seconds)
        except Exception as error:  # noqa: BLE001 - the other resources have to be closed too
            _log.error("close_failed", resource=name, exc_info=error)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


async def _within(when: float, work: Awaitable[object]) -> bool:
    """Await `work` until `when` (loop time); whether it was over by then."""
    try:
        async with asyncio.timeout_at(when):
            await work
    except TimeoutError:
        return False
    return True


@asynccontextmanager
async def running(*servers: Server) -> AsyncIterator[None]:
    """Start `servers` in order; stop them in reverse order at the end. Handles no signals."""
    started: list[Server] = []
    try:
        for server in servers:
            started.append(server)
            await server.start()
        yield
    finally:
        await stop_all(started)


class Stoppable(Protocol):
    """What `stop_all` asks of a server."""

    async def stop(self) -> None: ...


async def stop_all(servers: Iterable[Stoppable]) -> None:
    """Stop one after the other, the last first, as later ones may be clients of earlier ones."""
    for server in reversed(list(servers)):
        await server.stop()


def _version(service: str) -> str:
    """Of the service's distribution; empty where it runs from no distribution, as in a test."""
    try:
        return importlib.metadata.version(f"daylily-{service}")
    except importlib.metadata.PackageNotFoundError:
        return ""
