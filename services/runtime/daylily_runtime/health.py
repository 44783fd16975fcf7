"""grpc.health.v1, serving only while every dependency answers."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import suppress
from typing import Any

import grpc
import structlog
from grpc_health.v1 import health_pb2, health_pb2_grpc

_log: structlog.stdlib.BoundLogger = structlog.get_logger(__name__)

SERVING = health_pb2.HealthCheckResponse.SERVING
NOT_SERVING = health_pb2.HealthCheckResponse.NOT_SERVING
SERVICE_UNKNOWN = health_pb2.HealthCheckResponse.SERVICE_UNKNOWN

HEALTH_SERVICE = "grpc.health.v1.Health"

VERSION_KEY = "x-daylily-version"
"""Metadata behind the answer of a check: the version of the distribution that serves."""

Check = Callable[[], Awaitable[None]]
"""Asks a dependency for a sign of life. Raises what is wrong; may be cancelled when it is late."""

_LEAST_PAUSE = 0.05  # seconds between checks, however many failures are reported


class Dependency:
    """Something that the server cannot work without, asked over and over whether it answers."""

    def __init__(
        self, name: str, check: Check, *, interval: float, timeout: float, on_change: Check
    ) -> None:
        self.name = name
        self.answers = False
        """False until the first check went through."""
        self._check = check
        self._interval = interval
        self._timeout = timeout
        self._on_change = on_change
        self._suspected = asyncio.Event()

    def report_failure(self) -> None:
        """A request met a failure of this dependency: check at once rather than in a while.

        One failed request does not end service; a check that fails does, and it comes within
        milliseconds of this. Reports while the dependency is known to be lost change nothing.
        """
        if self.answers:
            self._suspected.set()

    async def watch(self) -> None:
        """Check for ever."""
        while True:
            await self._ask()
            await asyncio.sleep(_LEAST_PAUSE)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval):
                    await self._suspected.wait()
            self._suspected.clear()

    async def _ask(self) -> None:
        error: str | None = None
        try:
            async with asyncio.timeout(self._timeout):
                await self._check()
        except TimeoutError:
            error = f"no answer within {self._timeout:g} s"
        except Exception as failure:  # noqa: BLE001 - whatever a library raises, it is away
            error = f"{type(failure).__name__}: {failure}"
        if self.answers != (error is None):
            self.answers = error is None
            if error is None:
                _log.info("dependency_answers", dependency=self.name)
            else:
                _log.warning("dependency_lost", dependency=self.name, error=error)
            await self._on_change()


class Health(health_pb2_grpc.HealthServicer):
    """The health service of one server. Every name has the same status, "" is the server.

    `version` goes with each check's answer, for who looks for what is not of one release. It is NOT_SERVING until `begin`, while a dependency does not answer, and for good from
    `shut_down` on.
    """

    def __init__(self, *, interval: float, timeout: float, version: str = "") -> None:
        self._interval = interval
        self._timeout = timeout
        self._version = version
        self._names = {"", HEALTH_SERVICE}
        self._dependencies: list[Dependency] = []
        self._begun = False
        self._shut_down = False
        self._serving = False
        self._changed = asyncio.Condition()

    @property
    def serving(self) -> bool:
        return self._serving

    @property
    def dependencies(self) -> tuple[Dependency, ...]:
        return tuple(self._dependencies)

    def add_service(self, name: str) -> None:
        self._names.add(name)

    def add_dependency(self, name: str, check: Check) -> Dependency:
        dependency = Dependency(
            name,
            check,
            interval=self._interval,
            timeout=self._timeout,
            on_change=self._update,
        )
        self._dependencies.append(dependency)
        return dependency

    async def begin(self) -> None:
        """The server listens: from now on the dependencies decide."""
        self._begun = True
        await self._update()

    async def shut_down(self) -> None:
        """NOT_SERVING, whatever the dependencies say."""
        self._shut_down = True
        await self._update()

    async def wait_serving(self) -> None:
        """Return when the server serves."""
        async with self._changed:
            await self._changed.wait_for(lambda: self._serving)

    async def _update(self) -> None:
        serving = (
            self._begun
            and not self._shut_down
            and all(dependency.answers for dependency in self._dependencies)
        )
        if serving == self._serving:
            return
        self._serving = serving
        _log.info("health_changed", status="SERVING" if serving else "NOT_SERVING")
        async with self._changed:
            self._changed.notify_all()

    def _status(self, name: str) -> int:
        if name not in self._names:
            return SERVICE_UNKNOWN
        return SERVING if self._serving else NOT_SERVING

    async def Check(
        self, request: health_pb2.HealthCheckRequest, context: Any
    ) -> health_pb2.HealthCheckResponse:
        status = self._status(request.service)
        if status == SERVICE_UNKNOWN:
            await context.abort(
                grpc.StatusCode.NOT_FOUND, f"There is no service {request.service!r} here."
            )
        if self._version:
            context.set_trailing_metadata(((VERSION_KEY, self._version),))
        return health_pb2.HealthCheckResponse(status=status)

    async def Watch(
        self, request: health_pb2.HealthCheckRequest, _context: Any
    ) -> AsyncIterator[health_pb2.HealthCheckResponse]:
        told: int | None = None
        while True:
            status = self._status(request.service)
            if status != told:
                told = status
                yield health_pb2.HealthCheckResponse(status=status)
                continue  # it may have changed while the caller was told
            async with self._changed:
                while self._status(request.service) == told:
                    await self._changed.wait()
