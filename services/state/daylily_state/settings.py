"""What a state process needs to know."""

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from daylily_runtime import Port, Seconds, ServerSettings
from daylily_state.domain.model import ErrorCategory
from daylily_state.domain.retries import RetryPolicy


class StateSettings(ServerSettings):
    """Settings of `daylily-state`, from the environment."""

    port: Port = 50051
    store: Literal["sqlite", "dynamodb"] = Field(
        default="sqlite",
        description="Where the data is: one file, for one replica, or DynamoDB, for any number.",
    )
    sqlite_path: Path = Field(
        default=Path("daylily.db"), description="The file, if the store is sqlite."
    )
    table_prefix: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,64}$")] = Field(
        default="daylily-", description="What the names of the DynamoDB tables begin with."
    )
    dynamodb_endpoint: str = Field(
        default="",
        description="Address of DynamoDB where it is not AWS's own, such as DynamoDB Local.",
    )
    aws_region: str = Field(
        default="", description="Region of the tables; empty takes that of the AWS settings."
    )
    create_tables: bool = Field(
        default=False,
        description="Create missing DynamoDB tables at the start. A SQLite file is always made.",
    )
    retry_transient_seconds: Seconds = Field(
        default=30.0, description="First wait after a TRANSIENT failure; doubles with each one."
    )
    retry_resource_seconds: Seconds = Field(
        default=300.0, description="First wait after a RESOURCE failure; doubles with each one."
    )
    retry_infrastructure_seconds: Seconds = Field(
        default=10.0,
        description="First wait after an INFRASTRUCTURE failure; doubles with each one.",
    )
    retry_longest_seconds: Seconds = Field(
        default=3600.0, description="Longest wait before a failed workset is tried again."
    )
    infrastructure_failures_most: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=10,
        description="INFRASTRUCTURE failures and lock timeouts after which a workset is ERROR.",
    )

    @property
    def retry_policy(self) -> RetryPolicy:
        """When failed worksets are tried again."""
        return RetryPolicy(
            bases={
                ErrorCategory.TRANSIENT: timedelta(seconds=self.retry_transient_seconds),
                ErrorCategory.RESOURCE: timedelta(seconds=self.retry_resource_seconds),
                ErrorCategory.INFRASTRUCTURE: timedelta(seconds=self.retry_infrastructure_seconds),
            },
            cap=timedelta(seconds=self.retry_longest_seconds),
            infrastructure_bound=self.infrastructure_failures_most,
        )
