"""The wire rules: channel options, TLS and the address of a server."""

import ssl
from pathlib import Path

import grpc

from daylily_runtime.settings import ServerSettings

# Clients ping every 10 s, also without calls. Core counts a ping that comes early as a strike and
# closes the connection after two, so the limit leaves room for pings that bunch up on their way.
_LEAST_PING_INTERVAL_MS = 9_000

# A caller that vanished without a word (a node that lost power) holds its streams until pings go
# unanswered. Core's own default for a server is two hours.
_KEEPALIVE_MS = 30_000
_KEEPALIVE_TIMEOUT_MS = 10_000


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
    ]


def bind(server: grpc.aio.Server, settings: ServerSettings) -> int:
    """Open the port, with TLS when there is a certificate, and give its number.

    Raises:
        StartError: the port is taken, the address is not one, or a TLS file is unusable.
    """
    address = join_address(settings.host, settings.port)
    credentials = _credentials(settings)
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


def _credentials(settings: ServerSettings) -> grpc.ServerCredentials | None:
    if settings.tls_cert is None or settings.tls_key is None:
        return None
    _check_pem(settings.tls_cert, settings.tls_key, settings.tls_client_ca)
    pair = (settings.tls_key.read_bytes(), settings.tls_cert.read_bytes())
    authorities = settings.tls_client_ca.read_bytes() if settings.tls_client_ca else None
    return grpc.ssl_server_credentials(
        [pair], root_certificates=authorities, require_client_auth=authorities is not None
    )


def _check_pem(cert: Path, key: Path, client_ca: Path | None) -> None:
    """Let Python's ssl read the files first: core says no more than that it cannot bind."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(cert, key, password="")  # an empty one, so that nobody is asked
    except (OSError, ValueError) as error:
        raise StartError(
            f"DAYLILY_TLS_CERT {cert} and DAYLILY_TLS_KEY {key} are no certificate with its key, "
            f"in PEM and without a passphrase: {error}."
        ) from error
    try:
        if client_ca is not None:
            context.load_verify_locations(client_ca)
    except (OSError, ValueError) as error:
        raise StartError(
            f"DAYLILY_TLS_CLIENT_CA {client_ca} holds no certificates in PEM: {error}."
        ) from error
