"""Registering a workset, and changing what it says of itself."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import replace

from daylily_state.domain import limits, transitions
from daylily_state.domain.commands import Register, Update
from daylily_state.domain.commit import Commit
from daylily_state.domain.errors import (
    DependencyNotFoundError,
    WorksetExistsError,
    WorksetNotFoundError,
)
from daylily_state.domain.events import EventType
from daylily_state.domain.model import (
    Details,
    Preferences,
    Requirements,
    SubjectKind,
    Workset,
    WorksetState,
    lane_of,
)
from daylily_state.domain.moment import Moment, Note, asked, check_version, commit_workset

# What UpdateWorkset may name, and what of it a COMPLETE workset still takes.
FIELDS = frozenset({"priority", "metadata", "requirements", "deadline", "labels"})
FIELDS_WHEN_COMPLETE = frozenset({"metadata", "labels"})


def register(
    existing: Workset | None,
    dependencies: Mapping[str, Workset],
    command: Register,
    moment: Moment,
) -> Commit:
    """Registers a workset. `dependencies` are those of `depends_on` that exist.

    Raises:
        WorksetExistsError: the id is taken.
        DependencyNotFoundError: a dependency is not registered.
    """
    if existing is not None:
        raise WorksetExistsError(workset_id=command.workset_id)
    check_dependencies(command.depends_on, dependencies)
    workset = Workset(
        workset_id=command.workset_id,
        lane=lane_of(SubjectKind.WORKSET, command.workset_id),
        state=WorksetState.READY,
        priority=command.priority,
        customer_id=command.customer_id,
        pipeline=command.pipeline,
        cluster_name="",
        lock=None,
        last_token=0,
        attempt=0,
        max_attempts=command.max_attempts,
        failures=0,
        infra_failures=0,
        available_at=None,
        deadline=command.deadline,
        dependencies_met=all_complete(dependencies[key] for key in command.depends_on),
        progress=None,
        failure=None,
        requirements=_with_samples(command),
        reservation=None,
        created_at=moment.now,
        updated_at=moment.now,
        version=0,
        last_seq=0,
        recent_requests=(),
    )
    details = Details(
        bucket=command.bucket,
        prefix=command.prefix,
        labels=command.labels,
        depends_on=command.depends_on,
        preferences=command.preferences,
        rerun_of=command.rerun_of,
    )
    return commit_workset(
        None,
        workset,
        details.labels,
        Note(type=EventType.REGISTERED, asked=asked(command)),
        moment,
        details=details,
        metadata=command.metadata if command.metadata != "{}" else None,
    )


def check_dependencies(depends_on: Iterable[str], found: Mapping[str, Workset]) -> None:
    """Refuses dependencies that do not exist. Those that do are there for ever.

    Raises:
        DependencyNotFoundError: naming the first that is not registered.
    """
    for dependency in depends_on:
        if dependency not in found:
            raise DependencyNotFoundError(dependency=dependency)


def update(workset: Workset | None, details: Details, command: Update, moment: Moment) -> Commit:
    """Sets the named fields whole.

    Raises:
        WorksetNotFoundError: no workset has the id.
        VersionMismatchError: it is not the version that the caller read.
        IllegalTransitionError: a COMPLETE workset takes labels and metadata only.
    """
    if workset is None:
        raise WorksetNotFoundError(workset_id=command.workset_id)
    check_version(command.expected_version, workset.version)
    named = command.fields
    if workset.state is WorksetState.COMPLETE and named - FIELDS_WHEN_COMPLETE:
        raise transitions.illegal(workset, workset.state)
    after = replace(
        workset,
        priority=command.priority if "priority" in named else workset.priority,
        deadline=command.deadline if "deadline" in named else workset.deadline,
        requirements=_with_wishes(command) if "requirements" in named else workset.requirements,
    )
    new_details = replace(
        details,
        labels=command.labels if "labels" in named else details.labels,
        preferences=command.preferences if "requirements" in named else details.preferences,
    )
    return commit_workset(
        workset,
        after,
        new_details.labels,
        Note(
            type=EventType.UPDATED,
            asked=asked(command),
            details={"fields": sorted(named)},
        ),
        moment,
        details=new_details if new_details != details else None,
        metadata=command.metadata if "metadata" in named else None,
    )


def _with_wishes(command: Register | Update) -> Requirements:
    return replace(command.requirements, has_wishes=command.preferences != Preferences())


def _with_samples(command: Register) -> Requirements:
    """The requirements, with the number of samples from the metadata where they do not state it."""
    wanted = _with_wishes(command)
    if wanted.sample_count or '"sample_count"' not in command.metadata:
        return wanted
    stated = json.loads(command.metadata).get("sample_count")
    is_number = isinstance(stated, int | float) and not isinstance(stated, bool)
    if not is_number or not 0 < stated <= limits.SAMPLES_MAX or stated != int(stated):
        # Metadata is free-form: something else may go by this name.
        return wanted
    return replace(wanted, sample_count=int(stated))


def all_complete(worksets: Iterable[Workset]) -> bool:
    """Whether every one of these worksets is COMPLETE."""
    return all(workset.state is WorksetState.COMPLETE for workset in worksets)
