"""A run that proves little fails, as one does that found something."""

from dataclasses import replace

import pytest

from tests.chaos import __main__ as command
from tests.chaos.evidence import Evidence
from tests.chaos.history import Call
from tests.chaos.monitor import LEASE
from tests.chaos.options import Plan
from tests.chaos.planted import PLANTS
from tests.chaos.report import contention, report, table
from tests.unit.chaos.story import Story, without


@pytest.fixture
def evidence() -> Evidence:
    """A sound run of eleven calls, with one fault that hit and acquisitions that were contended."""
    story = Story()
    workset_ids = [story.register() for _ in range(3)]
    for workset_id in workset_ids:
        grant = story.acquire(workset_id, "m1")
        story.release(grant)
    rival = story.refused("acquire", "LockHeld", "m2", workset_id=workset_ids[0])
    first = story.calls[3]
    rival.begun, rival.ended = first.begun, first.ended
    story.acquire(workset_ids[2], "m3")
    story.wait(LEASE + 1.1)
    story.time_out(workset_ids[2])
    story.replica_is_fit(since=-5.0, at=40.0)
    story.fault("state delays", "state-0", begun=0.0, seconds=1.0, met=1)
    made = story.evidence()
    made.plan = replace(made.plan, operations=11, faults=1)
    return made


def test_a_sound_run_passes(evidence):
    made = report(evidence)

    assert made.failures == []
    assert made.passed
    assert table(made).endswith("  passed")


def test_a_violation_fails_the_run_and_is_shown(evidence):
    made = report(without(evidence, 3))

    assert not made.passed
    assert "events = version" in made.caught_by
    assert "VIOLATION of events = version" in table(made)
    assert table(made).endswith("  FAILED")


def failures(evidence: Evidence) -> list[str]:
    made = report(evidence)
    assert not made.passed
    assert table(made).endswith("  FAILED")
    return made.failures


def test_fewer_operations_than_planned_fail_the_run(evidence):
    evidence.plan = replace(evidence.plan, operations=12)

    assert failures(evidence) == ["11 operations were answered, 12 were planned"]


def test_an_operation_without_an_answer_does_not_count(evidence):
    evidence.calls[-1].answer, evidence.calls[-1].error = None, "StateUnavailable"

    assert failures(evidence)[0] == "10 operations were answered, 11 were planned"


def test_fewer_faults_than_planned_fail_the_run(evidence):
    evidence.plan = replace(evidence.plan, faults=2)

    assert failures(evidence) == ["1 faults were made, 2 were planned"]


def test_a_kind_of_fault_that_hit_nothing_fails_the_run(evidence):
    evidence.faults[0].met = 0

    assert failures(evidence) == ["'state delays' hit no operation in flight"]


def test_a_kind_of_fault_that_never_came_fails_the_run(evidence):
    evidence.kinds |= {"kill state"}

    assert failures(evidence) == ["'kill state' hit no operation in flight"]


def test_a_run_in_which_monitors_hardly_met_fails(evidence):
    alone = [call for call in evidence.calls if call.monitor != "m2"]
    evidence = replace(evidence, calls=alone, plan=replace(evidence.plan, operations=0))

    assert failures(evidence) == ["0 of 4 acquisitions were contended"]


def test_a_run_without_a_single_acquisition_fails(evidence):
    evidence = replace(evidence, calls=[], plan=replace(evidence.plan, operations=0))

    assert "nobody acquired anything" in failures(evidence)


def test_a_run_without_counts_events_or_a_dead_holder_fails(evidence):
    empty = replace(evidence, counted=[], arrived=frozenset(), fit=[])

    assert {
        "nobody was told any counts",
        "no event reached the topic",
        "no dead holder's lock ended while a replica had been fit for it",
    } <= {*failures(empty)}


def test_a_process_that_ended_by_itself_fails_the_run(evidence):
    evidence.deaths = ["state-0 ended by itself with 1"]

    assert failures(evidence) == ["state-0 ended by itself with 1"]


# --- contention ---


def asked(monitor: str, begun: float, ended: float, error: str = "", **args) -> Call:
    call = Call(f"{monitor}.{begun}", monitor, "acquire", begun, begun, {"workset_id": "w", **args})
    call.ended, call.error = ended, error
    call.answer = None if error else {"workset_id": "w", "token": 1}
    return call


def test_two_that_ask_for_one_workset_at_once_compete():
    assert contention([asked("m0", 1, 2), asked("m1", 1.5, 2.5, "LockHeld")]) == (2, 2)
    assert contention([asked("m0", 1, 2), asked("m1", 1.5, 2.5, "CustomerLimit")]) == (1, 1)


def test_one_that_found_a_workset_taken_long_ago_did_not_compete():
    assert contention([asked("m0", 1, 2), asked("m1", 5, 6, "LockHeld")]) == (1, 0)
    assert contention([asked("m1", 5, 6, "IllegalTransition")]) == (0, 0)


def test_one_that_saw_a_workset_free_and_was_beaten_to_it_competed():
    beaten = asked("m1", 2.1, 2.2, "LockHeld", looked=1.9)

    assert contention([asked("m0", 1.8, 2), beaten]) == (2, 2)


def test_nobody_competes_with_themselves():
    assert contention([asked("m0", 1, 2), asked("m0", 1, 2, "LockHeld")]) == (1, 0)


def test_a_claim_competes_with_whoever_asks_for_what_it_got():
    claim = replace(asked("m0", 1, 2), kind="claim", args={})
    elsewhere = replace(claim, monitor="m2", answer={})

    assert contention([claim, asked("m1", 1, 2, "LockHeld")]) == (2, 2)
    assert contention([claim, elsewhere]) == (1, 0)


# --- the command ---


@pytest.fixture
def runs(monkeypatch, evidence, tmp_path) -> list[Plan]:
    """What is run, without running it: each run leaves the sound evidence behind."""
    made: list[Plan] = []

    async def run(plan: Plan, folder) -> Evidence:
        made.append(plan)
        return evidence

    monkeypatch.setattr(command, "run", run)
    return made


def test_the_command_fails_if_one_run_fails(runs, evidence, monkeypatch):
    monkeypatch.setattr("sys.argv", ["chaos"])
    assert command.main() == 0

    evidence.deaths = ["state-0 ended by itself with 1"]

    assert command.main() == 1
    assert [plan.store for plan in runs] == ["sqlite", "dynamodb"] * 2


def test_the_command_wants_a_fault_for_every_fifty_operations(runs, monkeypatch):
    monkeypatch.setattr("sys.argv", ["chaos", "--store", "dynamodb", "--operations", "10000"])
    command.main()

    (plan,) = runs
    assert (plan.faults, plan.shape.states, plan.shape.monitors) == (200, 2, 8)


def test_a_planted_bug_that_no_check_finds_fails_the_command(runs, evidence, monkeypatch):
    monkeypatch.setattr("sys.argv", ["chaos", "--all-plants"])

    assert command.main() == 1
    assert [plan.plant for plan in runs] == [*PLANTS]
    assert len(PLANTS) == 10


@pytest.mark.parametrize(("deaths", "code"), [([], 0), (["notifier-0 ended by itself with 1"], 1)])
def test_a_bug_counts_as_found_only_if_the_services_ran(runs, evidence, monkeypatch, deaths, code):
    monkeypatch.setattr("sys.argv", ["chaos", "--plant", "blind_retry"])
    evidence.settled = False
    evidence.deaths = deaths

    assert command.main() == code
