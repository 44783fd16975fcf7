"""Any order of commands, stale ones too, keeps the invariants of the design (1-5, 7-9).

Decisions are made on what was loaded and may be applied much later, after others: as two replicas,
a hung request or a stopped process would. Only the conditions of the commits stand in between.
"""

from dataclasses import replace
from datetime import timedelta

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    initialize,
    multiple,
    rule,
)

from daylily_state.domain import (
    dependencies,
    lifecycle,
    locking,
    pools,
    registering,
    requests,
)
from daylily_state.domain.commands import (
    Acquire,
    DeleteCluster,
    PutCluster,
    PutCustomer,
    Register,
    Release,
    ReportCluster,
    SetState,
    Update,
)
from daylily_state.domain.commit import Commit
from daylily_state.domain.events import EventType
from daylily_state.domain.locking import EXPIRY_MARGIN, Surroundings
from daylily_state.domain.model import (
    Amount,
    ClusterState,
    ErrorCategory,
    Priority,
    Requirements,
    Results,
    SubjectKind,
    WorksetState,
)
from daylily_state.ports import ProgressPatch, Touch
from tests.property.state.lab import HELD, POLICY, Lab

IDS = ["ws-1", "ws-2", "ws-3"]
CLUSTERS = ["c1", "c2"]
CUSTOMERS = ["acme", "umbrella"]
AGAIN = [ErrorCategory.TRANSIENT, ErrorCategory.INFRASTRUCTURE, ErrorCategory.DATA]

ids = st.sampled_from(IDS)
clusters = st.sampled_from(CLUSTERS)
leases = st.sampled_from([10, 900, 3600]).map(lambda seconds: timedelta(seconds=seconds))
amounts = st.builds(
    Amount,
    vcpus=st.integers(0, 300),
    memory_mb=st.integers(0, 3000),
    storage_mb=st.sampled_from([0, 0, 1000]),
    slots=st.integers(0, 3),
)
needs = st.builds(
    Requirements,
    vcpus=st.sampled_from([0, 96, 192]),
    memory_mb=st.sampled_from([0, 1000]),
    storage_mb=st.sampled_from([0, 600]),
    estimated_cost_cents=st.sampled_from([0, 1000, 4050]),
)
metrics = st.sampled_from(["{}", '{"cost_usd":12.34}', '{"cost_usd":"free"}'])


class Worksets(Lab):
    tokens = Bundle("tokens")
    parked = Bundle("parked")

    # --- a beginning where much can happen ---

    @initialize()
    def a_lab(self) -> None:
        self.put_cluster("c1", Amount(150, 4000, 1000, 2), ClusterState.ACTIVE)
        self.put_customer("acme", 2, 5000, False)
        need = Requirements(vcpus=96, memory_mb=1000, estimated_cost_cents=1000)
        for workset_id in IDS[:2]:
            command = Register(
                workset_id=workset_id,
                bucket="b",
                prefix="p/",
                customer_id="acme",
                requirements=need,
                max_attempts=2,
            )
            self.apply(registering.register(None, {}, command, self.of(workset_id)))

    # --- commands ---

    @rule(
        workset_id=ids,
        depends_on=st.lists(ids, unique=True, max_size=2),
        customer_id=st.sampled_from(["", *CUSTOMERS]),
        requirements=needs,
        priority=st.sampled_from(Priority),
        max_attempts=st.integers(1, 3),
    )
    def register(self, workset_id, depends_on, **fields) -> None:
        depends_on = tuple(key for key in depends_on if key != workset_id)
        command = Register(
            workset_id=workset_id, bucket="b", prefix="p/", depends_on=depends_on, **fields
        )
        there = {key: self.store.worksets[key] for key in depends_on if key in self.store.worksets}
        workset, _ = self.known(workset_id)
        self.apply(self.decide(registering.register, workset, there, command, self.of(workset_id)))

    def acquisition(self, workset_id, cluster_name, lease, force, request_id="") -> Commit | None:
        workset, details = self.known(workset_id)
        command = Acquire(
            workset_id=workset_id,
            owner_id="m1",
            lease=lease,
            cluster_name=cluster_name,
            force=force,
            request_id=request_id,
        )
        around = Surroundings(
            self.store.worksets,
            self.store.clusters.get(cluster_name),
            self.store.customers.get(workset.customer_id) if workset else None,
        )
        moment = self.of(workset_id)
        return self.decide(locking.acquire, workset, details, around, command, moment)

    @rule(
        target=tokens,
        workset_id=ids,
        cluster_name=st.sampled_from(["", *CLUSTERS]),
        lease=leases,
        force=st.booleans(),
    )
    def acquire(self, workset_id, cluster_name, lease, force):
        commit = self.acquisition(workset_id, cluster_name, lease, force)
        if not self.apply(commit):
            return multiple()
        return (workset_id, commit.workset.after.lock.token)

    @rule(
        workset_id=ids,
        cluster_name=st.sampled_from(["", *CLUSTERS]),
        lease=leases,
        request_id=st.sampled_from(["r1", "r2"]),
    )
    def acquire_again_and_again(self, workset_id, cluster_name, lease, request_id) -> None:
        workset, _ = self.known(workset_id)
        request_id = f"{workset_id}-{request_id}"
        trail = self.store.events_of(workset_id)
        served = any(event.request_id == request_id for event in trail)
        remembered = workset and requests.recent_seq(workset, request_id) is not None
        if served and not remembered:
            assert requests.may_be_forgotten(workset)
        if not served:
            self.apply(self.acquisition(workset_id, cluster_name, lease, False, request_id))

    @rule(
        target=parked,
        workset_id=ids,
        cluster_name=st.sampled_from(["", *CLUSTERS]),
        lease=leases,
        force=st.booleans(),
    )
    def decide_an_acquisition_for_later(self, workset_id, cluster_name, lease, force):
        commit = self.acquisition(workset_id, cluster_name, lease, force)
        return commit or multiple()

    def change(self, held, state, category, figures, operator) -> Commit | None:
        workset_id, token = held
        workset, details = self.known(workset_id)
        command = SetState(
            workset_id=workset_id,
            state=state,
            lock_token=0 if operator else token,
            error_details="it broke",
            error_category=category,
            metrics=figures,
        )
        results = self.store.results.get(workset_id, Results())
        moment = self.of(workset_id)
        commit = self.decide(
            lifecycle.set_state, workset, details, results, command, moment, policy=POLICY
        )
        if commit and not operator:
            assert token == workset.lock.token, "a stale holder's write was decided"
        return commit

    @rule(
        held=tokens,
        state=st.sampled_from(WorksetState),
        category=st.sampled_from(ErrorCategory),
        figures=metrics,
        operator=st.booleans(),
    )
    def set_state(self, held, state, category, figures, operator) -> None:
        self.apply(self.change(held, state, category, figures, operator))

    @rule(held=tokens)
    def start(self, held) -> None:
        permanent = ErrorCategory.PERMANENT
        self.apply(self.change(held, WorksetState.IN_PROGRESS, permanent, "{}", False))

    @rule(workset_id=ids, state=st.sampled_from(WorksetState), category=st.sampled_from(AGAIN))
    def go_on_as_the_holder(self, workset_id, state, category) -> None:
        workset = self.store.worksets.get(workset_id)
        if workset and workset.lock:
            held = (workset_id, workset.lock.token)
            self.apply(self.change(held, state, category, "{}", False))

    @rule(workset_id=ids, silence=st.sampled_from([5, 12, 3700]))
    def cancel_a_run(self, workset_id, silence) -> None:
        self.operate(workset_id, WorksetState.IGNORED)
        self.wait(silence)
        self.operate(workset_id, WorksetState.READY)

    @rule(
        target=parked,
        held=tokens,
        state=st.sampled_from(WorksetState),
        category=st.sampled_from(ErrorCategory),
        operator=st.booleans(),
    )
    def decide_a_change_for_later(self, held, state, category, operator):
        commit = self.change(held, state, category, "{}", operator)
        return commit or multiple()

    @rule(commit=parked)
    def apply_a_late_commit(self, commit) -> None:
        already = any(
            event.event_id == commit.event.event_id for event in self.store.lanes[commit.event.lane]
        )
        write = commit.workset
        before = self.store.worksets[write.after.workset_id].lock
        if self.apply(commit):
            assert not already, "one decision was applied twice"
            if commit.event.type is EventType.LOCK_TIMEOUT:
                assert before.expires_at < commit.event.occurred_at, "renewed in the meantime"

    @rule(held=tokens)
    def release(self, held) -> None:
        workset_id, token = held
        workset, details = self.known(workset_id)
        command = Release(workset_id=workset_id, lock_token=token)
        moment = self.of(workset_id)
        commit = self.decide(locking.release, workset, details, command, moment)
        if self.apply(commit):
            assert token == workset.lock.token

    @rule(held=tokens, lease=leases)
    def renew(self, held, lease) -> None:
        workset_id, token = held
        before = self.store.worksets[workset_id]
        patch = ProgressPatch("run_pipeline", 40, "", self.now)
        touch = Touch(workset_id, token, lease, self.now + lease, patch)
        after = self.store.touch(touch)
        if after:
            assert before.lock.token == token == after.lock.token
            assert after.lock.expires_at >= before.lock.expires_at
            assert self.store.touch(touch), "a renewal that is sent again holds as well"
        elif locking.refused_touch(before, workset_id, token) is None:
            assert before.lock.expires_at > touch.expires_at

    @rule(workset_id=ids, state=st.sampled_from([WorksetState.IGNORED, WorksetState.READY]))
    def operate(self, workset_id, state) -> None:
        permanent = ErrorCategory.PERMANENT
        before = self.store.worksets.get(workset_id)
        commit = self.change((workset_id, 0), state, permanent, "{}", operator=True)
        if self.apply(commit) and state is WorksetState.READY and before.lock:
            assert before.lock.expires_at < self.now, "restored while the old run may go on"

    @rule(workset_id=ids, priority=st.sampled_from(Priority), requirements=needs)
    def update(self, workset_id, priority, requirements) -> None:
        workset, details = self.known(workset_id)
        command = Update(
            workset_id=workset_id,
            fields=frozenset({"priority", "requirements"}),
            priority=priority,
            requirements=requirements,
        )
        moment = self.of(workset_id)
        self.apply(self.decide(registering.update, workset, details, command, moment))

    # --- state's own deeds ---

    @rule(workset_id=ids)
    def time_out(self, workset_id) -> None:
        workset, details = self.known(workset_id)
        if workset is None:
            return
        moment = self.of(workset_id)
        commit = lifecycle.time_out(workset, details, moment, policy=POLICY)
        if workset.lock and self.now > workset.lock.expires_at + EXPIRY_MARGIN:
            assert self.apply(commit), "a dead holder's lock stays"
            ended = self.store.worksets[workset_id]
            free = {WorksetState.READY, WorksetState.ERROR, WorksetState.IGNORED}
            assert ended.lock is None
            assert ended.state in free
        else:
            assert commit is None

    @rule(target=parked, workset_id=ids)
    def decide_a_timeout_for_later(self, workset_id):
        workset, details = self.known(workset_id)
        if workset is None:
            return multiple()
        commit = lifecycle.time_out(workset, details, self.of(workset_id), policy=POLICY)
        return commit or multiple()

    @rule(workset_id=ids)
    def let_dependencies_be_met(self, workset_id) -> None:
        workset, details = self.known(workset_id)
        if workset:
            moment = self.of(workset_id)
            met = dependencies.report_met(workset, details, self.store.worksets, moment)
            self.apply(met)

    @rule(workset_id=ids)
    def promote(self, workset_id) -> None:
        workset = self.store.worksets.get(workset_id)
        if workset and workset.available_at and workset.available_at <= self.now:
            self.store.worksets[workset_id] = replace(workset, available_at=None)

    @rule(seconds=st.sampled_from([1, 11, 902, 4000]))
    def wait(self, seconds) -> None:
        self.now += timedelta(seconds=seconds)

    # --- two at once ---

    @rule(workset_id=ids, lease=leases)
    def a_renewal_overtakes_a_timeout(self, workset_id, lease) -> None:
        workset, details = self.known(workset_id)
        if workset is None or workset.state not in HELD:
            return
        self.now = max(self.now, workset.lock.expires_at + timedelta(seconds=2))
        timeout = lifecycle.time_out(workset, details, self.of(workset_id), policy=POLICY)
        assert self.store.touch(Touch(workset_id, workset.lock.token, lease, self.now + lease))
        assert not self.apply(timeout), "a lock was timed out although its holder had renewed"

    @rule(lease=leases)
    def two_schedulers_book_one_cluster(self, lease) -> None:
        first = self.acquisition(IDS[0], "c1", lease, force=False)
        second = self.acquisition(IDS[1], "c1", lease, force=False)
        self.apply(first)
        self.apply(second)

    # --- clusters and customers ---

    @rule(
        name=clusters,
        capacity=amounts,
        state=st.sampled_from([ClusterState.ACTIVE, ClusterState.ACTIVE, ClusterState.DRAINING]),
    )
    def put_cluster(self, name, capacity, state) -> None:
        command = PutCluster(cluster_name=name, capacity=capacity, state=state)
        moment = self.moment(SubjectKind.CLUSTER, name)
        self.apply(pools.put_cluster(self.store.clusters.get(name), command, moment))

    @rule(name=clusters, foreign=amounts, broken=amounts)
    def report_cluster(self, name, foreign, broken) -> None:
        command = ReportCluster(cluster_name=name, foreign=foreign, broken=broken)
        moment = self.moment(SubjectKind.CLUSTER, name)
        cluster = self.store.clusters.get(name)
        self.apply(self.decide(pools.report_cluster, cluster, command, moment))

    @rule(name=clusters)
    def delete_cluster(self, name) -> None:
        command = DeleteCluster(cluster_name=name)
        moment = self.moment(SubjectKind.CLUSTER, name)
        cluster = self.store.clusters.get(name)
        self.apply(self.decide(pools.delete_cluster, cluster, command, moment))

    @rule(
        name=st.sampled_from(CUSTOMERS),
        max_concurrent=st.integers(0, 2),
        budget=st.sampled_from([0, 5000]),
        reset=st.booleans(),
    )
    def put_customer(self, name, max_concurrent, budget, reset) -> None:
        command = PutCustomer(
            customer_id=name,
            max_concurrent=max_concurrent,
            budget_cents=budget,
            reset_spent=reset,
        )
        moment = self.moment(SubjectKind.CUSTOMER, name)
        self.apply(pools.put_customer(self.store.customers.get(name), command, moment))


Worksets.TestCase.settings = settings(max_examples=80, stateful_step_count=60, deadline=None)
test_any_order_of_commands_keeps_the_invariants = Worksets.TestCase
