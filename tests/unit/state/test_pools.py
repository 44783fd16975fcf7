from datetime import timedelta

import pytest

from daylily_state.domain import pools, publishing
from daylily_state.domain.commands import (
    DeleteCluster,
    Publish,
    PutCluster,
    PutCustomer,
    ReportCluster,
)
from daylily_state.domain.errors import (
    ClusterInUseError,
    ClusterNotFoundError,
    VersionMismatchError,
    WorksetNotFoundError,
)
from daylily_state.domain.events import EventType
from daylily_state.domain.model import Amount, ClusterState, SubjectKind
from tests.unit.state.given import NOW, cluster, customer, moment, running

PUT = PutCluster(cluster_name="c1", capacity=Amount(96, 1000, 0, 2), region="us-west-2")


def test_a_new_cluster_begins_at_version_one() -> None:
    commit = pools.put_cluster(None, PUT, moment())
    assert commit.cluster.before is None
    assert commit.cluster.after.version == commit.event.version == 1
    assert commit.event.type is EventType.CLUSTER_REGISTERED
    assert commit.event.cluster_name == "c1"


def test_putting_again_keeps_reports_and_reservations() -> None:
    known = cluster(foreign=Amount(5), reserved=Amount(96), last_reported_at=NOW)
    after = pools.put_cluster(known, PUT, moment()).cluster.after
    assert after.capacity == PUT.capacity
    assert (after.foreign, after.reserved) == (Amount(5), Amount(96))
    assert after.last_reported_at == NOW
    assert after.version == 4


def test_draining_is_an_event_of_its_own() -> None:
    command = PutCluster(
        cluster_name="c1", capacity=Amount(96, 1000, 0, 2), state=ClusterState.DRAINING
    )
    commit = pools.put_cluster(cluster(), command, moment())
    assert commit.event.type is EventType.CLUSTER_DRAINING


def test_a_removed_cluster_that_comes_back_goes_on_with_its_version() -> None:
    gone = cluster(removed=True, version=7, foreign=Amount(5), last_reported_at=NOW)
    later = NOW + timedelta(days=1)
    after = pools.put_cluster(gone, PUT, moment(later)).cluster.after
    assert after.version == 8
    assert after.created_at == later
    assert after.foreign == Amount()
    assert after.last_reported_at is None


def test_a_report_raises_the_version_that_guards_reservations() -> None:
    command = ReportCluster(cluster_name="c1", foreign=Amount(8), broken=Amount(16))
    commit = pools.report_cluster(cluster(), command, moment())
    after = commit.cluster.after
    assert (after.foreign, after.broken, after.version) == (Amount(8), Amount(16), 4)
    assert after.last_reported_at == NOW
    assert commit.event.type is EventType.CLUSTER_REPORTED


def test_unknown_and_removed_clusters_cannot_be_reported_or_removed() -> None:
    report = ReportCluster(cluster_name="c1", foreign=Amount(), broken=Amount())
    for gone in (None, cluster(removed=True)):
        with pytest.raises(ClusterNotFoundError):
            pools.report_cluster(gone, report, moment())
        with pytest.raises(ClusterNotFoundError):
            pools.delete_cluster(gone, DeleteCluster(cluster_name="c1"), moment())


def test_a_cluster_in_use_stays_and_an_idle_one_goes_only_while_idle() -> None:
    command = DeleteCluster(cluster_name="c1")
    with pytest.raises(ClusterInUseError) as refusal:
        pools.delete_cluster(cluster(reserved=Amount(slots=2)), command, moment())
    assert refusal.value.metadata["slots"] == "2"
    commit = pools.delete_cluster(cluster(), command, moment())
    assert commit.cluster.when_idle
    assert commit.cluster.after.removed


def test_a_customer_keeps_its_use_when_its_limits_change() -> None:
    known = customer(running=1, committed_cents=500, spent_cents=200)
    command = PutCustomer(customer_id="acme", max_concurrent=9, budget_cents=1)
    commit = pools.put_customer(known, command, moment())
    after = commit.customer.after
    assert (after.max_concurrent, after.budget_cents, after.version) == (9, 1, 3)
    assert (after.running, after.committed_cents, after.spent_cents) == (1, 500, 200)
    assert commit.customer.forget_spent_cents is None


def test_a_budget_begun_anew_forgets_what_was_spent_and_not_what_runs() -> None:
    known = customer(committed_cents=500, spent_cents=200)
    command = PutCustomer(customer_id="acme", reset_spent=True)
    commit = pools.put_customer(known, command, moment())
    assert commit.customer.forget_spent_cents == 200
    assert commit.customer.after.reserved_cents == 300
    assert commit.customer.after.spent_cents == 0


def test_a_put_meant_for_another_version_is_refused() -> None:
    with pytest.raises(VersionMismatchError):
        pools.put_customer(
            customer(), PutCustomer(customer_id="acme", expected_version=9), moment()
        )
    with pytest.raises(VersionMismatchError):
        pools.put_cluster(
            None,
            PutCluster(cluster_name="c1", capacity=Amount(), expected_version=1),
            moment(),
        )


# --- published events ---


def published(kind, subject_id, subject, event_type=EventType.EXTERNAL, **fields):
    command = Publish(subject_kind=kind, subject_id=subject_id, type=event_type, **fields)
    return publishing.publish(subject, command, moment())


def test_an_event_on_a_workset_counts_in_its_version_and_leaves_its_state() -> None:
    commit = published(
        SubjectKind.WORKSET, "ws-1", running(), EventType.DEADLINE_AT_RISK, details='{"slack":5}'
    )
    assert commit.workset.after.version == commit.event.version == 4
    assert commit.event.from_state is commit.event.to_state is running().state
    assert commit.event.details == {"slack": 5}
    with pytest.raises(WorksetNotFoundError):
        published(SubjectKind.WORKSET, "ws-9", None)


def test_an_event_on_a_cluster_or_customer_counts_in_its_version() -> None:
    silent = published(SubjectKind.CLUSTER, "c1", cluster(), EventType.CLUSTER_SILENT)
    assert silent.cluster.after.version == silent.event.version == 4
    assert silent.event.cluster_name == "c1"
    warned = published(SubjectKind.CUSTOMER, "acme", customer(), EventType.BUDGET_WARNING)
    assert warned.customer.after.version == warned.event.version == 3
    assert warned.event.customer_id == "acme"


def test_an_event_on_a_subject_without_record_stands_alone() -> None:
    commit = published(SubjectKind.SYSTEM, "queue", None, EventType.QUEUE_BACKLOG)
    assert commit.event.version == 0
    assert (commit.workset, commit.cluster, commit.customer) == (None, None, None)
