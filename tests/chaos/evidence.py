"""All that a run left behind, ready to be checked."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from daylily_state.domain.events import Event
from daylily_state.domain.filters import DeliveryFilter, WorksetFilter
from daylily_state.domain.model import LANES, Cluster, Customer, SubjectKind, Workset
from daylily_state.domain.records import Delivery
from daylily_state.ports import Store
from tests.chaos.call_proxy import Seen
from tests.chaos.faults import Fault
from tests.chaos.history import Call
from tests.chaos.options import Plan
from tests.chaos.system import FitSample

_PAGE = 200


@dataclass(frozen=True)
class Tables:
    """What lies in the store, read past every service.

    `lanes` has the events as they lie in each lane, in the order of their slots.
    """

    worksets: Mapping[str, Workset]
    lanes: Sequence[Sequence[Event]]
    clusters: Mapping[str, Cluster]
    customers: Mapping[str, Customer]
    deliveries: Sequence[Delivery]

    @cached_property
    def trails(self) -> Mapping[str, Sequence[Event]]:
        """The events of each workset, in the order in which they were committed."""
        found: dict[str, list[Event]] = {}
        for lane in self.lanes:
            for event in lane:
                if event.subject_kind is SubjectKind.WORKSET:
                    found.setdefault(event.subject_id, []).append(event)
        return found

    @cached_property
    def events(self) -> Sequence[Event]:
        """All events of worksets."""
        return [event for trail in self.trails.values() for event in trail]


@dataclass(frozen=True)
class Counted:
    """Counts as a replica gave them, by "STATE PRIORITY", at a cursor."""

    counts: Mapping[str, int]
    total: int
    cursor: str


@dataclass(frozen=True)
class Life:
    """One incarnation of a process, monotonic seconds; `ended` None if it lived to the end."""

    name: str
    begun: float
    ended: float | None


@dataclass(frozen=True)
class Reaped:
    """A lock that a replica says it timed out."""

    replica: int
    workset_id: str
    token: int


@dataclass
class Evidence:
    """What the checks look at.

    Attributes:
        kinds: of faults that were planned.
        recorded: (workset_id, version) in the order in which the recording consumer saw them.
        arrived: ids of the events that reached the notifier's topic.
        notifiers: their calls to state.
        reaped: locks that replicas ended, by their logs; what was killed meanwhile may have said nothing.
        ended_at: when the last fault was over; monotonic.
        wall_ahead: what is added to a monotonic time to get the wall clock's.
    """

    plan: Plan
    folder: Path
    tables: Tables
    calls: Sequence[Call]
    kinds: frozenset[str]
    faults: Sequence[Fault]
    fit: Sequence[FitSample]
    reaped: Sequence[Reaped]
    lives: Sequence[Life]
    recorded: Sequence[tuple[str, int]]
    counted: Sequence[Counted]
    arrived: frozenset[str]
    notifiers: Sequence[Seen]
    deaths: Sequence[str]
    ended_at: float
    settled_at: float
    wall_ahead: float
    settled: bool

    @cached_property
    def calls_by_id(self) -> Mapping[str, Call]:
        return {call.op_id: call for call in self.calls}


@dataclass(frozen=True)
class Violation:
    """Something that must not be."""

    invariant: str
    text: str


async def read_tables(store: Store) -> Tables:
    """Everything that lies in the store."""
    lanes = [await _lane(store, lane) for lane in range(LANES)]
    return Tables(
        worksets={w.workset_id: w for w in await _pages(store.list_worksets, WorksetFilter())},
        lanes=lanes,
        clusters={cluster.cluster_name: cluster for cluster in await store.list_clusters()},
        customers={customer.customer_id: customer for customer in await store.list_customers()},
        deliveries=await _pages(store.list_deliveries, DeliveryFilter()),
    )


async def _lane(store: Store, lane: int) -> Sequence[Event]:
    found: list[Event] = []
    while events := await store.read_lane(lane, found[-1].seq if found else 0, _PAGE, strong=True):
        found += events
    return found


async def _pages(read: Any, wanted: Any) -> list[Any]:
    found: list[Any] = []
    after: str | None = None
    while True:
        page = await read(wanted, after, _PAGE)
        found += page.items
        after = page.next
        if after is None:
            return found
