"""State's metrics, read back from both places after a sequence of calls whose numbers are known."""

import re
import urllib.request
from datetime import UTC, datetime, timedelta

import pytest
from daylily.workset.v1 import workset_pb2

from daylily_client import AsyncStateClient, LockHeld, WorksetNotFound
from daylily_runtime import running
from daylily_state.build import state_server
from daylily_state.domain.commit import Clash, Conflict
from daylily_state.settings import StateSettings
from daylily_state.store.sqlite import SqliteStore

IN_PROGRESS = workset_pb2.WORKSET_STATE_IN_PROGRESS
COMPLETE = workset_pb2.WORKSET_STATE_COMPLETE
URGENT = workset_pb2.PRIORITY_URGENT
NAMESPACE = "Daylily/WorksetMonitor"


def scraped(port):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
        text = page.read().decode()
    return {
        (name, frozenset(re.findall(r'(\w+)="([^"]*)"', labels or ""))): float(value)
        for name, labels, value in re.findall(
            r"^daylily_(\w+)(?:\{([^}]*)\})? (\S+)$", text, flags=re.MULTILINE
        )
    }


def sent(cloudwatch, name, statistic="Sum"):
    """What CloudWatch has of a metric, by the values of its dimensions."""
    now = datetime.now(UTC)
    found = {}
    for metric in cloudwatch.list_metrics(Namespace=NAMESPACE, MetricName=name)["Metrics"]:
        points = cloudwatch.get_metric_statistics(
            Namespace=NAMESPACE,
            MetricName=name,
            Dimensions=metric["Dimensions"],
            StartTime=now - timedelta(hours=1),
            EndTime=now + timedelta(hours=1),
            Period=7200,
            Statistics=[statistic],
        )["Datapoints"]
        dimensions = {item["Name"]: item["Value"] for item in metric["Dimensions"]}
        if value := sum(point[statistic] for point in points):
            found[dimensions["state"], dimensions["priority"]] = value
    return found


async def test_transitions_locks_runs_and_depth_are_right_in_prometheus_and_cloudwatch(
    tmp_path, empty_aws, monkeypatch
):
    for variable, value in empty_aws.environment.items():
        monkeypatch.setenv(variable, value)
    settings = StateSettings.load(
        port=0, sqlite_path=tmp_path / "s.db", metrics_port=0, cloudwatch_namespace=NAMESPACE
    )
    server = state_server(settings)
    async with running(server), AsyncStateClient(server.address) as state:
        for name in ("ws-1", "ws-2", "ws-3"):
            await state.register_workset(workset_id=name, bucket="lab", prefix=f"{name}/")
        await state.register_workset(workset_id="u", bucket="lab", prefix="u/", priority=URGENT)
        token = (await state.acquire_lock(workset_id="ws-1", owner_id="me")).lock_token
        with pytest.raises(LockHeld):
            await state.acquire_lock(workset_id="ws-1", owner_id="you")
        for to in (IN_PROGRESS, COMPLETE):
            await state.update_state(workset_id="ws-1", state=to, lock_token=token)
        await state.acquire_lock(workset_id="u", owner_id="me")
        await state.acquire_lock(workset_id="u", owner_id="olga", force=True)
        for _ in range(2):
            with pytest.raises(WorksetNotFound):
                await state.acquire_lock(workset_id="nothing", owner_id="me")
        await state.get_queue_depth()
        read = scraped(server.metrics_port)

    def value(name, **labels):
        return read.get((name, frozenset(labels.items())), 0.0)

    def by_state(name, **labels):
        """Values that are not 0, by state and priority."""
        found = {}
        for (metric, pairs), number in read.items():
            if metric == name and number and set(labels.items()) <= pairs:
                found[dict(pairs)["state"], dict(pairs)["priority"]] = number
        return found

    transitions = {
        ("READY", "NORMAL"): 3,
        ("READY", "URGENT"): 1,
        ("LOCKED", "NORMAL"): 1,
        ("LOCKED", "URGENT"): 1,
        ("IN_PROGRESS", "NORMAL"): 1,
        ("COMPLETE", "NORMAL"): 1,
    }
    acquisitions = {("READY", "NORMAL"): 1, ("READY", "URGENT"): 1, ("LOCKED", "URGENT"): 1}
    failures = {("LOCKED", "NORMAL"): 1, ("NONE", "NONE"): 2}
    depth = {("READY", "NORMAL"): 2, ("LOCKED", "URGENT"): 1, ("COMPLETE", "NORMAL"): 1}
    # Each from the scrape, and the same from CloudWatch, which got the rest when the server stopped.
    aws = empty_aws.client("cloudwatch")
    assert by_state("workset_state_transitions_total") == transitions
    assert sent(aws, "WorksetStateTransitions") == transitions
    assert by_state("workset_lock_acquisitions_total") == acquisitions
    assert sent(aws, "WorksetLockAcquisitions") == acquisitions
    assert by_state("workset_lock_failures_total") == failures
    assert sent(aws, "WorksetLockFailures") == failures
    held = {"state": "LOCKED", "priority": "NORMAL", "reason": "LOCK_HELD"}
    assert value("workset_lock_failures_total", **held) == 1
    assert by_state("workset_queue_depth") == depth
    assert sent(aws, "WorksetQueueDepth", "Maximum") == depth
    runs = "workset_processing_duration_seconds"
    assert by_state(f"{runs}_count") == {("COMPLETE", "NORMAL"): 1}
    assert sent(aws, "WorksetProcessingDuration", "SampleCount") == by_state(f"{runs}_count")
    seconds = value(f"{runs}_sum", state="COMPLETE", priority="NORMAL")
    assert 0 < seconds < 60
    durations = sent(aws, "WorksetProcessingDuration")
    assert durations["COMPLETE", "NORMAL"] == pytest.approx(seconds)
    assert value("reaper_fit_seconds") >= 0
    # Calls: how many, how they ended, how long they took.
    refused = {"service": "state", "method": "AcquireLock", "code": "NOT_FOUND"}
    assert value("rpc_calls_total", **refused, reason="WORKSET_NOT_FOUND") == 2
    assert value("rpc_seconds_count", service="state", method="AcquireLock") == 6


class TooLateAtFirst(SqliteStore):
    """Another replica takes the slot of the first commit."""

    late = True

    async def commit(self, commit, timeout):
        if self.late:
            self.late = False
            return Conflict(frozenset({Clash.SLOT}))
        return await super().commit(commit, timeout)


async def test_a_commit_that_came_too_late_is_counted_by_what_it_clashed_with(tmp_path):
    settings = StateSettings.load(port=0, sqlite_path=tmp_path / "s.db", metrics_port=0)
    server = state_server(settings, make_store=lambda _: TooLateAtFirst(settings.sqlite_path))
    async with running(server), AsyncStateClient(server.address) as state:
        await state.register_workset(workset_id="ws-1", bucket="lab", prefix="ws-1/")
        read = scraped(server.metrics_port)
    # Nobody really took that slot, so the next one is not free either until the lane is looked at.
    assert read["commit_conflicts_total", frozenset({("clash", "slot")})] >= 1
