"""What people do to many worksets at once, and to which of them each action applies."""

from enum import Enum
from typing import Final

from daylily.workset.v1 import workset_pb2


class Action(str, Enum):
    """What to do with each."""

    RETRY = "retry"
    IGNORE = "ignore"
    REPRIORITISE = "reprioritise"

    def __str__(self) -> str:
        return self.value


APPLIES_TO: Final = {
    Action.RETRY: frozenset({workset_pb2.WORKSET_STATE_ERROR, workset_pb2.WORKSET_STATE_IGNORED}),
    Action.IGNORE: frozenset(
        {
            workset_pb2.WORKSET_STATE_READY,
            workset_pb2.WORKSET_STATE_LOCKED,
            workset_pb2.WORKSET_STATE_IN_PROGRESS,
            workset_pb2.WORKSET_STATE_ERROR,
        }
    ),
    Action.REPRIORITISE: frozenset(workset_pb2.WorksetState.values())
    - {workset_pb2.WORKSET_STATE_UNSPECIFIED, workset_pb2.WORKSET_STATE_COMPLETE},
}
"""The states in which an action has something to do."""
