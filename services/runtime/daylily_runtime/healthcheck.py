"""Ask the server of this container for its health: exit 0 if it is SERVING, 1 if not.

    python -m daylily_runtime.healthcheck            # 127.0.0.1 and DAYLILY_PORT
    python -m daylily_runtime.healthcheck HOST:PORT

It imports gRPC alone. An engine asks every few seconds: run by its file, it costs a fifth of loading
the package, which `-m` does.

With TLS on (`DAYLILY_TLS_CERT`) the server's own certificate is trusted, under the name in it. With
mutual TLS (`DAYLILY_TLS_CLIENT_CA`) it is shown as well, so that authority has to have signed it.
"""

import os
import sys
from pathlib import Path

import grpc
from grpc_health.v1 import health_pb2

_SECONDS = 2.0


def main() -> int:
    """Ask, say what is wrong on standard error, and give the exit code."""
    address = sys.argv[1] if len(sys.argv) > 1 else f"127.0.0.1:{os.environ['DAYLILY_PORT']}"
    try:
        with _channel(address) as channel:
            check: grpc.UnaryUnaryMultiCallable[
                health_pb2.HealthCheckRequest, health_pb2.HealthCheckResponse
            ] = channel.unary_unary(
                "/grpc.health.v1.Health/Check",
                request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
                response_deserializer=health_pb2.HealthCheckResponse.FromString,
            )
            answer = check(health_pb2.HealthCheckRequest(), timeout=_SECONDS)
    except grpc.RpcError as error:
        sys.stderr.write(f"{address} does not answer: {error}\n")
        return 1
    status = health_pb2.HealthCheckResponse.ServingStatus.Name(answer.status)
    sys.stderr.write(f"{address} is {status}\n")
    return 0 if answer.status == health_pb2.HealthCheckResponse.SERVING else 1


def _channel(address: str) -> grpc.Channel:
    certificate = os.environ.get("DAYLILY_TLS_CERT")
    if not certificate:
        return grpc.insecure_channel(address)
    chain = Path(certificate).read_bytes()
    key = Path(os.environ["DAYLILY_TLS_KEY"]) if os.environ.get("DAYLILY_TLS_CLIENT_CA") else None
    credentials = grpc.ssl_channel_credentials(
        root_certificates=chain,
        private_key=key.read_bytes() if key else None,
        certificate_chain=chain if key else None,
    )
    return grpc.secure_channel(address, credentials)


if __name__ == "__main__":
    sys.exit(main())
