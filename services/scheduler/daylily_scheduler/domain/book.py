"""All that the scheduler knows: the queue, the clusters, the customers, and what runs where.

Rows and events come in any order and more than once; the version of a workset decides. What a
change makes possible is noted in `changes`, for the claims that wait.
"""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from daylily_scheduler.domain.cost import run_hours
from daylily_scheduler.domain.fleet import Fleet
from daylily_scheduler.domain.limits import Limits
from daylily_scheduler.domain.model import Cluster, Customer, Workset, WorksetState
from daylily_scheduler.domain.places import Places
from daylily_scheduler.domain.plan import Plan
from daylily_scheduler.domain.queue import Behind, Hold, Queue
from daylily_scheduler.domain.resources import Resources
from daylily_scheduler.domain.rules import DEFAULT_RULES, Rules
from daylily_scheduler.domain.shares import Shares

PlanKey = tuple[datetime, frozenset[str], tuple[int, int, int]]


@dataclass(slots=True)
class Changes:
    """What became possible since the claims that wait were last looked at."""

    startable: set[str] = field(default_factory=set)
    freed: set[str] = field(default_factory=set)
    # More than that: look at every waiting claim again.
    everything: bool = False

    def __bool__(self) -> bool:
        return self.everything or bool(self.startable) or bool(self.freed)


class Book:
    """What is known.

    Args:
        rules: the constants of the policy.
    """

    def __init__(self, rules: Rules = DEFAULT_RULES) -> None:
        self.rules = rules
        self.clear()

    def clear(self) -> None:
        """Forgets everything, for beginning anew."""
        self.queue = Queue(self.rules)
        self.fleet = Fleet()
        self.limits = Limits()
        self.shares = Shares()
        self.places = Places(self.fleet, self.rules)
        # The last plan, with what it was made for (plan_of).
        self.plan: tuple[PlanKey, Plan] | None = None
        self._asked: dict[str, datetime] = {}
        self._review_at: datetime | None = None
        self.active: dict[str, Workset] = {}
        self._changes = Changes()
        self._silence: datetime | None = None

    def take_changes(self) -> Changes:
        """What became possible since the last call."""
        changes, self._changes = self._changes, Changes()
        return changes

    @property
    def version(self) -> tuple[int, int, int]:
        """Changes whenever something changes that a decision depends on."""
        return (self.queue.version, self.fleet.version, self.limits.version)

    def behind(self) -> Behind:
        """By how much the worksets of each customer stand back because of what it runs."""
        capacity, known = self.fleet.total_vcpus, dict[str, timedelta]()

        def behind(customer_id: str) -> timedelta:
            found = known.get(customer_id)
            if found is None:
                weight = self.limits.weight(customer_id)
                found = self.shares.handicap(customer_id, weight, capacity, self.rules)
                known[customer_id] = found
            return found

        return behind

    # --- worksets ---

    def known(self, workset_id: str) -> Workset | None:
        """A workset that waits or runs, as last heard."""
        return self.queue.get(workset_id) or self.active.get(workset_id)

    def put(self, workset: Workset, now: datetime) -> None:
        """Takes a whole workset as state has it. Older than what is known, it is ignored; of the
        same version it settles a doubt (`distrust`).
        """
        known = self.known(workset.workset_id)
        if known is not None and workset.version < known.version:
            return
        if workset.state is WorksetState.READY:
            if workset.workset_id in self.active:
                self._end(workset.workset_id)
            if self.queue.put(workset, now):
                self._changes.startable.add(workset.workset_id)
        elif workset.locked:
            self.queue.remove(workset.workset_id)
            self._start(workset)
        else:
            self.queue.remove(workset.workset_id)
            self._end(workset.workset_id)

    def forget(self, workset_id: str, version: int, cluster_name: str = "") -> None:
        """The workset neither waits nor runs since this version. `cluster_name`: where it did."""
        known = self.known(workset_id)
        if known is None and cluster_name:
            # It held room that this book never knew of.
            self.fleet.believe(cluster_name)
            self._changes.freed.add(cluster_name)
        if known is None or version < known.version:
            return
        self.queue.remove(workset_id)
        self._end(workset_id)

    def drop(self, workset_id: str) -> None:
        """There is no such workset."""
        self.queue.remove(workset_id)
        self._end(workset_id)

    def run(
        self,
        workset_id: str,
        cluster_name: str,
        version: int,
        *,
        started: bool,
        at: datetime | None = None,
    ) -> bool:
        """The workset was locked for a cluster, or started there. False when it is not known."""
        state = WorksetState.IN_PROGRESS if started else WorksetState.LOCKED
        return self._occupy(workset_id, version, state, cluster_name, at)

    def cancel(self, workset_id: str, version: int) -> bool:
        """The workset was cancelled while it is locked. False when it is not known."""
        return self._occupy(workset_id, version, WorksetState.IGNORED, None)

    # --- picks on their way to a lock ---

    def assign(self, workset: Workset, cluster_name: str, now: datetime | None = None) -> None:
        """Keeps the workset out of other picks and its room free while it is being locked."""
        self.queue.hold(workset.workset_id, Hold.ATTEMPT)
        self._reserve(workset, cluster_name, now)
        self.limits.start(workset)
        self.shares.start(workset)

    def give_up(self, workset_id: str, now: datetime, *, stale: bool) -> None:
        """The lock was not got. `stale`: state refused, so the workset is not what it seemed and
        stays out of picks until state says how it is.
        """
        workset = self.queue.get(workset_id)
        if workset is None:
            # The feed was faster: it runs somewhere, or ended.
            return
        if stale:
            self.queue.hold(workset_id, Hold.STALE)
        elif self.queue.unhold(workset_id, now):
            self._changes.startable.add(workset_id)
        freed = self.fleet.release(workset_id)
        if freed:
            self._changes.freed.add(freed)
        self.shares.end(workset_id)
        if self.limits.undo(workset_id):
            self._changes.everything = True

    # --- clusters and customers ---

    def put_cluster(self, cluster: Cluster, now: datetime) -> None:
        name = cluster.cluster_name
        running = self.fleet.is_running(name, now)
        if self.fleet.put(cluster):
            self._changes.freed.add(name)
            # Worksets that prefer this cluster, or its types, may look elsewhere now, or not.
            if running != self.fleet.is_running(name, now):
                self._changes.everything = True

    def set_clusters(
        self, clusters: list[Cluster], known_before: frozenset[str], now: datetime
    ) -> None:
        """Takes all clusters as they were read. Those of `known_before`, the names known when the
        read began, that are not among them are gone; what came during the read stays.
        """
        for name in known_before.difference(cluster.cluster_name for cluster in clusters):
            self.remove_cluster(name)
        for cluster in clusters:
            self.put_cluster(cluster, now)

    def remove_cluster(self, name: str) -> None:
        self.fleet.remove(name)
        self._asked.pop(name, None)
        self._changes.everything = True

    def hear(self, name: str, at: datetime, now: datetime) -> None:
        """The cluster gave a sign of life."""
        silent = not self.fleet.is_running(name, now)
        self.fleet.hear(name, at)
        if silent and self.fleet.is_running(name, now):
            self._changes.everything = True

    def refuse_cluster(self, name: str, have: Resources) -> None:
        self.fleet.refuse(name, have)
        # Worksets that prefer this cluster may go elsewhere.
        if self.queue.asks_for(name):
            self._changes.everything = True

    def ask(self, cluster_name: str, now: datetime) -> None:
        """The cluster asks for work."""
        self._asked[cluster_name] = now

    def asked(self) -> dict[str, datetime]:
        """When each cluster last asked for work."""
        return dict(self._asked)

    def asking(self, now: datetime) -> set[str]:
        """The clusters that asked for work a moment ago: they take what is kept for them."""
        since = now - self.rules.asks_for
        return {name for name, at in self._asked.items() if at > since}

    def look_again(self, cluster_name: str) -> None:
        """Somebody new asks for work on this cluster."""
        self._changes.freed.add(cluster_name)

    def set_customers(self, customers: list[Customer]) -> None:
        """Takes all customers as state has them."""
        self.limits.set_all(customers)
        self._changes.everything = True

    def refuse_customer(self, customer_id: str) -> None:
        """State said that this customer may start nothing more."""
        self.limits.refuse(customer_id)

    # --- time ---

    def advance(self, now: datetime) -> None:
        """Lets in what had to wait until now, and drops clusters that fell silent."""
        self._changes.startable.update(self.queue.advance(now))
        silence = self.fleet.next_silence(now)
        if self._silence is not None and self._silence <= now:
            # A preferred cluster may have gone: its worksets may go elsewhere.
            self._changes.everything = True
        self._silence = silence
        if self._review_at is not None and self._review_at <= now:
            self._review_at = None
            self._changes.everything = True

    def review(self, at: datetime) -> None:
        """All claims that wait are to be looked at again then, if nothing else happens."""
        if self._review_at is None or at < self._review_at:
            self._review_at = at

    def next_due(self, now: datetime) -> datetime | None:
        """When `advance` has something to do next."""
        times = [self.queue.next_due, self.fleet.next_silence(now), self._review_at]
        return min((at for at in times if at is not None), default=None)

    # --- inside ---

    def _occupy(
        self,
        workset_id: str,
        version: int,
        state: WorksetState,
        cluster_name: str | None,
        at: datetime | None = None,
    ) -> bool:
        known = self.known(workset_id)
        if known is None or version < known.version:
            return known is not None
        self.queue.remove(workset_id)
        self._start(
            replace(
                known,
                state=state,
                locked=True,
                locked_at=at if state is WorksetState.LOCKED else known.locked_at or at,
                cluster_name=known.cluster_name if cluster_name is None else cluster_name,
                version=version,
            )
        )
        return True

    def _start(self, workset: Workset) -> None:
        self.active[workset.workset_id] = workset
        self.limits.start(workset)
        self.shares.start(workset)
        if workset.cluster_name:
            self._reserve(workset, workset.cluster_name, workset.locked_at)
        else:
            self._free(workset.workset_id)

    def _end(self, workset_id: str) -> None:
        self.active.pop(workset_id, None)
        self._free(workset_id)
        self.shares.end(workset_id)
        if self.limits.end(workset_id):
            self._changes.everything = True

    def _reserve(self, workset: Workset, cluster_name: str, since: datetime | None) -> None:
        freed = self.fleet.reserve(
            workset.workset_id,
            cluster_name,
            workset.needs.amount,
            since,
            run_hours(workset.needs, workset.estimate, self.rules),
        )
        if freed:
            self._changes.freed.add(freed)
        if self.queue.asks_for(cluster_name):
            # It may be full now: those who prefer it may go elsewhere.
            self._changes.everything = True

    def _free(self, workset_id: str) -> None:
        freed = self.fleet.release(workset_id)
        if freed:
            self._changes.freed.add(freed)
