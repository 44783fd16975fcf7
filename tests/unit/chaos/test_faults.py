"""Which faults are made, and to whom."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from tests.chaos import faults
from tests.chaos.faults import KILL_RECORDING, PHASE, UNFITTING, Fault, Injector
from tests.chaos.options import Plan, whole
from tests.chaos.planted import PLANTS

PLAN = Plan(
    seed=1,
    store="dynamodb",
    shape=whole("dynamodb"),
    minutes=1,
    operations=0,
    faults=0,
    seconds_apart=1,
)


def injector(**fields: Any) -> Injector:
    plan = replace(PLAN, **fields)

    def named(kind: str, count: int) -> list[SimpleNamespace]:
        return [SimpleNamespace(name=f"{kind}{number}") for number in range(count)]

    system: Any = SimpleNamespace(
        plan=plan,
        backend=SimpleNamespace(kinds={"store hangs": 4.0, "store refuses": 3.0}),
        states=named("state-", plan.shape.states),
        schedulers=named("scheduler-", plan.shape.schedulers),
        notifiers=named("notifier-", plan.shape.notifiers),
        monitors=named("m", plan.shape.monitors),
    )
    system.processes = [
        *(*system.states, *system.schedulers, *system.notifiers, *system.monitors),
        SimpleNamespace(name="recorder"),
    ]
    return Injector(system)


@pytest.fixture
def at(monkeypatch) -> Callable[[float], None]:
    """Sets the clock."""

    def set_clock(seconds: float) -> None:
        monkeypatch.setattr(faults.time, "monotonic", lambda: seconds)

    set_clock(0.0)
    return set_clock


def test_every_kind_comes_once_in_a_round_and_those_with_a_weight_so_often():
    kinds = injector(weights={"kill state": 3, "stop state": 0}).kinds

    assert kinds.count("kill state") == 3
    assert "stop state" not in kinds
    assert {kinds.count(kind) for kind in {*kinds} - {"kill state"}} == {1}


def test_every_weight_of_a_planted_bug_names_a_kind_that_there_is():
    kinds = {*injector().kinds, "store delays commits", "store delays", "store throttles"}
    kinds |= {"store answers 500", "store drops answers", "store is busy"}

    assert {kind for plant in PLANTS.values() for kind in plant.weights} <= kinds


@pytest.mark.parametrize("kind", sorted(UNFITTING - {"store is busy"}))
def test_in_turns_each_replica_is_spared_what_makes_it_unfit(at, kind):
    made = injector()
    may = []
    for turn in range(3):
        at(turn * PHASE + 1)
        may.append(made._may_be_disturbed(kind))

    assert may == [[1], [0], [0, 1]]


def test_a_single_replica_is_left_alone_half_of_the_time(at):
    made = injector(shape=whole("sqlite"))
    at(PHASE + 1)

    assert made._target("kill state") is None
    assert made._target("state delays") == "state-0"


def test_half_of_the_monitors_go_on():
    made = injector()
    made._busy |= {"m0", "m1", "m2", "m3"}

    assert made._target("stop monitor") is None
    assert made._target("kill monitor") in {"m4", "m5", "m6", "m7"}


@pytest.mark.parametrize("kind", ["kill notifier", "stop notifier", KILL_RECORDING])
def test_one_notifier_at_a_time_as_it_turns_out_late_which_is_hit(kind):
    made = injector()
    assert made._target(kind) in {"notifier-0", "notifier-1"}

    made._busy.add("notifier-0")

    assert made._target(kind) is None


def test_what_is_missing_is_made_alone_and_not_twice_at_once():
    made = injector()
    made.done.append(Fault("stop notifier", "notifier-0", 1.0, 1.0))

    made.prefer({"stop notifier", "kill state"})

    assert made._waiting == ["kill state"]
    assert not made._goes_round


async def test_what_has_to_wait_for_its_turn_holds_up_nothing_else(at, monkeypatch):
    begun: list[str] = []

    async def make(kind: str, _: str) -> None:
        begun.append(kind)

    made = injector(shape=whole("sqlite"), store="sqlite")
    monkeypatch.setattr(made, "_make", make)
    at(PHASE + 1)  # the only replica is left alone
    made._waiting = ["kill state"]
    running = asyncio.create_task(made.run(0.0))
    for _ in range(10):
        await asyncio.sleep(0)
    running.cancel()

    assert begun
    assert not {*begun} & UNFITTING
    assert "kill state" in made._waiting
