"""What becomes of a workset when those that it depends on end.

State's own resolver follows the feed and decides these; it may see an event twice.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from daylily_state.domain.commit import Commit
from daylily_state.domain.events import ACTOR_STATE, Event, EventType
from daylily_state.domain.model import Details, Workset, WorksetState
from daylily_state.domain.moment import Asked, Moment, Note, commit_workset
from daylily_state.domain.registering import all_complete

FAILED_STATES: Final = frozenset({WorksetState.ERROR, WorksetState.IGNORED})


def ends_a_dependency(event: Event) -> bool:
    """Whether worksets that depend on the event's subject may have to be told of it."""
    return event.from_state is not event.to_state and (
        event.to_state is WorksetState.COMPLETE or event.to_state in FAILED_STATES
    )


def starts_waiting(event: Event) -> bool:
    """Whether the event is of a workset that was registered with dependencies not met.

    They are looked at once more then: one may have ended between the check and the registration,
    or long before.
    """
    return event.type is EventType.REGISTERED and event.details.get("dependencies_met") is False


def report_met(
    workset: Workset, details: Details, dependencies: Mapping[str, Workset], moment: Moment
) -> Commit | None:
    """Says that all dependencies are met; None when they are not, or when it was said before."""
    if workset.dependencies_met or workset.state is WorksetState.COMPLETE:
        return None
    if not all_complete(dependencies[key] for key in details.depends_on):
        return None
    return commit_workset(
        workset,
        replace(workset, dependencies_met=True),
        details.labels,
        Note(type=EventType.DEPENDENCY_MET, asked=Asked(actor=ACTOR_STATE)),
        moment,
    )


def report_failure(
    workset: Workset, details: Details, dependency: Workset, moment: Moment
) -> Commit | None:
    """Says that a dependency ended in ERROR or IGNORED; None when that is of no concern.

    The request id names the dependency's version, so that the failure is said once however often
    the resolver sees it.
    """
    waiting = workset.state is WorksetState.READY and not workset.dependencies_met
    if not waiting or dependency.state not in FAILED_STATES:
        return None
    ask = Asked(
        actor=ACTOR_STATE,
        request_id=failure_request_id(dependency),
        reason=f"dependency {dependency.workset_id} is {dependency.state.name}",
    )
    facts: dict[str, object] = {
        "dependency": dependency.workset_id,
        "state": dependency.state.name,
    }
    note = Note(type=EventType.DEPENDENCY_FAILED, asked=ask, details=facts)
    return commit_workset(workset, workset, details.labels, note, moment)


def failure_request_id(dependency: Workset) -> str:
    """The request id under which a dependency's failure is reported: its place in the feed."""
    return f"dependency:{dependency.lane}:{dependency.last_seq}"
