"""Members of the domain's enums to values of the contract's; both have the same names and numbers."""

from typing import Final

from daylily.workset.v1 import cluster_pb2, delivery_pb2, event_pb2, workset_pb2

from daylily_state.domain.events import EventType
from daylily_state.domain.model import (
    ClusterState,
    ErrorCategory,
    Priority,
    SubjectKind,
    WorksetState,
)
from daylily_state.domain.records import DeliveryState, EpisodePart, EpisodeState

# Looked up by name, so a member that the contract does not have ends the import.
WORKSET_STATE: Final = {
    member: workset_pb2.WorksetState.Value(f"WORKSET_STATE_{member.name}")
    for member in WorksetState
}
PRIORITY: Final = {
    member: workset_pb2.Priority.Value(f"PRIORITY_{member.name}") for member in Priority
}
ERROR_CATEGORY: Final = {
    member: workset_pb2.ErrorCategory.Value(f"ERROR_CATEGORY_{member.name}")
    for member in ErrorCategory
}
EVENT_TYPE: Final = {
    member: event_pb2.EventType.Value(f"EVENT_TYPE_{member.name}") for member in EventType
}
SUBJECT_KIND: Final = {
    member: event_pb2.SubjectKind.Value(f"SUBJECT_KIND_{member.name}") for member in SubjectKind
}
CLUSTER_STATE: Final = {
    member: cluster_pb2.ClusterState.Value(f"CLUSTER_STATE_{member.name}")
    for member in ClusterState
}
DELIVERY_STATE: Final = {
    member: delivery_pb2.DeliveryState.Value(f"DELIVERY_STATE_{member.name}")
    for member in DeliveryState
}
EPISODE_STATE: Final = {
    member: delivery_pb2.EpisodeState.Value(f"EPISODE_STATE_{member.name}")
    for member in EpisodeState
}
EPISODE_PART: Final = {
    member: delivery_pb2.EpisodePart.Value(
        f"EPISODE_PART_{member.name if member else 'UNSPECIFIED'}"
    )
    for member in EpisodePart
}
