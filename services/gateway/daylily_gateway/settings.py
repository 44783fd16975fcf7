"""What the gateway is told by its environment."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from daylily_client.options import TlsFiles
from daylily_runtime.settings import Bytes, Port, ReadableFile, Seconds, Settings, is_loopback

Origin = Annotated[str, Field(pattern=r"^https?://[^/\s*]+$")]


class GatewaySettings(Settings):
    """Settings of `daylily-gateway serve`."""

    host: str = Field(
        default="127.0.0.1",
        min_length=1,
        description="Address to listen on. Beyond loopback it takes TLS, or insecure.",
    )
    port: Port = 8000
    insecure: bool = Field(
        default=False,
        description="Listen beyond loopback without TLS, or before services that ask nobody who "
        "calls: then anyone who reaches the port has access. Callers' tokens then also go to "
        "services on other machines without TLS.",
    )
    tls_cert: ReadableFile | None = Field(
        default=None, description="PEM file with the gateway's certificate chain. Turns TLS on."
    )
    tls_key: ReadableFile | None = Field(
        default=None, description="PEM file with the key of the certificate."
    )
    state_address: str = Field(
        default="127.0.0.1:50051",
        description="host:port of the state service; several replicas with commas between.",
    )
    scheduler_address: str = Field(
        default="127.0.0.1:50052",
        description="host:port of the scheduler; several replicas with commas between.",
    )
    notifier_address: str = Field(
        default="127.0.0.1:50053",
        description="host:port of the notifier; several replicas with commas between.",
    )
    services_tls_ca: ReadableFile | None = Field(
        default=None,
        description="PEM file with the authorities of the services' certificates: use TLS.",
    )
    services_tls_cert: ReadableFile | None = Field(
        default=None, description="PEM file with the gateway's certificate, where services ask."
    )
    services_tls_key: ReadableFile | None = Field(
        default=None, description="PEM file with the key of that certificate."
    )
    own_token_file: ReadableFile | None = Field(
        default=None,
        description="File with a viewer's bearer token, with which the gateway follows the feed for "
        "its page; read again when it changes.",
    )
    call_seconds: Annotated[float, Field(gt=0, le=60, allow_inf_nan=False)] = Field(
        default=10.0, description="Time for a call of a service to be answered, repeats included."
    )
    max_body_bytes: Bytes = Field(default=2**20, description="Largest body of a request.")
    max_streams: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=500, description="Event streams open at a time."
    )
    max_requests: Annotated[int, Field(ge=1, le=100_000)] = Field(
        default=1000, description="Requests under way at a time, event streams apart."
    )
    cors_origins: list[Origin] = Field(
        default_factory=list,
        description='Origins whose pages may call it, such as ["https://lims.lab"]; none when '
        "empty.",
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        default="info", description="Least severe events to log."
    )
    log_format: Literal["json", "console"] = Field(
        default="json", description="json, a line for each event, or console for people."
    )
    metrics_port: Port | None = Field(
        default=None,
        description="Port of the page /metrics for Prometheus, on the same host; empty for none.",
    )
    tracing: bool = Field(
        default=False,
        description="Send traces to an OpenTelemetry collector; OTEL_EXPORTER_OTLP_ENDPOINT and its "
        "kin say where (docs/operations.md).",
    )
    drain_seconds: Seconds = Field(
        default=8.0, description="Time for requests under way to end when the gateway stops."
    )

    @property
    def services_tls(self) -> TlsFiles | None:
        """The files for calling the services; None without TLS."""
        if self.services_tls_ca is None and self.services_tls_cert is None:
            return None
        return TlsFiles(self.services_tls_ca, self.services_tls_cert, self.services_tls_key)

    @property
    def is_exposed(self) -> bool:
        """Whether other machines reach it, and nobody said that this is all right."""
        return not is_loopback(self.host) and not self.insecure

    @model_validator(mode="after")
    def _pairs_are_complete(self) -> Self:
        for first, second in (("tls_cert", "tls_key"), ("services_tls_cert", "services_tls_key")):
            found: tuple[Path | None, Path | None] = (getattr(self, first), getattr(self, second))
            if (found[0] is None) != (found[1] is None):
                names = f"DAYLILY_{first.upper()} and DAYLILY_{second.upper()}"
                raise ValueError(f"{names} need each other: set both.")
        return self

    @model_validator(mode="after")
    def _what_is_open_stays_on_this_machine(self) -> Self:
        if self.is_exposed and self.tls_cert is None:
            raise ValueError(
                f"DAYLILY_HOST is {self.host!r}, which other machines can reach, and there is no "
                "TLS, so tokens could be read on the way. Set DAYLILY_TLS_CERT and "
                "DAYLILY_TLS_KEY, or DAYLILY_INSECURE=true (--insecure) if the network is trusted."
            )
        return self
