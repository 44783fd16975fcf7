"""One way to run a grpc.aio server; knows no word of the domain.

A service in full:

    class EchoSettings(ServerSettings):
        port: Port = 50060
        store_url: str = Field(default="memory", description="Where echoes are kept.")

    ERRORS = ErrorTable({
        NoSuchEcho: ErrorRow(grpc.StatusCode.NOT_FOUND, "ECHO_NOT_FOUND",
                             metadata=lambda error: {"echo_id": error.echo_id}),
    })

    def echo_server(settings: EchoSettings) -> Server:
        async def build(server: Server) -> None:
            store = await server.open("store", open_store(settings.store_url))
            store_health = server.depends_on("store", store.ping)
            server.background("reaper", Reaper(store, SystemClock()).run)
            server.add_service(
                "echo.v1.EchoService",
                add_EchoServiceServicer_to_server,
                EchoServicer(store, store_health, server.lifecycle),
            )

        return Server("echo", settings, build, errors=ERRORS)

    def main() -> None:
        settings = EchoSettings.load_or_exit()
        configure_logging(settings.log_level, settings.log_format)
        sys.exit(run(echo_server(settings)))

A handler takes the request, raises domain exceptions, and returns the answer; it names no status
code. It may ask `time_remaining()` and `current_call()`. A long poll waits with
`wait_first(something, clock.sleep(wait), lifecycle.stopping)`. Blocking libraries are called
through an `Offload`. In tests, `async with running(server)` serves on `server.port`.
"""

from daylily_runtime.calls import REQUEST_ID_KEY, Call, annotate, current_call, time_remaining
from daylily_runtime.clock import Clock, SystemClock
from daylily_runtime.errors import (
    ERROR_DOMAIN,
    ErrorRow,
    ErrorTable,
    FieldViolation,
    RuntimeReason,
    ServiceError,
)
from daylily_runtime.health import Check, Dependency
from daylily_runtime.lifecycle import Lifecycle, wait_first
from daylily_runtime.logging import configure_logging
from daylily_runtime.metrics import Counter, Distribution, Gauge, Metrics
from daylily_runtime.offload import (
    Offload,
    OffloadClosedError,
    OffloadSaturatedError,
    OffloadTimeoutError,
)
from daylily_runtime.run import EXIT_FAILED, EXIT_OK, run, serve
from daylily_runtime.server import BackgroundTaskError, Server, running
from daylily_runtime.settings import (
    Bytes,
    Port,
    ReadableFile,
    Seconds,
    ServerSettings,
    SettingDescription,
    Settings,
    SettingsError,
    describe_settings,
)
from daylily_runtime.spans import Spans
from daylily_runtime.wire import StartError

__all__ = [
    "ERROR_DOMAIN",
    "EXIT_FAILED",
    "EXIT_OK",
    "REQUEST_ID_KEY",
    "BackgroundTaskError",
    "Bytes",
    "Call",
    "Check",
    "Clock",
    "Counter",
    "Dependency",
    "Distribution",
    "ErrorRow",
    "ErrorTable",
    "FieldViolation",
    "Gauge",
    "Lifecycle",
    "Metrics",
    "Offload",
    "OffloadClosedError",
    "OffloadSaturatedError",
    "OffloadTimeoutError",
    "Port",
    "ReadableFile",
    "RuntimeReason",
    "Seconds",
    "Server",
    "ServerSettings",
    "ServiceError",
    "SettingDescription",
    "Settings",
    "SettingsError",
    "Spans",
    "StartError",
    "SystemClock",
    "annotate",
    "configure_logging",
    "current_call",
    "describe_settings",
    "run",
    "running",
    "serve",
    "time_remaining",
    "wait_first",
]
