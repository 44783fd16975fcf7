"""Which release is here, and which a service is of."""

from importlib import metadata
from typing import Final

import grpc

VERSION_KEY: Final = "x-daylily-version"
_CHECK: Final = "/grpc.health.v1.Health/Check"


def own_version() -> str:
    """The version of this client; empty where it is not installed as a distribution."""
    try:
        return metadata.version("daylily-client")
    except metadata.PackageNotFoundError:
        return ""


def served_version(channel: grpc.Channel, timeout: float) -> str:
    """The version of the service behind a channel; empty when it does not say.

    Raises:
        grpc.RpcError: it does not answer.
    """
    check = channel.unary_unary(_CHECK, request_serializer=bytes, response_deserializer=bytes)
    # An empty message asks for the server as a whole, and is no bytes at all.
    _, call = check.with_call(b"", timeout=timeout)
    said = {key: value for key, value in call.trailing_metadata() or () if key == VERSION_KEY}
    found = said.get(VERSION_KEY, "")
    return found if isinstance(found, str) else found.decode("ascii", "replace")
