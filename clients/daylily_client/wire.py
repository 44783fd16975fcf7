"""Channels as docs/architecture.md wants them: where they go, and how they notice trouble."""

import ipaddress
import json
from collections.abc import Sequence
from typing import TypeAlias

import grpc
import grpc.aio

from daylily_client.options import MAX_MESSAGE_BYTES, ClientOptions, TlsFiles

Addresses: TypeAlias = str | Sequence[str]

# With pick-first, all calls stay with a replica that lost its store while a healthy one is idle.
# The empty service name asks for the health of the server as a whole.
SERVICE_CONFIG = {
    "loadBalancingConfig": [{"round_robin": {}}],
    "healthCheckConfig": {"serviceName": ""},
}

CHANNEL_OPTIONS: tuple[tuple[str, str | int], ...] = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    # A dead peer is noticed within 15 s, also by a stream on which nothing is sent. Servers allow
    # a ping every 10 s.
    ("grpc.keepalive_time_ms", 10_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.max_pings_without_data", 0),
    # gRPC pings for its flow control, too, and waits a minute for those. While one is out, none is
    # sent for keepalive: a connection that died just after an answer would be kept for a minute.
    ("grpc.http2.ping_timeout_ms", 5_000),
    # gRPC's own pause between connection attempts grows to two minutes: too long for a restart.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.max_reconnect_backoff_ms", 3_000),
    # A name is looked up again when a connection breaks, at most this often.
    ("grpc.dns_min_time_between_resolutions_ms", 3_000),
    ("grpc.max_receive_message_length", MAX_MESSAGE_BYTES),
    ("grpc.max_send_message_length", MAX_MESSAGE_BYTES),
)


class PlaintextTokenError(ValueError):
    """A token would go to another machine for anybody on the way to read."""


def target(addresses: Addresses) -> str:
    """The gRPC target for one address or several, each "host:port".

    One name may stand for many servers: all that it resolves to are used. Several must be IP
    addresses (or localhost), because gRPC resolves one name only.

    Raises:
        ValueError: no address, one without a port, or a name among several.
    """
    given = addresses.split(",") if isinstance(addresses, str) else addresses
    parts = [address.strip() for address in given if address.strip()]
    if not parts:
        raise ValueError("no address given: expected host:port")
    if len(parts) == 1:
        return parts[0] if "://" in parts[0] else f"dns:///{_checked(parts[0])}"
    hosts = [_literal(_checked(part)) for part in parts]
    scheme = "ipv6" if hosts[0].startswith("[") else "ipv4"
    return f"{scheme}:{','.join(hosts)}"


def _checked(address: str) -> str:
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        raise ValueError(f"{address!r} is no address: expected host:port")
    return address


def _literal(address: str) -> str:
    host, _, port = address.rpartition(":")
    if host == "localhost":
        return f"127.0.0.1:{port}"
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError as error:
        raise ValueError(
            f"{address!r}: several addresses must be IP addresses; "
            "or give one DNS name that resolves to all servers"
        ) from error
    return address


def sync_channel(addresses: Addresses, options: ClientOptions) -> grpc.Channel:
    """A channel for the synchronous clients."""
    where = target(addresses)
    if options.tls is None:
        _check_token_stays_private(addresses, options)
        return grpc.insecure_channel(where, options=CHANNEL_OPTIONS)
    return grpc.secure_channel(where, credentials(options.tls), options=CHANNEL_OPTIONS)


def async_channel(addresses: Addresses, options: ClientOptions) -> grpc.aio.Channel:
    """A channel for the asynchronous clients; make it inside the event loop that uses it."""
    where = target(addresses)
    if options.tls is None:
        _check_token_stays_private(addresses, options)
        return grpc.aio.insecure_channel(where, options=CHANNEL_OPTIONS)
    return grpc.aio.secure_channel(where, credentials(options.tls), options=CHANNEL_OPTIONS)


def _check_token_stays_private(addresses: Addresses, options: ClientOptions) -> None:
    """Refuses to send a token where anybody on the way can read it.

    Raises:
        PlaintextTokenError: it would.
    """
    if options.token is None or options.trusted_network:
        return
    given = addresses.split(",") if isinstance(addresses, str) else addresses
    for address in filter(None, map(str.strip, given)):
        if address.startswith("unix:"):
            continue
        host = address.rpartition("://")[2].lstrip("/").rpartition(":")[0].strip("[]")
        if not _is_loopback(host):
            raise PlaintextTokenError(f"{address}: a token goes to another machine only over TLS")


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def credentials(files: TlsFiles) -> grpc.ChannelCredentials:
    """Reads the PEM files.

    Raises:
        OSError: a file cannot be read.
    """
    return grpc.ssl_channel_credentials(
        root_certificates=files.ca.read_bytes() if files.ca else None,
        private_key=files.key.read_bytes() if files.key else None,
        certificate_chain=files.cert.read_bytes() if files.cert else None,
    )
