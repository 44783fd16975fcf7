"""What the scheduler is told by its environment."""

from pydantic import Field

from daylily_runtime.settings import Port, ReadableFile, ServerSettings


class SchedulerSettings(ServerSettings):
    """Settings of `daylily-scheduler serve`."""

    port: Port = 50052
    state_address: str = Field(
        default="127.0.0.1:50051",
        description="host:port of the state service; several replicas with commas between.",
    )
    state_tls_ca: ReadableFile | None = Field(
        default=None, description="PEM file with the authorities of state's certificate: use TLS."
    )
