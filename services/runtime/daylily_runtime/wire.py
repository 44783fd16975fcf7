"""The wire rules: channel options and the address of a server."""

import grpc

from daylily_runtime.settings import ServerSettings
from daylily_runtime.tls import TlsFilesError, server_credentials

# Clients ping every 10 s, also without calls. Core counts a ping that comes early as a strike and
# closes the connection after two, so the limit leaves room for pings that bunch up on their way.
_LEAST_PING_INTERVAL_MS = 9_000

# A caller that vanished without a word (a node that lost power) holds its streams until pings go
# unanswered. Core's own default for a server is two hours.
_KEEPALIVE_MS = 30_000
_KEEPALIVE_TIMEOUT_MS = 10_000


# Calls that have arrived and not begun. Beyond core's own 1,000 it cancels some without a word, which
# no client repeats; a thousand monitors that come back at once have to be served or told to wait.
_PENDING_MOST = 10_000


class StartError(Exception):
    """The server cannot start; the message says why in a sentence."""


def channel_options(settings: ServerSettings) -> list[tuple[str, int]]:
    """What core has to know to keep to the wire rules."""
    return [
        ("grpc.http2.min_ping_interval_without_data_ms", _LEAST_PING_INTERVAL_MS),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.keepalive_time_ms", _KEEPALIVE_MS),
        ("grpc.keepalive_timeout_ms", _KEEPALIVE_TIMEOUT_MS),
        ("grpc.max_connection_age_ms", round(settings.max_connection_age_seconds * 1000)),
        (
            "grpc.max_connection_age_grace_ms",
            round(settings.max_connection_age_grace_seconds * 1000),
        ),
        ("grpc.max_receive_message_length", settings.max_request_bytes),
        ("grpc.max_send_message_length", settings.max_response_bytes),
        # Two processes on one port would share its clients at random; a taken port is an error.
        ("grpc.so_reuseport", 0),
        ("grpc.server.max_pending_requests", _PENDING_MOST),
        ("grpc.server.max_pending_requests_hard_limit", _PENDING_MOST),
    ]


def bind(server: grpc.aio.Server, settings: ServerSettings) -> int:
    """Open the port, with TLS when there is a certificate, and give its number.

    Raises:
        StartError: the port is taken, the address is not one, or a TLS file is unusable.
    """
    address = join_address(settings.host, settings.port)
    try:
        credentials = server_credentials(settings)
    except TlsFilesError as error:
        raise StartError(str(error)) from error
    try:
        if credentials is None:
            return server.add_insecure_port(address)
        return server.add_secure_port(address, credentials)
    except RuntimeError as error:
        raise StartError(
            f"Cannot listen on {address}: the port is taken, "
            "or the address does not belong to this machine."
        ) from error


def join_address(host: str, port: int) -> str:
    """`host:port`, with brackets around an IPv6 address."""
    bare = host.strip("[]")
    return f"[{bare}]:{port}" if ":" in bare else f"{bare}:{port}"
