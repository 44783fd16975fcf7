"""A workset as a row of a table, and in full."""

import json
from collections.abc import Iterator
from datetime import datetime

from daylily.workset.v1 import workset_pb2
from google.protobuf.timestamp_pb2 import Timestamp

from daylily_client.cli import words
from daylily_client.cli.output import as_json

HEADINGS = ("WORKSET", "STATE", "PRIORITY", "CUSTOMER", "CLUSTER", "TRY", "PROGRESS", ">AGE")


def row(workset: workset_pb2.Workset, now: datetime) -> tuple[str, ...]:
    """A workset in the columns of `HEADINGS`."""
    return (
        workset.workset_id,
        words.state(workset, now),
        words.word(workset_pb2.Priority, workset.priority),
        workset.customer_id or words.NOTHING,
        workset.cluster_name or words.NOTHING,
        f"{workset.attempt}/{workset.max_attempts}",
        what_goes_on(workset, now),
        words.age(workset.created_at, now),
    )


def what_goes_on(workset: workset_pb2.Workset, now: datetime) -> str:
    """Why it waits, how far it is, or what went wrong, in a few words."""
    state = workset.state
    if state == workset_pb2.WORKSET_STATE_READY:
        return _why_it_waits(workset, now)
    if state in {workset_pb2.WORKSET_STATE_LOCKED, workset_pb2.WORKSET_STATE_IN_PROGRESS}:
        return _progress(workset) or f"held by {workset.lock.owner_id}"
    if state == workset_pb2.WORKSET_STATE_ERROR:
        category = words.word(workset_pb2.ErrorCategory, workset.error_category)
        first_line = workset.error_details.partition("\n")[0]
        return f"{category}: {first_line[:80]}" if first_line else category
    return words.NOTHING


def _why_it_waits(workset: workset_pb2.Workset, now: datetime) -> str:
    if not workset.dependencies_met:
        return "waits for a dependency"
    if workset.HasField("available_at") and words.moment(workset.available_at) > now:
        return f"next try in {words.span(words.moment(workset.available_at) - now)}"
    return words.NOTHING


def _progress(workset: workset_pb2.Workset) -> str:
    if not workset.HasField("progress"):
        return ""
    percent = f" {workset.progress.percent}%" if workset.progress.percent else ""
    return f"{workset.progress.step}{percent}".strip()


def fields(workset: workset_pb2.Workset, now: datetime) -> Iterator[tuple[str, str]]:
    """A workset in full, name and text of each field."""
    yield "Workset", workset.workset_id
    yield "State", words.state(workset, now)
    yield "Waits", _why_it_waits(workset, now) if _is_ready(workset) else ""
    yield "Priority", words.word(workset_pb2.Priority, workset.priority)
    yield "Folder", f"s3://{workset.bucket}/{workset.prefix}"
    yield "Customer", workset.customer_id
    yield "Pipeline", workset.pipeline
    yield "Labels", _pairs(dict(workset.labels))
    yield "Depends on", ", ".join(workset.depends_on)
    yield "Rerun of", workset.rerun_of
    yield from _needs(workset.requirements)
    yield "Metadata", _pairs(as_json(workset.metadata))
    yield "Deadline", _time(workset.deadline, now)
    yield "Cluster", workset.cluster_name
    yield from _lock(workset, now)
    yield "Attempt", f"{workset.attempt} of {workset.max_attempts}"
    yield "Lost to infrastructure", str(workset.infrastructure_failures or "")
    yield "Available", _time(workset.available_at, now)
    yield "Progress", _progress(workset)
    yield "Says", workset.progress.message
    if workset.error_category:
        yield "Error", words.word(workset_pb2.ErrorCategory, workset.error_category)
    yield "Error details", workset.error_details
    yield "Metrics", _pairs(as_json(workset.metrics))
    yield "Created", _time(workset.created_at, now)
    yield "Updated", _time(workset.updated_at, now)
    yield "Version", str(workset.version)


def _is_ready(workset: workset_pb2.Workset) -> bool:
    return workset.state == workset_pb2.WORKSET_STATE_READY


def _needs(needs: workset_pb2.Requirements) -> Iterator[tuple[str, str]]:
    parts = (
        words.amount(needs.vcpus, "vCPUs"),
        words.amount(needs.memory_gb, "GiB memory"),
        words.amount(needs.storage_gb, "GiB storage"),
        words.amount(needs.vcpu_hours, "vCPU-hours"),
        words.count(needs.sample_count, "sample") if needs.sample_count else words.NOTHING,
    )
    yield "Needs", ", ".join(part for part in parts if part != words.NOTHING)
    if needs.HasField("estimated_duration"):
        yield "Takes", words.length(needs.estimated_duration)
    yield "Costs", words.money(needs.estimated_cost_usd)
    yield "Costs at most", words.money(needs.max_cost_usd)
    wishes = (
        *needs.preferred_instance_types,
        needs.preferred_availability_zone,
        needs.preferred_cluster,
    )
    yield "Prefers", ", ".join(filter(None, wishes))
    if needs.input_gb:
        where = f" in {needs.input_region}" if needs.input_region else ""
        yield "Reads", f"{words.amount(needs.input_gb, 'GiB')}{where}"


def _lock(workset: workset_pb2.Workset, now: datetime) -> Iterator[tuple[str, str]]:
    if workset.HasField("lock"):
        yield "Held by", workset.lock.owner_id
        yield "Lock token", str(workset.lock.token)
        yield "Held since", words.clock(workset.lock.acquired_at, now)
        yield "Lock runs out", words.clock(workset.lock.expires_at, now)


def _time(at: Timestamp, now: datetime) -> str:
    # A message that is not set reads as the beginning of 1970, when nothing of ours happened.
    return words.clock(at, now) if at.seconds else ""


def _pairs(values: dict[str, object]) -> str:
    return ", ".join(f"{key}={_plain(value)}" for key, value in sorted(values.items()))


def _plain(value: object) -> str:
    # The numbers of a Struct are doubles: 3 samples would be shown as 3.0.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
