"""Between the wire and the policy."""

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from daylily.scheduler.v1 import scheduler_pb2 as pb
from daylily.workset.v1 import cluster_pb2, error_reason_pb2, workset_pb2

from daylily_client.values import duration, timestamp
from daylily_scheduler.api import answers, errors
from daylily_scheduler.api.requests import claim_of
from daylily_scheduler.domain.fleet import Fleet
from daylily_scheduler.domain.model import Priority, WorksetState
from daylily_scheduler.domain.reasons import ReasonCode
from daylily_scheduler.domain.resources import Resources
from daylily_scheduler.feed.rows import cluster_of, workset_of
from daylily_scheduler.settings import SchedulerSettings
from tests.support.scheduling import NOW


def test_every_reason_has_its_code_in_the_contract():
    known = {name.removeprefix("WAIT_REASON_CODE_") for name in pb.WaitReasonCode.keys()}  # noqa: SIM118
    assert {code.name for code in ReasonCode} == known - {"UNSPECIFIED"}


def test_every_error_reason_is_in_the_contract():
    source = Path(errors.__file__).read_text()
    named = set(re.findall(r'"([A-Z]+_[A-Z_]+)"', source))
    assert named
    assert named <= {
        name.removeprefix("ERROR_REASON_")
        for name in error_reason_pb2.ErrorReason.keys()  # noqa: SIM118
    }


def test_a_workset_keeps_what_the_policy_looks_at():
    row = workset_pb2.Workset(
        workset_id="w",
        state=workset_pb2.WORKSET_STATE_LOCKED,
        priority=workset_pb2.PRIORITY_URGENT,
        requirements=workset_pb2.Requirements(
            vcpus=8,
            memory_gb=1.5,
            storage_gb=2,
            vcpu_hours=12,
            estimated_duration=duration(5400),
            preferred_instance_types=["b", "a"],
            preferred_availability_zone="z",
            preferred_cluster="c",
            max_cost_usd=9,
            sample_count=12,
            input_gb=700.5,
            input_region="us-west-2",
        ),
        pipeline="germline",
        lock=workset_pb2.Lock(token=3, acquired_at=timestamp(NOW)),
        cluster_name="c1",
        version=4,
        created_at=timestamp(NOW),
        dependencies_met=True,
    )
    workset = workset_of(row)
    assert workset.needs.amount == Resources(8, 1536, 2048, 1)
    assert workset.needs.instance_types == {"a", "b"}
    assert (workset.estimate.hours, workset.estimate.max_cost_usd) == (1.5, 9)
    assert (workset.estimate.data_gb, workset.estimate.data_region) == (700.5, "us-west-2")
    assert (workset.priority, workset.state) == (Priority.URGENT, WorksetState.LOCKED)
    assert (workset.locked, workset.version, workset.created_at) == (True, 4, NOW)
    assert workset.available_at is None
    assert (workset.pipeline, workset.sample_count, workset.locked_at) == ("germline", 12, NOW)


def test_a_cluster_that_never_reported_was_heard_from_when_it_was_registered():
    row = cluster_pb2.Cluster(
        cluster_name="c1", created_at=timestamp(NOW), report_interval=duration(30)
    )
    assert cluster_of(row).silent_at == NOW + timedelta(seconds=90)
    row.last_reported_at.CopyFrom(timestamp(NOW + timedelta(seconds=60)))
    assert cluster_of(row).silent_at == NOW + timedelta(seconds=150)


def test_what_is_overbooked_is_shown_as_nothing_free():
    row = cluster_pb2.Cluster(
        cluster_name="c1",
        capacity=cluster_pb2.Resources(vcpus=96, slots=2),
        foreign=cluster_pb2.Resources(vcpus=100),
        reserved=cluster_pb2.Resources(vcpus=8, slots=1),
    )
    status = answers.cluster_status(row, Fleet(), NOW)
    assert (status.free.vcpus, status.free.slots, status.active_worksets) == (0, 1, 1)


@pytest.mark.parametrize(
    ("asked", "remaining", "wait"),
    [(30, None, 30), (30, 60, 30), (30, 10, 9.75), (30, 0.1, 0), (0, None, 0)],
)
def test_a_claim_waits_no_longer_than_its_caller(asked, remaining, wait):
    request = pb.ClaimNextWorksetRequest(cluster_name="c1", owner_id="m1", max_wait=duration(asked))
    assert claim_of(request, remaining).max_wait == wait


def test_a_claim_without_a_request_id_gets_one_of_its_own_and_is_no_repeat():
    request = pb.ClaimNextWorksetRequest(cluster_name="c1", owner_id="m1")
    first, second = claim_of(request, None), claim_of(request, None)
    assert first.is_new
    assert second.is_new
    assert first.request_id != second.request_id
    request.request_id = "r-1"
    assert not claim_of(request, None).is_new


def test_the_settings_name_the_ports_of_the_contract(monkeypatch):
    monkeypatch.delenv("DAYLILY_PORT", raising=False)
    settings = SchedulerSettings.load()
    assert (settings.port, settings.state_address) == (50052, "127.0.0.1:50051")


def test_times_are_aware():
    row = workset_pb2.Workset(
        workset_id="w",
        state=workset_pb2.WORKSET_STATE_READY,
        created_at=timestamp(NOW),
        available_at=timestamp(NOW),
    )
    assert workset_of(row).available_at == datetime(2026, 3, 1, 12, tzinfo=UTC)
