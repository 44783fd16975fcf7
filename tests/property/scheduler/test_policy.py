"""The policy under any sequence of events: never infeasible, never over capacity, never out of order."""

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
)

from daylily_scheduler.domain.decision import plan_reasons
from daylily_scheduler.domain.feasibility import affordable, fits, has_room, rejections
from daylily_scheduler.domain.matching import WaitingClaims, match
from daylily_scheduler.domain.model import Customer, Estimate, Priority, WorksetState
from daylily_scheduler.domain.plan import plan_of
from daylily_scheduler.domain.policy import pick, pick_anywhere, rank
from daylily_scheduler.domain.resources import Resources
from tests.support.scheduling import NOW, book, cluster, workset

NAMES = ("c1", "c2", "c3")
TYPES = (frozenset(), frozenset({"c6i"}), frozenset({"m6i"}))


def mostly(usual, *others):
    """A value that is `usual` in half of the draws, so that enough of what is drawn fits somewhere."""
    return st.one_of(st.just(usual), st.sampled_from([usual, *others]))


clusters = st.builds(
    cluster,
    st.sampled_from(NAMES),
    vcpus=mostly(16, 0, 8, 96),
    memory_gb=mostly(64, 16, 384),
    storage_gb=mostly(0, 100),
    slots=mostly(2, 0, 1, 3),
    price=st.sampled_from([0.03, 0.0, 0.05]),
    zone=mostly("a", "b"),
    instance_types=st.sampled_from(TYPES),
    draining=mostly(False, True),
    foreign=st.builds(Resources, vcpus=mostly(0, 8, 200)),
)
shapes = st.fixed_dictionaries(
    {
        "age_s": st.integers(0, 100),
        "priority": st.sampled_from(Priority),
        "vcpus": mostly(8, 0, 4, 64),
        "memory_gb": mostly(0, 16, 100),
        "storage_gb": mostly(0, 50),
        "zone": mostly("", "a", "b"),
        "instance_types": mostly(*TYPES),
        "cluster": mostly("", *NAMES),
        "customer_id": st.sampled_from(["", "acme"]),
        "estimate": st.builds(
            Estimate,
            vcpu_hours=mostly(10.0, 0.0, 100.0),
            hours=mostly(1.0, 0.0, 30.0),
            cost_usd=st.sampled_from([0.0, 2.0, 8.0]),
            max_cost_usd=mostly(0.0, 1.0, 4.0),
        ),
    }
)


numbers = st.integers(0, 20)


def one_of_them(things, number):
    known = list(things)
    return known[number % len(known)]


class Scheduling(RuleBasedStateMachine):
    """A scheduler that is told things, hands out worksets to claims, and hears what became of it."""

    def __init__(self):
        super().__init__()
        self.now = NOW
        self.book = book()
        self.waiting = WaitingClaims()
        self.claims = 0
        self.worksets = 0
        self.versions = {}
        self.attempts = []
        self.matched_at = None

    def apply(self, changed):
        self.versions[changed.workset_id] = changed.version
        self.book.put(changed, self.now)

    @initialize()
    def there_are_clusters(self):
        for name in NAMES:
            self.book.put_cluster(cluster(name, vcpus=16, slots=2, zone="a"), self.now)

    @rule(several=st.lists(shapes, min_size=1, max_size=5))
    def registers(self, several):
        for shape in several:
            self.worksets += 1
            self.apply(workset(f"w{self.worksets}", **shape))

    @precondition(lambda self: any(self.startable()))
    @rule(number=numbers, shape=shapes)
    def changes_while_it_waits(self, number, shape):
        known = one_of_them(self.startable(), number)
        fresh = workset(known.workset_id, **shape)
        self.apply(replace(fresh, created_at=known.created_at, version=known.version + 1))

    @rule(value=clusters)
    def reports(self, value):
        known = self.book.fleet.get(value.cluster_name)
        version = known.version + 1 if known else 1
        self.book.put_cluster(replace(value, heard_at=self.now, version=version), self.now)

    @rule(name=st.sampled_from(NAMES))
    def is_removed(self, name):
        self.book.remove_cluster(name)

    @rule(limit=st.integers(0, 2), budget=st.sampled_from([0.0, 5.0]))
    def limits_change(self, limit, budget):
        self.book.set_customers([Customer("acme", max_concurrent=limit, budget_usd=budget)])

    @rule(minutes=st.integers(1, 2))
    def time_passes(self, minutes):
        self.now += timedelta(minutes=minutes)
        self.book.advance(self.now)

    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
    def claims_and_waits(self, names):
        for name in names:
            self.claims += 1
            self.waiting.add(self.claims, name)
            self.book.look_again(name)

    @rule()
    def gives_out(self):
        self.matched_at = self.now
        for found in match(self.book, self.waiting, self.now):
            self.assert_reserved(found.pick)
            self.attempts.append(found.pick)

    @rule(names=st.lists(st.sampled_from(NAMES), min_size=1, max_size=4))
    def claims_and_locks(self, names):
        self.claims_and_waits(names)
        self.gives_out()
        self.attempts_end(locked=True)

    @precondition(lambda self: self.attempts)
    @rule(locked=st.booleans())
    def attempts_end(self, locked):
        for found in self.attempts:
            name = found.workset.workset_id
            if locked:
                self.apply(
                    replace(
                        self.book.known(name),
                        state=WorksetState.LOCKED,
                        locked=True,
                        cluster_name=found.placement.cluster_name,
                        version=self.versions[name] + 1,
                    )
                )
            else:
                self.book.give_up(name, self.now, stale=False)
        self.attempts.clear()

    @precondition(lambda self: self.book.active)
    @rule(number=numbers)
    def ends(self, number):
        known = one_of_them(self.book.active.values(), number)
        self.book.forget(known.workset_id, known.version + 1)

    @precondition(lambda self: self.book.active)
    @rule(number=numbers)
    def comes_back(self, number):
        known = one_of_them(self.book.active.values(), number)
        self.apply(
            replace(
                known,
                state=WorksetState.READY,
                locked=False,
                cluster_name="",
                version=known.version + 1,
            )
        )

    def assert_reserved(self, found):
        fleet = self.book.fleet
        assert fleet.holds(found.workset.workset_id)
        name = found.placement.cluster_name
        assert name in fleet.running(self.now)
        free, need = fleet.free(name), found.workset.needs.amount
        # What was given out was there: counted in, nothing that it needs is below zero.
        assert all(
            getattr(free, thing) >= 0
            for thing in ("vcpus", "memory_mb", "storage_mb", "slots")
            if getattr(need, thing)
        )

    def starts_on(self, other, on):
        """Whether the plan would start it on the cluster, were it the next."""
        return (
            not self.book.limits.rejections(other)
            and fits(other.needs, other.estimate, on, self.book.fleet, self.now)
            and not plan_reasons(
                self.book,
                other,
                on,
                {*self.book.asking(self.now), on.cluster_name},
                self.now,
            )
        )

    def startable(self):
        for priority in Priority:
            for _, lane in self.book.queue.lanes(priority):
                for _, name in lane:
                    yield self.book.queue.get(name)

    @invariant()
    def a_pick_is_allowed_and_the_first_that_the_plan_starts_there(self):
        fleet = self.book.fleet
        for name, on in fleet.running(self.now).items():
            found = pick(self.book, name, self.now)
            if found is None:
                # Whatever fits there has a reason that says why it does not start.
                assert not any(self.starts_on(w, on) for w in self.startable())
                continue
            picked = found.workset
            assert not self.book.limits.rejections(picked)
            assert has_room(picked.needs, on, fleet, self.now)
            assert affordable(picked.needs, picked.estimate, on)
            mine = rank(self.book, picked)
            for other in self.startable():
                assert rank(self.book, other) >= mine or not self.starts_on(other, on)

    @invariant()
    def a_pick_for_any_cluster_is_one_that_every_cluster_asking_would_give(self):
        running = self.book.fleet.running(self.now)
        found = pick_anywhere(self.book, self.now)
        plan = plan_of(self.book, self.now, running)
        planned = [choice.workset for choice in plan.starts]
        if planned:
            assert found.workset == planned[0]
        elif found is not None:
            assert plan.start_on(found.placement.cluster_name).workset == found.workset

    @invariant()
    def what_is_planned_fits_together(self):
        """On every cluster, at every moment, what runs by its estimate and what is planned."""
        running = self.book.fleet.running(self.now)
        plan = plan_of(self.book, self.now, running)
        for name in running:
            planned = [c for c in plan.choices.values() if c.best.cluster_name == name]
            for at in {c.best.hours for c in planned}:
                beside = [c for c in planned if c.best.hours <= at < c.best.hours + c.length]
                free = self.book.fleet.free(name)
                for held in self.book.fleet.held_on(name):
                    if plan._by_name[name]._left(held) <= at:
                        free = free + held.amount
                for choice in beside:
                    free = free - choice.workset.needs.amount
                for thing in ("vcpus", "memory_mb", "storage_mb", "slots"):
                    if any(getattr(c.workset.needs.amount, thing) for c in beside):
                        assert getattr(free, thing) >= 0

    @invariant()
    def what_fits_has_no_rejections_and_the_other_way_round(self):
        fleet = self.book.fleet
        for w in self.startable():
            for on in fleet:
                why = rejections(w.needs, w.estimate, on, fleet, self.now)
                assert fits(w.needs, w.estimate, on, fleet, self.now) == (not why)

    @invariant()
    def reservations_add_up(self):
        fleet = self.book.fleet
        for on in fleet:
            name = on.cluster_name
            held = [r for r in fleet._reservations.values() if r.cluster_name == name]
            assert sum((r.amount for r in held), Resources()) == fleet.reserved(name)
            assert len(held) == fleet.active(name)

    @invariant()
    def counts_add_up(self):
        queue = self.book.queue
        counted = sum(queue.startable(priority) for priority in Priority)
        assert counted == len(list(self.startable()))
        assert queue.waiting == len(queue) - counted

    @invariant()
    def nobody_waits_for_what_is_there(self):
        # What changed since the last matching is still to be given out, and with time alone what
        # waits by choice is looked at again.
        if self.book._changes or not self.waiting or self.now != self.matched_at:
            return
        for name in self.waiting.clusters:
            assert pick(self.book, name, self.now) is None


Scheduling.TestCase.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)
test_scheduling = Scheduling.TestCase


@settings(deadline=None)
@given(st.lists(shapes, max_size=12), st.lists(clusters, max_size=3), st.randoms())
def test_the_same_worksets_and_clusters_are_picked_in_the_same_order_however_they_were_told(
    several, fleet, chance
):
    worksets = [workset(f"w{number}", **shape) for number, shape in enumerate(several)]
    fleet = list({on.cluster_name: on for on in fleet}.values())
    orders = []
    for _ in range(2):
        known = book(*worksets, *fleet)
        given_out = []
        while found := pick_anywhere(known, NOW):
            known.assign(found.workset, found.placement.cluster_name)
            given_out.append(found)
        orders.append(given_out)
        chance.shuffle(worksets)
        chance.shuffle(fleet)
    assert orders[0] == orders[1]
