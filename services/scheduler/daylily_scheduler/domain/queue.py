"""The queue in memory: what could start now, in order, and what has to wait for a time.

Worksets that ask for the same of a cluster are kept together in a lane, oldest first, so that one
look at a lane decides for all of them: a pick costs as much as there are different kinds of work
ahead of it, not as there are worksets.
"""

import heapq
import math
from bisect import bisect_left, insort
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from enum import Enum, auto

from daylily_scheduler.domain.cost import highest_price, run_hours
from daylily_scheduler.domain.model import Needs, Priority, Workset
from daylily_scheduler.domain.order import CLASSES, OrderKey, order_key, standing
from daylily_scheduler.domain.resources import Resources
from daylily_scheduler.domain.rules import DEFAULT_RULES, Rules
from daylily_scheduler.domain.shares import NO_TIME

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
        "least_hours",
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
        # None of them is expected to run for less.
        self.least_hours = math.inf
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

    def add(self, key: OrderKey, cost_usd: float, hours: float) -> None:
        insort(self._keys, key, lo=self._start)
        self.least_cost_usd = min(self.least_cost_usd, cost_usd)
        self.least_hours = min(self.least_hours, hours)

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
Heads = list[tuple[OrderKey, Lane]]
# Of a customer: how much later than registered its worksets stand.
Behind = Callable[[str], timedelta]


def nobody_behind(customer_id: str) -> timedelta:
    del customer_id
    return NO_TIME


class Queue:
    def __init__(self, rules: Rules = DEFAULT_RULES) -> None:
        self._rules = rules
        # Grows with every change.
        self.version = 0
        self._worksets: dict[str, Workset] = {}
        self._holds: dict[str, Hold] = {}
        self._lanes: dict[LaneKey, Lane] = {}
        self._filed: dict[str, tuple[Lane, OrderKey]] = {}
        # The head of each lane that has any, in order, for each customer: (key of the head, lane).
        self._heads: dict[Priority, dict[str, Heads]] = {c: {} for c in CLASSES}
        self._counts: dict[Priority, int] = dict.fromkeys(CLASSES, 0)
        # No workset of the class needs less of anything; may be too low after some have left.
        self._least: dict[Priority, Resources] = {}
        self._timers: list[tuple[datetime, str]] = []
        # The timer of each workset that counts; the others are of what it was before.
        self._due: dict[str, datetime] = {}
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
        """The lanes of a class, the one whose head has the lowest key first."""
        return heapq.merge(*self._heads[priority].values(), key=_head_key)

    def in_order(
        self,
        priority: Priority,
        behind: Behind = nobody_behind,
        wanted: Callable[[Lane], bool] = bool,
    ) -> Iterator[tuple[Lane, OrderKey]]:
        """The worksets of a class in order, those of unwanted lanes left out. As lazy as can be: what
        is not asked for is not looked at, so the first few cost as much as there are customers.
        """
        # (place, how much later, heads of the customer, index in them, the rest of an opened lane)
        entries: list[tuple[OrderKey, timedelta, Heads, int, Iterator[OrderKey] | None]] = []
        for customer_id, heads in self._heads[priority].items():
            later = behind(customer_id)
            entries.append((_later(heads[0][0], later), later, heads, 0, None))
        heapq.heapify(entries)
        while entries:
            place, later, heads, index, rest = heapq.heappop(entries)
            lane = heads[index][1]
            if rest is None:
                if index + 1 < len(heads):
                    following = _later(heads[index + 1][0], later)
                    heapq.heappush(entries, (following, later, heads, index + 1, None))
                if not wanted(lane):
                    continue
                rest = iter(lane)
                next(rest)
            yield lane, (place[0] - later, place[1])
            key = next(rest, None)
            if key is not None:
                heapq.heappush(entries, (_later(key, later), later, heads, index, rest))

    def asks_for(self, cluster_name: str) -> bool:
        """Whether a workset that could start now prefers this cluster."""
        return cluster_name in self._preferred

    def counts_as(self, workset: Workset) -> Priority:
        """The class in which the workset stands, as of the last `advance`."""
        filed = self._filed.get(workset.workset_id)
        return filed[0].priority if filed is not None else workset.priority

    def lane_of(self, workset_id: str) -> Lane | None:
        """The lane in which the workset stands; None when it cannot be picked."""
        filed = self._filed.get(workset_id)
        return filed[0] if filed is not None else None

    def ahead_of(self, workset: Workset, behind: Behind = nobody_behind) -> int:
        """How many that could start now go before it."""
        mine = self.counts_as(workset)
        place = _later(order_key(workset, self._rules), behind(workset.customer_id))
        count = sum(count for priority, count in self._counts.items() if priority < mine)
        for customer_id, heads in self._heads[mine].items():
            key = _later(place, -behind(customer_id))
            count += sum(lane.before(key) for _, lane in heads)
        return count

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
        self.version += 1
        self._unfile(workset_id)
        self._worksets[workset_id] = workset
        if self._holds.get(workset_id) is Hold.STALE:
            del self._holds[workset_id]
        self._file(workset, now)
        return workset_id in self._filed

    def remove(self, workset_id: str) -> Workset | None:
        self.version += 1
        self._unfile(workset_id)
        self._due.pop(workset_id, None)
        self._holds.pop(workset_id, None)
        return self._worksets.pop(workset_id, None)

    def hold(self, workset_id: str, why: Hold) -> None:
        """Keeps a workset out of picks."""
        if workset_id in self._worksets:
            self.version += 1
            self._holds[workset_id] = why
            self._unfile(workset_id)

    def unhold(self, workset_id: str, now: datetime) -> bool:
        """Lets a workset be picked again. Says if it became pickable."""
        self._holds.pop(workset_id, None)
        workset = self._worksets.get(workset_id)
        if workset is None or workset_id in self._filed:
            return False
        self.version += 1
        self._file(workset, now)
        return workset_id in self._filed

    def advance(self, now: datetime) -> list[str]:
        """Files what had to wait until now, and anew what counts in another class from now on.
        Returns the worksets that may be picked before others since.
        """
        due = []
        while self._timers and self._timers[0][0] <= now:
            at, workset_id = heapq.heappop(self._timers)
            if self._due.get(workset_id) != at:
                continue
            del self._due[workset_id]
            self.version += 1
            self._unfile(workset_id)
            self._file(self._worksets[workset_id], now)
            if workset_id in self._filed:
                due.append(workset_id)
        return due

    @property
    def next_due(self) -> datetime | None:
        """When `advance` has something to do next."""
        while self._timers and self._due.get(self._timers[0][1]) != self._timers[0][0]:
            heapq.heappop(self._timers)
        return self._timers[0][0] if self._timers else None

    # --- inside ---

    def _file(self, workset: Workset, now: datetime) -> None:
        workset_id = workset.workset_id
        if workset_id in self._holds:
            return
        if not workset.can_start(now):
            if workset.available_at is not None and workset.available_at > now:
                self._arm(workset_id, workset.available_at)
            return
        stands = standing(workset, now, self._rules)
        if stands.until is not None:
            self._arm(workset_id, stands.until)
        lane = self._lane_of(workset, stands.priority)
        key = order_key(workset, self._rules)
        head = lane.head
        hours = run_hours(workset.needs, workset.estimate, self._rules)
        lane.add(key, workset.estimate.cost_usd, hours)
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

    def _arm(self, workset_id: str, at: datetime) -> None:
        if self._due.get(workset_id) != at:
            self._due[workset_id] = at
            heapq.heappush(self._timers, (at, workset_id))

    def _lane_of(self, workset: Workset, priority: Priority) -> Lane:
        limit = price_class(highest_price(workset.needs, workset.estimate))
        key = (priority, workset.customer_id, workset.needs, limit)
        lane = self._lanes.get(key)
        if lane is None:
            lane = self._lanes[key] = Lane(*key)
        return lane

    def _move_head(self, lane: Lane, old: OrderKey | None) -> None:
        by_customer = self._heads[lane.priority]
        heads = by_customer.setdefault(lane.customer_id, [])
        if old is not None:
            # Keys are unique, so the lanes themselves are never compared.
            del heads[bisect_left(heads, old, key=_head_key)]
        new = lane.head
        if new is not None:
            heads.insert(bisect_left(heads, new, key=_head_key), (new, lane))
        if not heads:
            del by_customer[lane.customer_id]


def _head_key(entry: tuple[OrderKey, Lane]) -> OrderKey:
    return entry[0]


def _later(key: OrderKey, by: timedelta) -> OrderKey:
    return (key[0] + by, key[1])
