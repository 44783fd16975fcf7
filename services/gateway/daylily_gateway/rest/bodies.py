"""The bodies of requests. What a field may hold is the services' to say; its type is said here."""

from datetime import timedelta
from typing import Annotated, Any

from daylily.workset.v1 import workset_pb2
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from daylily_client import duration
from daylily_gateway.rest.words import ErrorCategory, Priority, State

Count = Annotated[int, Field(ge=0, le=2**32 - 1)]
Amount = Annotated[float, Field(ge=0, le=1e12, allow_inf_nan=False)]
Seconds = Annotated[float, Field(ge=0, le=timedelta(days=3650).total_seconds())]
Text = Annotated[str, Field(max_length=65_536)]


class Body(BaseModel):
    """A body: an unknown field is a mistake that its writer wants to hear of."""

    model_config = ConfigDict(extra="forbid")


class Requirements(Body):
    """What a run needs of a cluster and may cost. Zero or empty means not stated."""

    vcpus: Count = 0
    memory_gb: Amount = 0
    storage_gb: Amount = 0
    vcpu_hours: Amount = 0
    estimated_cost_usd: Amount = 0
    estimated_duration_seconds: Seconds | None = None
    preferred_instance_types: list[Text] = []
    preferred_availability_zone: Text = ""
    preferred_cluster: Text = ""
    max_cost_usd: Amount = 0
    sample_count: Count = 0
    input_gb: Amount = 0
    input_region: Text = ""

    def message(self) -> workset_pb2.Requirements:
        """As the services take it."""
        given = self.model_dump(exclude={"estimated_duration_seconds"})
        expected = self.estimated_duration_seconds
        length = None if expected is None else duration(expected)
        return workset_pb2.Requirements(**given, estimated_duration=length)


class Registration(Body):
    """A workset to register."""

    workset_id: Text
    bucket: Text
    prefix: Text
    priority: Priority | None = None
    metadata: dict[str, Any] = {}
    customer_id: Text = ""
    pipeline: Text = ""
    labels: dict[str, Text] = {}
    requirements: Requirements | None = None
    depends_on: list[Text] = []
    deadline: AwareDatetime | None = None
    max_attempts: Count = 0
    rerun_of: Text = ""
    request_id: Text = ""


class Change(Body):
    """What to change of a workset; what is left out stays, null clears."""

    priority: Priority | None = None
    metadata: dict[str, Any] | None = None
    labels: dict[str, Text] | None = None
    requirements: Requirements | None = None
    deadline: AwareDatetime | None = None
    expected_version: Count = 0
    reason: Text = ""
    request_id: Text = ""


class StateChange(Body):
    """A transition. A holder gives its `lock_token`, or its `owner_id` to have it looked up."""

    state: State
    reason: Text = ""
    error_details: Text | None = None
    error_category: ErrorCategory | None = None
    cluster_name: Text | None = None
    metrics: dict[str, Any] | None = None
    owner_id: Text | None = None
    lock_token: Count | None = None
    expected_version: Count = 0
    request_id: Text = ""


class Reason(Body):
    """Why, for the audit trail."""

    reason: Text = ""
