"""The queue in memory: what could start now, in order, and what has to wait for a time.

Worksets that ask for the same of a cluster are kept together in a lane, oldest first, so that one
look at a lane decides for all of them: a pick costs as much as there are different kinds of work
ahead of it, not as there are worksets.
"""

import heapq
import math
from bisect import bisect_left, insort
from collections.abc import Iterator
from datetime import datetime
from enum import Enum, auto

from daylily_scheduler.domain.cost import highest_price
from daylily_scheduler.domain.model import Needs, Priority, Workset
from daylily_scheduler.domain.order import CLASSES, OrderKey, order_class, order_key
from daylily_scheduler.domain.resources import Resources

# Steps of the price limits that share a lane: eight for every doubling.
PRICE_STEPS = 8
HIGHEST_PRICE_CLASS = 1000 * PRICE_STEPS
COMPACT_FROM = 64


class Hold(Enum):
    """Why a workset is kept out of picks."""

    # Somebody is about to lock it.
    ATTEMPT = auto()
    # What is known of it proved wrong; it counts again when state said how it is.
    STALE = auto()


class Lane:
    """Worksets of one class, customer and needs, in order."""

    __slots__ = (
        "_keys",
        "_start",
        "customer_id",
        "least_cost_usd",
        "needs",
        "price_class",
        "priority",
    )

    def __init__(
        self, priority: Priority, customer_id: str, needs: Needs, price_class: int | None
    ) -> None:
        self.priority = priority
        self.customer_id = customer_id
        self.needs = needs
        self.price_class = price_class
        # No workset of this lane is expected to cost less.
        self.least_cost_usd = math.inf
        self._keys: list[OrderKey] = []
        # Where the live keys begin: taking the first one then moves nothing.
        self._start = 0

    def __len__(self) -> int:
        return len(self._keys) - self._start

    def __iter__(self) -> Iterator[OrderKey]:
        for index in range(self._start, len(self._keys)):
            yield self._keys[index]

    @property
    def head(self) -> OrderKey | None:
        return self._keys[self._start] if self else None

    @property
    def dearest_price(self) -> float:
        """No workset of this lane can pay more for a vCPU-hour; infinite when there is no limit."""
        return price_ceiling(self.price_class)

    def add(self, key: OrderKey, cost_usd: float) -> None:
        insort(self._keys, key, lo=self._start)
        self.least_cost_usd = min(self.least_cost_usd, cost_usd)

    def discard(self, key: OrderKey) -> None:
        if key == self.head:
            self._start += 1
            if self._start >= COMPACT_FROM and self._start * 2 >= len(self._keys):
                del self._keys[: self._start]
                self._start = 0
            return
        index = bisect_left(self._keys, key, lo=self._start)
        if index < len(self._keys) and self._keys[index] == key:
            del self._keys[index]

    def before(self, key: OrderKey) -> int:
        """How many of the lane go before this key."""
        return bisect_left(self._keys, key, lo=self._start) - self._start


def price_class(limit: float) -> int | None:
    """Groups price limits coarsely. None means no limit."""
    if math.isinf(limit):
        return None
    if limit <= 0:
        return -HIGHEST_PRICE_CLASS
    group = math.floor(math.log2(limit) * PRICE_STEPS)
    return group if group < HIGHEST_PRICE_CLASS else None


def price_ceiling(group: int | None) -> float:
    """Above every limit of the group."""
    if group is None:
        return math.inf
    return math.pow(2.0, (group + 1) / PRICE_STEPS) * (1 + 1e-9)


LaneKey = tuple[Priority, str, Needs, int | None]


class Queue:
    def __init__(self) -> None:
        self._worksets: dict[str, Workset] = {}
        self._holds: dict[str, Hold] = {}
        self._lanes: dict[LaneKey, Lane] = {}
        self._filed: dict[str, tuple[Lane, OrderKey]] = {}
        # The head of each lane that has any, in order: (key of the head, lane).
        self._heads: dict[Priority, list[tuple[OrderKey, Lane]]] = {c: [] for c in CLASSES}
        self._counts: dict[Priority, int] = dict.fromkeys(CLASSES, 0)
        # No workset of the class needs less of anything; may be too low after some have left.
        self._least: dict[Priority, Resources] = {}
        self._timers: list[tuple[datetime, str]] = []
        self._preferred: dict[str, int] = {}

    # --- looking ---

    def __len__(self) -> int:
        return len(self._worksets)

    def __contains__(self, workset_id: str) -> bool:
        return workset_id in self._worksets

    def get(self, workset_id: str) -> Workset | None:
        return self._worksets.get(workset_id)

    def startable(self, priority: Priority) -> int:
        """How many of a priority could start now as far as the queue knows."""
        return self._counts[priority]

    @property
    def waiting(self) -> int:
        """Worksets that back off or depend on another, and those on hold."""
        return len(self._worksets) - sum(self._counts.values())

    def is_pickable(self, workset_id: str) -> bool:
        return workset_id in self._filed

    def is_doubted(self, workset_id: str) -> bool:
        """Whether it is kept out of picks until state says how it is."""
        return self._holds.get(workset_id) is Hold.STALE

    def least_need(self, priority: Priority) -> Resources | None:
        """A lower bound, thing by thing, of what a workset of the class needs; None for no workset:
        a cluster with less free need not look at the lanes.
        """
        return self._least.get(priority)

    def lanes(self, priority: Priority) -> Iterator[tuple[OrderKey, Lane]]:
        """The lanes of a class, the one with the oldest workset first."""
        return iter(self._heads[priority])

    def asks_for(self, cluster_name: str) -> bool:
        """Whether a workset that could start now prefers this cluster."""
        return cluster_name in self._preferred

    def ahead_of(self, workset: Workset) -> int:
        """How many that could start now go before it."""
        mine = order_class(workset)
        key = order_key(workset)
        higher = sum(count for priority, count in self._counts.items() if priority < mine)
        return higher + sum(lane.before(key) for _, lane in self._heads[mine])

    def all(self) -> tuple[Workset, ...]:
        """Every workset that is known to wait."""
        return tuple(self._worksets.values())

    def holds(self) -> dict[str, str]:
        """Why each workset that is kept out of picks is, by the name of its Hold."""
        return {workset_id: why.name for workset_id, why in self._holds.items()}

    def ids(self) -> Iterator[str]:
        """Every workset that is known to wait."""
        return iter(self._worksets)

    def due_later(self, most: int) -> list[Workset]:
        """Worksets that wait for a time, the first due first."""
        found = {}
        for _, workset_id in heapq.nsmallest(most, self._timers):
            workset = self._worksets.get(workset_id)
            if workset is not None and workset_id not in self._filed:
                found[workset_id] = workset
        return list(found.values())

    # --- changing ---

    def put(self, workset: Workset, now: datetime) -> bool:
        """Takes a READY workset in place of what was known of it. Says if it can be picked."""
        workset_id = workset.workset_id
        self._unfile(workset_id)
        self._worksets[workset_id] = workset
        if self._holds.get(workset_id) is Hold.STALE:
            del self._holds[workset_id]
        self._file(workset, now)
        return workset_id in self._filed

    def remove(self, workset_id: str) -> Workset | None:
        self._unfile(workset_id)
        self._holds.pop(workset_id, None)
        return self._worksets.pop(workset_id, None)

    def hold(self, workset_id: str, why: Hold) -> None:
        """Keeps a workset out of picks."""
        if workset_id in self._worksets:
            self._holds[workset_id] = why
            self._unfile(workset_id)

    def unhold(self, workset_id: str, now: datetime) -> bool:
        """Lets a workset be picked again. Says if it became pickable."""
        self._holds.pop(workset_id, None)
        workset = self._worksets.get(workset_id)
        if workset is None or workset_id in self._filed:
            return False
        self._file(workset, now)
        return workset_id in self._filed

    def advance(self, now: datetime) -> list[str]:
        """Files what had to wait until now. Returns the worksets that became pickable."""
        due = []
        while self._timers and self._timers[0][0] <= now:
            _, workset_id = heapq.heappop(self._timers)
            workset = self._worksets.get(workset_id)
            if workset is None or workset_id in self._filed:
                continue
            self._file(workset, now)
            if workset_id in self._filed:
                due.append(workset_id)
        return due

    @property
    def next_due(self) -> datetime | None:
        """When `advance` has something to do next."""
        return self._timers[0][0] if self._timers else None

    # --- inside ---

    def _file(self, workset: Workset, now: datetime) -> None:
        workset_id = workset.workset_id
        if workset_id in self._holds:
            return
        if not workset.can_start(now):
            if workset.available_at is not None and workset.available_at > now:
                heapq.heappush(self._timers, (workset.available_at, workset_id))
            return
        lane = self._lane_of(workset)
        key = order_key(workset)
        head = lane.head
        lane.add(key, workset.estimate.cost_usd)
        if head is None or key < head:
            self._move_head(lane, head)
        self._filed[workset_id] = (lane, key)
        self._counts[lane.priority] += 1
        need = lane.needs.amount
        self._least[lane.priority] = self._least.get(lane.priority, need).at_most(need)
        if lane.needs.cluster:
            name = lane.needs.cluster
            self._preferred[name] = self._preferred.get(name, 0) + 1

    def _unfile(self, workset_id: str) -> None:
        filed = self._filed.pop(workset_id, None)
        if filed is None:
            return
        lane, key = filed
        head = lane.head
        lane.discard(key)
        if key == head:
            self._move_head(lane, head)
        self._counts[lane.priority] -= 1
        if not self._counts[lane.priority]:
            del self._least[lane.priority]
        if not lane:
            del self._lanes[lane.priority, lane.customer_id, lane.needs, lane.price_class]
        if lane.needs.cluster:
            name = lane.needs.cluster
            self._preferred[name] -= 1
            if not self._preferred[name]:
                del self._preferred[name]

    def _lane_of(self, workset: Workset) -> Lane:
        limit = price_class(highest_price(workset.needs, workset.estimate))
        key = (order_class(workset), workset.customer_id, workset.needs, limit)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(*key)
        return lane

    def _move_head(self, lane: Lane, old: OrderKey | None) -> None:
        heads = self._heads[lane.priority]
        if old is not None:
            # Keys are unique, so the lanes themselves are never compared.
            del heads[bisect_left(heads, old, key=_head_key)]
        new = lane.head
        if new is not None:
            heads.insert(bisect_left(heads, new, key=_head_key), (new, lane))


def _head_key(entry: tuple[OrderKey, Lane]) -> OrderKey:
    return entry[0]
