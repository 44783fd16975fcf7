from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from daylily_state.domain.commands import (
    Acquire,
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
from daylily_state.domain.errors import InvalidFieldError
from daylily_state.domain.events import EventType
from daylily_state.domain.model import (
    Amount,
    Preferences,
    Requirements,
    SubjectKind,
    WorksetState,
)
from daylily_state.domain.validation import check

REGISTER = Register(workset_id="ws-1", bucket="lab", prefix="runs/ws-1/")
ACQUIRE = Acquire(workset_id="ws-1", owner_id="monitor@headnode-1")
UPDATE = Update(workset_id="ws-1", fields=frozenset({"labels"}))
SET_STATE = SetState(workset_id="ws-1", state=WorksetState.ERROR)
PUBLISH = Publish(subject_kind=SubjectKind.SYSTEM, subject_id="queue", type=EventType.QUEUE_BACKLOG)
CLUSTER = PutCluster(cluster_name="c1", capacity=Amount(192, 1_500_000, 0, 4))
PROGRESS = ReportProgress(workset_id="ws-1", lock_token=1, progress=ReportedProgress())


def wrong_fields(command) -> list[str]:
    try:
        check(command)
    except InvalidFieldError as refusal:
        return [violation.field for violation in refusal.violations]
    return []


@pytest.mark.parametrize(
    "command",
    [
        REGISTER,
        ACQUIRE,
        UPDATE,
        SET_STATE,
        PUBLISH,
        CLUSTER,
        PROGRESS,
        Release(workset_id="ws-1", lock_token=0),
        Renew(workset_id="ws-1", lock_token=1),
        ReportCluster(cluster_name="c1", foreign=Amount(), broken=Amount()),
        PutCustomer(customer_id="acme"),
        replace(REGISTER, labels={"sample/run": "R0 HG002"}, rerun_of="ws-0:1.2_3"),
        replace(ACQUIRE, lease=timedelta(hours=24)),
    ],
    ids=lambda command: type(command).__name__,
)
def test_what_is_well_formed_passes(command) -> None:
    assert wrong_fields(command) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"workset_id": ""}, "workset_id"),
        ({"workset_id": "-ws"}, "workset_id"),
        ({"workset_id": "ws 1"}, "workset_id"),
        ({"workset_id": "ws-1\n"}, "workset_id"),
        ({"workset_id": "w" * 129}, "workset_id"),
        ({"workset_id": "ws-ä"}, "workset_id"),
        ({"bucket": ""}, "bucket"),
        ({"bucket": "a/b"}, "bucket"),
        ({"prefix": ""}, "prefix"),
        ({"prefix": "runs/ws-1"}, "prefix"),
        ({"prefix": "runs/\0/"}, "prefix"),
        ({"prefix": "x" * 1024 + "/"}, "prefix"),
        ({"customer_id": "c" * 65}, "customer_id"),
        ({"pipeline": "germ line"}, "pipeline"),
        ({"labels": {f"k{n}": "" for n in range(17)}}, "labels"),
        ({"labels": {"k" * 64: ""}}, f"labels.{'k' * 64}"),
        ({"labels": {"run": "v" * 64}}, "labels.run"),
        ({"metadata": '{"a":"%s"}' % ("x" * 262_144)}, "metadata"),
        ({"metadata": "[]"}, "metadata"),
        ({"requirements": Requirements(vcpus=-1)}, "requirements.vcpus"),
        ({"requirements": Requirements(vcpus=100_001)}, "requirements.vcpus"),
        ({"requirements": Requirements(sample_count=100_001)}, "requirements.sample_count"),
        ({"requirements": Requirements(memory_mb=-1)}, "requirements.memory_gb"),
        ({"requirements": Requirements(storage_mb=-1)}, "requirements.storage_gb"),
        ({"requirements": Requirements(vcpu_hours=float("nan"))}, "requirements.vcpu_hours"),
        (
            {"requirements": Requirements(estimated_cost_cents=-1)},
            "requirements.estimated_cost_usd",
        ),
        ({"requirements": Requirements(max_cost_cents=10**12)}, "requirements.max_cost_usd"),
        (
            {"requirements": Requirements(estimated_duration=timedelta(seconds=-1))},
            "requirements.estimated_duration",
        ),
        (
            {"preferences": Preferences(instance_types=("m7i",) * 17)},
            "requirements.preferred_instance_types",
        ),
        (
            {"preferences": Preferences(instance_types=("m7i", "m 7i"))},
            "requirements.preferred_instance_types[1]",
        ),
        (
            {"preferences": Preferences(availability_zone="us west")},
            "requirements.preferred_availability_zone",
        ),
        ({"preferences": Preferences(cluster_name="?")}, "requirements.preferred_cluster"),
        ({"preferences": Preferences(input_gb=-1)}, "requirements.input_gb"),
        ({"preferences": Preferences(input_gb=float("nan"))}, "requirements.input_gb"),
        ({"preferences": Preferences(input_region="us west")}, "requirements.input_region"),
        ({"depends_on": tuple(f"w{n}" for n in range(101))}, "depends_on"),
        ({"depends_on": ("ws-0", "ws-0")}, "depends_on"),
        ({"depends_on": ("ws-1",)}, "depends_on"),
        ({"depends_on": ("ws-0", "?")}, "depends_on[1]"),
        ({"deadline": datetime(1970, 1, 1, tzinfo=UTC)}, "deadline"),
        ({"max_attempts": 0}, "max_attempts"),
        ({"max_attempts": 101}, "max_attempts"),
        ({"rerun_of": "ws-1"}, "rerun_of"),
        ({"request_id": "r" * 65}, "request_id"),
        ({"request_id": "r 1"}, "request_id"),
    ],
)
def test_a_wrong_field_of_a_registration_is_named(changes, field) -> None:
    assert wrong_fields(replace(REGISTER, **changes)) == [field]


@pytest.mark.parametrize(
    ("command", "field"),
    [
        (replace(ACQUIRE, owner_id=""), "owner_id"),
        (replace(ACQUIRE, owner_id="o" * 129), "owner_id"),
        (replace(ACQUIRE, lease=timedelta(seconds=9)), "lease"),
        (replace(ACQUIRE, lease=timedelta(hours=24, seconds=1)), "lease"),
        (replace(ACQUIRE, cluster_name="c 1"), "cluster_name"),
        (replace(ACQUIRE, reason="x" * 257), "reason"),
        (Renew(workset_id="ws-1", lock_token=0), "lock_token"),
        (Renew(workset_id="ws-1", lock_token=1, lease=timedelta(0)), "lease"),
        (
            Renew(workset_id="ws-1", lock_token=1, progress=ReportedProgress(percent=101)),
            "progress.percent",
        ),
        (replace(PROGRESS, progress=ReportedProgress(step="s" * 65)), "step"),
        (replace(PROGRESS, progress=ReportedProgress(message="m" * 129)), "message"),
        (replace(PROGRESS, log_tail="l" * 16_385), "log_tail"),
        (replace(UPDATE, fields=frozenset()), "update_mask"),
        (replace(UPDATE, fields=frozenset({"state"})), "update_mask"),
        (replace(SET_STATE, error_details="e" * 16_385), "error_details"),
        (replace(SET_STATE, metrics='{"a":"%s"}' % ("x" * 65_536)), "metrics"),
        (replace(PUBLISH, type=EventType.COMPLETED), "type"),
        (replace(PUBLISH, subject_id=""), "subject.id"),
        (replace(PUBLISH, details='{"a":"%s"}' % ("x" * 256)), "details"),
        (replace(CLUSTER, capacity=Amount(1, 1, 0, 0)), "capacity.slots"),
        (replace(CLUSTER, capacity=Amount(1, 0, 0, 1)), "capacity.memory_gb"),
        (replace(CLUSTER, price_per_vcpu_hour=float("inf")), "price_per_vcpu_hour_usd"),
        (replace(CLUSTER, report_interval=timedelta(0)), "report_interval"),
        (
            ReportCluster(cluster_name="c1", foreign=Amount(vcpus=-1), broken=Amount()),
            "foreign.vcpus",
        ),
        (PutCustomer(customer_id="acme", weight=0), "weight"),
        (PutCustomer(customer_id="acme", budget_cents=-1), "budget_usd"),
    ],
)
def test_a_wrong_field_is_named_as_in_the_contract(command, field) -> None:
    assert wrong_fields(command) == [field]


def test_everything_that_is_wrong_is_said_at_once() -> None:
    bad = Register(workset_id="?", bucket="", prefix="x", max_attempts=0)
    assert wrong_fields(bad) == ["workset_id", "bucket", "prefix", "max_attempts"]


def test_the_refusal_reads_as_a_sentence() -> None:
    with pytest.raises(InvalidFieldError, match=r"^max_attempts: not between 1 and 100$"):
        check(replace(REGISTER, max_attempts=0))
