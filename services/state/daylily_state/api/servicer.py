"""The StateService: each call translates, calls one use case, and translates back."""

from dataclasses import dataclass, field

from daylily.state.v1 import state_pb2_grpc

from daylily_state.api.events import EventCalls
from daylily_state.api.locks import LockCalls
from daylily_state.api.pools import PoolCalls
from daylily_state.api.records import RecordCalls
from daylily_state.api.telling import Telling
from daylily_state.api.worksets import WorksetCalls
from daylily_state.app.counting import Counting
from daylily_state.app.feed import Feed
from daylily_state.app.pools import Pools
from daylily_state.app.queries import Queries
from daylily_state.app.records import Records
from daylily_state.app.worksets import Worksets


@dataclass(eq=False)
class StateServicer(
    WorksetCalls,
    LockCalls,
    EventCalls,
    PoolCalls,
    RecordCalls,
    state_pb2_grpc.StateServiceServicer,
):
    """All calls of `daylily.state.v1.StateService`, over the use cases."""

    queries: Queries
    worksets: Worksets
    pools: Pools
    records: Records
    counting: Counting
    feed: Feed
    telling: Telling = field(default_factory=Telling)
