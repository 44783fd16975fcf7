"""What every command must look like, by the paths of its fields in the contract."""

from functools import singledispatch

from daylily_state.domain import limits
from daylily_state.domain.checks import Checks
from daylily_state.domain.commands import (
    Acquire,
    DeleteCluster,
    Publish,
    PutCluster,
    PutCustomer,
    Register,
    Release,
    Renew,
    ReportCluster,
    ReportedProgress,
    ReportProgress,
    SetState,
    Update,
)
from daylily_state.domain.events import PUBLISHABLE
from daylily_state.domain.model import Amount, Preferences, Requirements
from daylily_state.domain.registering import FIELDS


@singledispatch
def check(command: object) -> None:
    """Refuses a command that is malformed, whatever the state of things.

    Raises:
        InvalidFieldError: with every field that is wrong.
    """
    raise TypeError(f"{type(command).__name__} is no command")


@check.register
def _register(command: Register) -> None:
    checks = _asked(command.request_id, command.actor)
    _workset_id(checks, command.workset_id)
    checks.bucket("bucket", command.bucket)
    _prefix(checks, command.prefix)
    checks.id("customer_id", command.customer_id, limits.NAME_BYTES, needed=False)
    checks.id("pipeline", command.pipeline, limits.NAME_BYTES, needed=False)
    checks.labels("labels", command.labels)
    checks.json_object("metadata", command.metadata, limits.METADATA_BYTES)
    _requirements(checks, command.requirements, command.preferences)
    checks.ids("depends_on", command.depends_on, limits.DEPENDENCIES)
    if command.workset_id in command.depends_on:
        checks.wrong("depends_on", "a workset cannot depend on itself")
    checks.time("deadline", command.deadline)
    checks.between("max_attempts", command.max_attempts, 1, limits.ATTEMPTS_MAX)
    checks.id("rerun_of", command.rerun_of, limits.WORKSET_ID_BYTES, needed=False)
    if command.rerun_of and command.rerun_of == command.workset_id:
        checks.wrong("rerun_of", "a rerun has an id of its own")
    checks.done()


@check.register
def _update(command: Update) -> None:
    checks = _asked(command.request_id, command.actor)
    _workset_id(checks, command.workset_id)
    if not command.fields:
        checks.wrong("update_mask", "names nothing to change")
    for name in sorted(command.fields - FIELDS):
        checks.wrong("update_mask", f"{name[:80]} cannot be updated")
    checks.labels("labels", command.labels)
    checks.json_object("metadata", command.metadata, limits.METADATA_BYTES)
    _requirements(checks, command.requirements, command.preferences)
    checks.time("deadline", command.deadline)
    checks.text("reason", command.reason, limits.REASON_BYTES)
    checks.done()


@check.register
def _acquire(command: Acquire) -> None:
    checks = _asked(command.request_id, command.actor)
    _workset_id(checks, command.workset_id)
    checks.word("owner_id", command.owner_id, limits.OWNER_BYTES)
    checks.duration("lease", command.lease, limits.LEASE_MIN, limits.LEASE_MAX)
    checks.id("cluster_name", command.cluster_name, limits.NAME_BYTES, needed=False)
    checks.text("reason", command.reason, limits.REASON_BYTES)
    checks.done()


@check.register
def _renew(command: Renew) -> None:
    checks = Checks()
    _workset_id(checks, command.workset_id)
    _lock_token(checks, command.lock_token)
    if command.lease is not None:
        checks.duration("lease", command.lease, limits.LEASE_MIN, limits.LEASE_MAX)
    if command.progress is not None:
        _progress(checks, "progress.", command.progress)
    checks.done()


@check.register
def _report_progress(command: ReportProgress) -> None:
    checks = Checks()
    _workset_id(checks, command.workset_id)
    _lock_token(checks, command.lock_token)
    _progress(checks, "", command.progress)
    if len(command.log_tail.encode()) > limits.LOG_TAIL_BYTES:
        checks.wrong("log_tail", f"longer than {limits.LOG_TAIL_BYTES} bytes")
    checks.done()


@check.register
def _release(command: Release) -> None:
    checks = _asked(command.request_id, command.actor)
    _workset_id(checks, command.workset_id)
    checks.text("reason", command.reason, limits.REASON_BYTES)
    checks.done()


@check.register
def _set_state(command: SetState) -> None:
    checks = _asked(command.request_id, command.actor)
    _workset_id(checks, command.workset_id)
    checks.text("reason", command.reason, limits.REASON_BYTES)
    if len(command.error_details.encode()) > limits.ERROR_DETAILS_BYTES:
        checks.wrong("error_details", f"longer than {limits.ERROR_DETAILS_BYTES} bytes")
    checks.json_object("metrics", command.metrics, limits.METRICS_BYTES)
    checks.id("cluster_name", command.cluster_name, limits.NAME_BYTES, needed=False)
    checks.done()


@check.register
def _publish(command: Publish) -> None:
    checks = _asked(command.request_id, command.actor)
    checks.id("subject.id", command.subject_id, limits.SUBJECT_ID_BYTES)
    if command.type not in PUBLISHABLE:
        checks.wrong("type", f"{command.type.name} is made by a command, not published")
    checks.text("reason", command.reason, limits.REASON_BYTES)
    checks.id("customer_id", command.customer_id, limits.NAME_BYTES, needed=False)
    checks.id("cluster_name", command.cluster_name, limits.NAME_BYTES, needed=False)
    checks.labels("labels", command.labels)
    if len(command.error_details.encode()) > limits.ERROR_DETAILS_BYTES:
        checks.wrong("error_details", f"longer than {limits.ERROR_DETAILS_BYTES} bytes")
    checks.json_object("details", command.details, limits.EVENT_DETAILS_BYTES)
    checks.done()


@check.register
def _put_cluster(command: PutCluster) -> None:
    checks = _asked(command.request_id, command.actor)
    checks.id("cluster_name", command.cluster_name, limits.NAME_BYTES)
    checks.id("region", command.region, limits.ZONE_BYTES, needed=False)
    checks.id("availability_zone", command.availability_zone, limits.ZONE_BYTES, needed=False)
    checks.words(
        "instance_types",
        command.instance_types,
        limits.CLUSTER_INSTANCE_TYPES,
        limits.INSTANCE_TYPE_BYTES,
    )
    _amount(checks, "capacity", command.capacity)
    for name in ("vcpus", "memory_mb", "slots"):
        if getattr(command.capacity, name) == 0:
            checks.wrong(f"capacity.{name.replace('_mb', '_gb')}", "is missing")
    checks.between("price_per_vcpu_hour_usd", command.price_per_vcpu_hour, 0, 10_000)
    checks.between("fixed_cost_per_hour_usd", command.fixed_cost_per_hour, 0, 1_000_000)
    checks.duration(
        "report_interval",
        command.report_interval,
        limits.CLAIM_LEASE_MIN,
        limits.REPORT_INTERVAL_MAX,
    )
    checks.done()


@check.register
def _report_cluster(command: ReportCluster) -> None:
    checks = _asked("", command.actor)
    checks.id("cluster_name", command.cluster_name, limits.NAME_BYTES)
    _amount(checks, "foreign", command.foreign)
    _amount(checks, "broken", command.broken)
    checks.done()


@check.register
def _delete_cluster(command: DeleteCluster) -> None:
    checks = _asked(command.request_id, command.actor)
    checks.id("cluster_name", command.cluster_name, limits.NAME_BYTES)
    checks.done()


@check.register
def _put_customer(command: PutCustomer) -> None:
    checks = _asked(command.request_id, command.actor)
    checks.id("customer_id", command.customer_id, limits.NAME_BYTES)
    checks.between("max_concurrent", command.max_concurrent, 0, limits.SLOTS_MAX)
    checks.between("weight", command.weight, 0.001, 1000)
    checks.between("budget_usd", command.budget_cents / 100, 0, limits.BUDGET_CENTS_MAX / 100)
    checks.done()


def _asked(request_id: str, actor: str) -> Checks:
    checks = Checks()
    checks.word("request_id", request_id, limits.REQUEST_ID_BYTES, needed=False)
    checks.word("actor", actor, limits.ACTOR_BYTES, needed=False)
    return checks


def _workset_id(checks: Checks, value: str) -> None:
    checks.id("workset_id", value, limits.WORKSET_ID_BYTES)


def _lock_token(checks: Checks, value: int) -> None:
    if not value:
        checks.wrong("lock_token", "is missing")


def _prefix(checks: Checks, value: str) -> None:
    if not value:
        checks.wrong("prefix", "is missing")
        return
    checks.text("prefix", value, limits.PREFIX_BYTES)
    if not value.endswith("/"):
        checks.wrong("prefix", "does not end with /")


def _progress(checks: Checks, path: str, progress: ReportedProgress) -> None:
    checks.text(f"{path}step", progress.step, limits.STEP_BYTES)
    checks.between(f"{path}percent", progress.percent, 0, 100)
    checks.text(f"{path}message", progress.message, limits.MESSAGE_BYTES)


def _requirements(checks: Checks, wanted: Requirements, wishes: Preferences) -> None:
    path = "requirements"
    checks.between(f"{path}.vcpus", wanted.vcpus, 0, limits.VCPUS_MAX)
    checks.between(f"{path}.memory_gb", wanted.memory_mb / 1024, 0, limits.MEMORY_MB_MAX / 1024)
    checks.between(f"{path}.storage_gb", wanted.storage_mb / 1024, 0, limits.STORAGE_MB_MAX / 1024)
    checks.between(f"{path}.vcpu_hours", wanted.vcpu_hours, 0, limits.VCPU_HOURS_MAX)
    checks.between(
        f"{path}.estimated_cost_usd", wanted.estimated_cost_cents / 100, 0, limits.CENTS_MAX / 100
    )
    checks.between(f"{path}.max_cost_usd", wanted.max_cost_cents / 100, 0, limits.CENTS_MAX / 100)
    checks.between(f"{path}.sample_count", wanted.sample_count, 0, limits.SAMPLES_MAX)
    checks.duration(
        f"{path}.estimated_duration",
        wanted.estimated_duration,
        limits.DURATION_MAX * 0,
        limits.DURATION_MAX,
    )
    checks.words(
        f"{path}.preferred_instance_types",
        wishes.instance_types,
        limits.INSTANCE_TYPES,
        limits.INSTANCE_TYPE_BYTES,
    )
    checks.id(
        f"{path}.preferred_availability_zone",
        wishes.availability_zone,
        limits.ZONE_BYTES,
        needed=False,
    )
    checks.id(f"{path}.preferred_cluster", wishes.cluster_name, limits.NAME_BYTES, needed=False)
    checks.between(f"{path}.input_gb", wishes.input_gb, 0, limits.STORAGE_MB_MAX / 1024)
    checks.id(f"{path}.input_region", wishes.input_region, limits.ZONE_BYTES, needed=False)


def _amount(checks: Checks, path: str, amount: Amount) -> None:
    checks.between(f"{path}.vcpus", amount.vcpus, 0, limits.VCPUS_MAX)
    checks.between(f"{path}.memory_gb", amount.memory_mb / 1024, 0, limits.MEMORY_MB_MAX / 1024)
    checks.between(f"{path}.storage_gb", amount.storage_mb / 1024, 0, limits.STORAGE_MB_MAX / 1024)
    checks.between(f"{path}.slots", amount.slots, 0, limits.SLOTS_MAX)
