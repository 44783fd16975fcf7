"""The meaning of a commit, in dictionaries: every condition and effect that ports.Store promises.

The property tests hold the domain to its invariants on it; what it says is what both stores do.
"""

from dataclasses import fields, replace

from daylily_state.domain.commit import (
    Clash,
    ClusterChange,
    Commit,
    CommitOutcome,
    Committed,
    Conflict,
    CustomerChange,
)
from daylily_state.domain.events import Event
from daylily_state.domain.model import (
    LANES,
    Cluster,
    Customer,
    Details,
    Progress,
    Results,
    Workset,
    WorksetState,
)
from daylily_state.ports import Touch

HELD = {WorksetState.LOCKED, WorksetState.IN_PROGRESS}


class ModelStore:
    def __init__(self) -> None:
        self.worksets: dict[str, Workset] = {}
        self.details: dict[str, Details] = {}
        self.results: dict[str, Results] = {}
        self.clusters: dict[str, Cluster] = {}
        self.customers: dict[str, Customer] = {}
        self.lanes: dict[int, list[Event]] = {lane: [] for lane in range(LANES)}

    def head(self, lane: int) -> int:
        return len(self.lanes[lane])

    def events_of(self, workset_id: str) -> list[Event]:
        events = (event for lane in self.lanes.values() for event in lane)
        return [event for event in events if event.workset_id == workset_id]

    def commit(self, commit: Commit) -> CommitOutcome:
        clashes = frozenset(self._clashes(commit))
        if clashes:
            return Conflict(clashes)
        self.lanes[commit.event.lane].append(commit.event)
        self._write_workset(commit)
        if commit.cluster:
            key = commit.cluster.after.cluster_name
            known = self.clusters.get(key, commit.cluster.after)
            self.clusters[key] = replace(commit.cluster.after, reserved=known.reserved)
        for change in commit.cluster_changes:
            cluster = self.clusters[change.cluster_name]
            reserved = cluster.reserved + change.delta
            self.clusters[change.cluster_name] = replace(cluster, reserved=reserved)
        self._write_customer(commit)
        return Committed()

    def touch(self, touch: Touch) -> Workset | None:
        workset = self.worksets.get(touch.workset_id)
        lock = workset.lock if workset else None
        if workset is None or lock is None or workset.state not in HELD:
            return None
        if lock.token != touch.lock_token:
            return None
        if touch.expires_at and touch.lease:
            if lock.expires_at > touch.expires_at:
                return None
            lock = replace(lock, lease=touch.lease, expires_at=touch.expires_at)
        progress = workset.progress
        if touch.progress:
            patch = touch.progress
            progress = Progress(patch.step, patch.percent, patch.message, patch.reported_at)
        self.worksets[touch.workset_id] = replace(workset, lock=lock, progress=progress)
        return self.worksets[touch.workset_id]

    # --- conditions ---

    def _clashes(self, commit: Commit) -> list[Clash]:
        found = []
        if commit.event.seq != self.head(commit.event.lane) + 1:
            found.append(Clash.SLOT)
        if commit.workset and not self._workset_holds(commit):
            found.append(Clash.WORKSET)
        if commit.cluster:
            before, now = commit.cluster.before, self.clusters.get(commit.event.subject_id)
            busy = commit.cluster.when_idle and now and any(_parts(now.reserved))
            if _version(before) != _version(now) or busy:
                found.append(Clash.CLUSTER)
        if not all(self._room_on(change) for change in commit.cluster_changes):
            found.append(Clash.CLUSTER)
        if commit.customer:
            now = self.customers.get(commit.event.subject_id)
            forget = commit.customer.forget_spent_cents
            spent_moved = forget is not None and now is not None and now.spent_cents != forget
            if _version(commit.customer.before) != _version(now) or spent_moved:
                found.append(Clash.CUSTOMER)
        if commit.customer_change and not self._room_for(commit.customer_change):
            found.append(Clash.CUSTOMER)
        return found

    def _workset_holds(self, commit: Commit) -> bool:
        write = commit.workset
        now = self.worksets.get(write.after.workset_id)
        if _version(write.before) != _version(now):
            return False
        if write.expiry_seen is None:
            return True
        return now is not None and now.lock is not None and now.lock.expires_at == write.expiry_seen

    def _room_on(self, change: ClusterChange) -> bool:
        cluster = self.clusters[change.cluster_name]
        if change.guard is None:
            return True
        fits = zip(_parts(cluster.reserved), _parts(change.guard.room), strict=True)
        return cluster.version == change.guard.version and all(has <= room for has, room in fits)

    def _room_for(self, change: CustomerChange) -> bool:
        customer, guard = self.customers[change.customer_id], change.guard
        if guard is None:
            return True
        return (
            customer.version == guard.version
            and (guard.running_room is None or customer.running <= guard.running_room)
            and (guard.cents_room is None or customer.committed_cents <= guard.cents_room)
        )

    # --- effects ---

    def _write_workset(self, commit: Commit) -> None:
        if commit.workset is None:
            return
        before, after = commit.workset.before, commit.workset.after
        key = after.workset_id
        if before is None:
            self.worksets[key] = after
        else:
            changed = {
                field.name: getattr(after, field.name)
                for field in fields(Workset)
                if getattr(after, field.name) != getattr(before, field.name)
            }
            if "lock" in changed:
                changed["progress"] = after.progress
            self.worksets[key] = replace(self.worksets[key], **changed)
        if commit.details is not None:
            self.details[key] = commit.details
        if commit.results is not None:
            self.results[key] = commit.results

    def _write_customer(self, commit: Commit) -> None:
        if commit.customer:
            key, forget = commit.event.subject_id, commit.customer.forget_spent_cents or 0
            known = self.customers.get(key, commit.customer.after)
            use = {
                "running": known.running,
                "committed_cents": known.committed_cents - forget,
                "spent_cents": known.spent_cents - forget,
            }
            self.customers[key] = replace(commit.customer.after, **use)
        if commit.customer_change:
            change = commit.customer_change
            known = self.customers[change.customer_id]
            self.customers[change.customer_id] = replace(
                known,
                running=known.running + change.running,
                committed_cents=known.committed_cents + change.committed_cents,
                spent_cents=known.spent_cents + change.spent_cents,
            )


def _parts(amount):
    return [getattr(amount, field.name) for field in fields(amount)]


def _version(row) -> int:
    return row.version if row else 0
