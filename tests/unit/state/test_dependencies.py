from dataclasses import replace

import pytest

from daylily_state.domain import dependencies, registering
from daylily_state.domain.commands import Register, SetState, Update
from daylily_state.domain.errors import (
    DependencyNotFoundError,
    IllegalTransitionError,
    VersionMismatchError,
    WorksetExistsError,
)
from daylily_state.domain.events import EventType
from daylily_state.domain.model import (
    Preferences,
    Priority,
    Requirements,
    WorksetState,
)
from tests.unit.state.given import DETAILS, after, moment, move, ready, running

REGISTER = Register(
    workset_id="ws-1", bucket="lab", prefix="p/", depends_on=("ws-0",), metadata='{"a":1}'
)
DONE = ready(workset_id="ws-0", state=WorksetState.COMPLETE)
FAILED = ready(workset_id="ws-0", state=WorksetState.ERROR)
WITH = replace(DETAILS, depends_on=("ws-0",))


def register(existing=None, dependencies=None, command=REGISTER):
    return registering.register(existing, dependencies or {}, command, moment())


def test_a_dependency_must_exist() -> None:
    with pytest.raises(DependencyNotFoundError) as refusal:
        register()
    assert refusal.value.metadata == {"dependency": "ws-0"}


def test_a_workset_whose_dependencies_are_complete_can_start_at_once() -> None:
    assert after(register(dependencies={"ws-0": DONE})).dependencies_met


def test_a_workset_with_an_open_dependency_waits_and_its_event_says_so() -> None:
    commit = register(dependencies={"ws-0": FAILED})
    assert after(commit).waits
    assert dependencies.starts_waiting(commit.event)
    assert commit.metadata == '{"a":1}'
    assert commit.details.depends_on == ("ws-0",)


def test_an_id_is_never_used_twice() -> None:
    with pytest.raises(WorksetExistsError):
        register(existing=ready(state=WorksetState.COMPLETE))


def test_the_end_of_the_last_dependency_is_said_once() -> None:
    waiting = ready(dependencies_met=False)
    commit = dependencies.report_met(waiting, WITH, {"ws-0": DONE}, moment())
    assert commit.event.type is EventType.DEPENDENCY_MET
    assert after(commit).dependencies_met
    assert dependencies.report_met(after(commit), WITH, {"ws-0": DONE}, moment()) is None
    assert dependencies.report_met(waiting, WITH, {"ws-0": FAILED}, moment()) is None


def test_a_failed_dependency_is_an_event_and_a_reason() -> None:
    waiting = ready(dependencies_met=False)
    commit = dependencies.report_failure(waiting, WITH, FAILED, moment())
    assert commit.event.type is EventType.DEPENDENCY_FAILED
    assert commit.event.reason == "dependency ws-0 is ERROR"
    assert commit.event.details["dependency"] == "ws-0"
    assert commit.event.request_id == dependencies.failure_request_id(FAILED)
    assert dependencies.report_failure(ready(), WITH, FAILED, moment()) is None
    assert dependencies.report_failure(waiting, WITH, DONE, moment()) is None


@pytest.mark.parametrize("state", [WorksetState.IGNORED, WorksetState.COMPLETE])
def test_the_ends_that_matter_to_dependents_are_seen(state) -> None:
    token = 0 if state is WorksetState.IGNORED else 1
    event = move(running(), SetState(workset_id="ws-1", state=state, lock_token=token)).event
    assert dependencies.ends_a_dependency(event)


def test_an_update_of_an_ended_workset_is_no_end() -> None:
    event = update(ready(state=WorksetState.ERROR), frozenset({"labels"})).event
    assert not dependencies.ends_a_dependency(event)


# --- updates ---


def update(workset, fields, **values):
    command = Update(workset_id="ws-1", fields=fields, **values)
    return registering.update(workset, DETAILS, command, moment())


def test_only_the_named_fields_are_set() -> None:
    needs = Requirements(vcpus=8)
    commit = update(
        ready(requirements=needs),
        frozenset({"priority"}),
        priority=Priority.LOW,
        requirements=Requirements(vcpus=99),
        labels={"x": "y"},
    )
    assert after(commit).priority is Priority.LOW
    assert after(commit).requirements == needs
    assert (commit.details, commit.metadata) == (None, None)
    assert commit.event.details == {"fields": ["priority"], "from_priority": "NORMAL"}


def test_wishes_are_part_of_the_requirements() -> None:
    wishes = Preferences(cluster_name="c1")
    commit = update(ready(), frozenset({"requirements"}), preferences=wishes)
    assert commit.details.preferences == wishes


def test_a_complete_workset_takes_labels_and_metadata_only() -> None:
    complete = ready(state=WorksetState.COMPLETE)
    commit = update(complete, frozenset({"labels", "metadata"}), labels={"a": "b"})
    assert commit.details.labels == {"a": "b"}
    assert commit.metadata == "{}"
    with pytest.raises(IllegalTransitionError):
        update(complete, frozenset({"labels", "priority"}))


def test_an_update_meant_for_another_version_is_refused() -> None:
    with pytest.raises(VersionMismatchError):
        update(ready(), frozenset({"labels"}), expected_version=2)
