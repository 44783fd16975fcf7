"""A lab of the domain alone, and what always holds in it, whoever does what in which order."""

from collections import defaultdict
from datetime import UTC, datetime

from hypothesis.stateful import RuleBasedStateMachine, invariant

from daylily_state.domain import reservations
from daylily_state.domain.commit import Commit, Committed
from daylily_state.domain.counts import Counts, Image
from daylily_state.domain.errors import DomainError
from daylily_state.domain.model import (
    Amount,
    Details,
    SubjectKind,
    WorksetState,
    lane_of,
)
from daylily_state.domain.moment import Moment
from daylily_state.domain.retries import RetryPolicy
from daylily_state.domain.transitions import NOTES, TABLE
from tests.property.state.model_store import ModelStore

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
POLICY = RetryPolicy(infrastructure_bound=3)
MOVES = {(row.from_state, row.to_state, row.event) for row in TABLE}
HELD = {WorksetState.LOCKED, WorksetState.IN_PROGRESS}


class Lab(RuleBasedStateMachine):
    """A store and a clock; rules decide on what they see, and apply it now or later."""

    def __init__(self) -> None:
        super().__init__()
        self.store = ModelStore()
        self.now = START
        self.made = 0
        self.granted: dict[str, list[int]] = defaultdict(list)
        self.served: dict[str, int] = defaultdict(int)
        self.counts = Counts()

    # --- deciding and applying ---

    def moment(self, kind: SubjectKind, subject_id: str) -> Moment:
        self.made += 1
        head = self.store.head(lane_of(kind, subject_id))
        return Moment(now=self.now, event_id=f"e{self.made}", head=head, dice=0.5)

    def of(self, workset_id: str) -> Moment:
        return self.moment(SubjectKind.WORKSET, workset_id)

    def known(self, workset_id: str) -> tuple:
        details = self.store.details.get(workset_id, Details("", ""))
        return self.store.worksets.get(workset_id), details

    def apply(self, commit: Commit | None) -> bool:
        if commit is None or not isinstance(self.store.commit(commit), Committed):
            return False
        self.counts.apply(commit.event)
        if commit.event.request_id:
            self.served[commit.event.request_id] += 1
        for change in commit.cluster_changes:
            self.check_not_overbooked(change)
        self.check_limits(commit.customer_change)
        write = commit.workset
        if write and write.after.lock and write.after.lock != (write.before and write.before.lock):
            self.granted[write.after.workset_id].append(write.after.lock.token)
        return True

    def check_not_overbooked(self, change) -> None:
        left = reservations.free(self.store.clusters[change.cluster_name])
        for resource in ("vcpus", "memory_mb", "slots"):
            if getattr(change.delta, resource) > 0:
                assert getattr(left, resource) >= 0

    def check_limits(self, change) -> None:
        if change and change.running > 0:
            customer = self.store.customers[change.customer_id]
            assert not customer.max_concurrent or customer.running <= customer.max_concurrent
            assert not customer.budget_cents or customer.committed_cents <= customer.budget_cents

    def decide(self, function, *arguments, **named) -> Commit | None:
        try:
            return function(*arguments, **named)
        except DomainError:
            return None

    # --- what always holds ---

    @invariant()
    def tokens_only_grow_and_are_unique(self) -> None:
        for granted in self.granted.values():
            assert granted == sorted(set(granted))

    @invariant()
    def a_lock_is_live_only_where_the_state_says_so(self) -> None:
        for workset in self.store.worksets.values():
            if workset.state in HELD:
                assert workset.lock is not None
                assert workset.lock.token == workset.last_token
            elif workset.state is not WorksetState.IGNORED:
                assert workset.lock is None
            if workset.lock is None:
                assert workset.progress is None
                assert workset.reservation is None
            else:
                assert workset.failure is None

    @invariant()
    def events_are_one_to_version_and_move_as_the_table_says(self) -> None:
        for workset_id, workset in self.store.worksets.items():
            events = self.store.events_of(workset_id)
            assert [event.version for event in events] == list(range(1, workset.version + 1))
            state = None
            for event in events:
                assert event.from_state is state
                move = (event.from_state, event.to_state, event.type)
                note = event.type in NOTES and event.from_state is event.to_state
                assert move in MOVES or note
                state = event.to_state
            assert state is workset.state
            assert workset.last_seq == events[-1].seq

    @invariant()
    def lanes_have_no_gaps(self) -> None:
        for lane, events in self.store.lanes.items():
            assert [event.seq for event in events] == list(range(1, len(events) + 1))
            assert all(event.lane == lane for event in events)

    @invariant()
    def one_request_has_one_effect(self) -> None:
        assert all(times == 1 for times in self.served.values())

    @invariant()
    def tries_are_bounded(self) -> None:
        for workset in self.store.worksets.values():
            assert workset.failures <= workset.max_attempts
            assert workset.infra_failures <= POLICY.infrastructure_bound + 1
            if workset.state is WorksetState.READY:
                assert workset.failures < workset.max_attempts
                assert workset.infra_failures <= POLICY.infrastructure_bound

    @invariant()
    def reserved_is_the_sum_of_what_live_locks_hold(self) -> None:
        on_clusters: dict[str, Amount] = defaultdict(Amount)
        running: dict[str, int] = defaultdict(int)
        cents: dict[str, int] = defaultdict(int)
        for workset in self.store.worksets.values():
            held = workset.reservation
            if held and held.amount:
                on_clusters[workset.cluster_name] += held.amount
            if held and held.on_customer:
                running[workset.customer_id] += 1
                cents[workset.customer_id] += held.cost_cents
        for name, cluster in self.store.clusters.items():
            assert cluster.reserved == on_clusters[name]
        for name, customer in self.store.customers.items():
            assert customer.running == running[name]
            assert customer.reserved_cents == cents[name]
            assert customer.spent_cents >= 0

    @invariant()
    def counts_are_exact(self) -> None:
        depth = self.counts.depth(self.now)
        standing: dict[tuple, int] = defaultdict(int)
        ready = 0
        for workset in self.store.worksets.values():
            standing[workset.state, workset.priority] += 1
            ready += workset.can_start(self.now)
        assert depth.counts == standing
        assert depth.ready == ready
        assert Counts.of(Image.load(self.counts.image().dump())).depth(self.now) == depth
